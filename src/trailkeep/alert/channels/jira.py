"""Messages as issues of Jira, one for a group of alerts; what follows becomes a comment."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.channels.http import basic
from trailkeep.alert.message import Message, plain
from trailkeep.core.errors import Refused
from trailkeep.core.secret import Secret


class Jira(Channel):
    """REST API v3: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/

    The issue has a label by which a second try finds it. Jira's search may be seconds late, so a crash just after the
    issue was made can still make a second one.
    """

    tells_closed: ClassVar[bool] = True

    type: Literal["jira"]
    url: str = Field(pattern=r"^https?://", description="such as https://example.atlassian.net")
    user: str = Field(description="mail address of the account")
    token: Secret = Field(description="API token of the account")
    project: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$", description="key of the project")
    issue_type: str = "Task"

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Needs the permissions to browse the project, create issues and add comments."""
        headers = basic(self.user, tools.secret(self.token))
        base = self.url.rstrip("/") + "/rest/api/3"
        label = f"trailkeep-{message.thread if message.alerts else uid}"
        query = {"jql": f'project = "{self.project}" AND labels = "{label}"', "maxResults": 1, "fields": ["key"]}
        found = tools.http.post(f"{base}/search/jql", query, headers)
        issues = found.get("issues", []) if isinstance(found, dict) else []
        if issues:
            if message.kind != "new":
                comment = {"body": adf(plain(message))}
                tools.http.post(f"{base}/issue/{issues[0]['key']}/comment", comment, headers)
            return
        if message.kind == "closed":
            return  # the issue is gone: there is nothing to tell it
        fields: dict[str, Any] = {
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": message.headline[:255],
            "description": adf(plain(message)),
            "labels": ["trailkeep", label],
        }
        made = tools.http.post(f"{base}/issue", {"fields": fields}, headers)
        if not (isinstance(made, dict) and made.get("key")):
            raise Refused("Jira says that it made an issue, and not which; look at `url`")


def adf(text: str) -> dict[str, Any]:
    """`text` as a document of Atlassian's, paragraph by paragraph; nothing in it is markup."""
    paragraphs: list[dict[str, Any]] = []
    for block in text.split("\n\n"):
        nodes: list[dict[str, Any]] = []
        for line in filter(None, block.split("\n")):
            nodes += [{"type": "hardBreak"}] if nodes else []
            nodes.append({"type": "text", "text": line})
        paragraphs.append({"type": "paragraph", "content": nodes})
    return {"type": "doc", "version": 1, "content": paragraphs}
