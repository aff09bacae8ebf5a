"""Messages as incidents of ServiceNow, one for a group of alerts; what follows becomes a work note."""

from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.channels.http import basic
from trailkeep.alert.message import Message, plain
from trailkeep.core.errors import Refused
from trailkeep.core.secret import Secret

_URGENCY = {"critical": "1", "high": "1", "medium": "2"}  # 1 high, 2 medium, 3 low


class ServiceNow(Channel):
    """Table API: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html

    The record has a `correlation_id` by which a second try finds it.
    """

    tells_closed: ClassVar[bool] = True

    type: Literal["servicenow"]
    url: str = Field(pattern=r"^https?://", description="such as https://example.service-now.com")
    user: str
    password: Secret
    table: str = Field(default="incident", pattern=r"^\w+$")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Needs a role that may read, create and write records of the table."""
        headers = basic(self.user, tools.secret(self.password))
        address = f"{self.url.rstrip('/')}/api/now/table/{self.table}"
        known = message.thread if message.alerts else uid
        query = urlencode(
            {"sysparm_query": f"correlation_id={known}", "sysparm_limit": "1", "sysparm_fields": "sys_id"}
        )
        found = _result(tools.http.get(f"{address}?{query}", headers))
        if found:
            if message.kind != "new":
                record = f"{address}/{found[0]['sys_id']}"
                tools.http.post(record, {"work_notes": plain(message)}, headers, "PATCH")
            return
        if message.kind == "closed":
            return  # the record is gone: there is nothing to tell it
        made = {
            "short_description": message.headline[:160],
            "description": plain(message)[:4000],
            "urgency": _URGENCY.get(message.level, "3"),
            "impact": "1" if message.level == "critical" else "2" if message.level == "high" else "3",
            "correlation_id": known,
            "correlation_display": "Trailkeep",
        }
        if not _result(tools.http.post(address, made, headers)):
            raise Refused("ServiceNow answers without a record; look at `url` and `table`")


def _result(answer: Any) -> Any:
    return answer.get("result") if isinstance(answer, dict) else None
