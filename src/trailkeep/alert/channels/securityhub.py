"""Messages as findings of AWS Security Hub, one for a group of alerts, archived when its alerts are closed."""

from datetime import UTC
from typing import Any, ClassVar, Literal

from pydantic import Field

from trailkeep.alert.channels.channel import AwsChannel, Tools
from trailkeep.alert.message import Message, plain
from trailkeep.core.errors import Later, Refused

_LABELS = {"informational": "INFORMATIONAL"}
_PASSING = {"InternalException", "LimitExceededException", "ThrottlingException"}


class SecurityHubFindings(AwsChannel):
    """Findings in ASFF. A repetition has the same `Id` and updates the finding.

    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
    """

    tells_closed: ClassVar[bool] = True

    type: Literal["securityhub"]
    account_id: str = Field(pattern=r"^\d{12}$", description="the account whose Security Hub gets the findings")
    region: str = Field(description="the region of that Security Hub")
    partition: str = Field(default="aws", description="aws, aws-cn or aws-us-gov")

    def send(self, message: Message, uid: str, tools: Tools) -> None:
        """Needs `securityhub:BatchImportFindings`."""
        answer = self.call(tools, "securityhub", "batch_import_findings", Findings=[self.finding(message, uid, tools)])
        if answer.get("FailedCount"):
            failed = (answer.get("FailedFindings") or [{}])[0]
            code = failed.get("ErrorCode", "an error without a code")
            reason = f"AWS Security Hub: {code}: {failed.get('ErrorMessage', '')}"
            raise Later(reason) if code in _PASSING else Refused(reason)

    def finding(self, message: Message, uid: str, tools: Tools) -> dict[str, Any]:
        """The finding, within the lengths that ASFF allows."""
        over = message.kind == "closed" or not message.alerts  # a test or a heartbeat is no work for anybody
        made: dict[str, Any] = {
            "SchemaVersion": "2018-10-08",
            "Id": f"trailkeep/{message.thread if message.alerts else uid}",
            "ProductArn": f"arn:{self.partition}:securityhub:{self.region}:{self.account_id}"
            f":product/{self.account_id}/default",
            "ProductName": "Trailkeep",
            "CompanyName": "Trailkeep",
            "GeneratorId": f"trailkeep/{message.rule or message.kind}",
            "AwsAccountId": self.account_id,
            "Types": ["TTPs"] if message.tags else ["Unusual Behaviors"],
            "CreatedAt": _moment(message.time),
            "UpdatedAt": _moment(tools.now()),
            "Severity": {"Label": _LABELS.get(message.level, message.level.upper()), "Original": message.level},
            "Title": message.title[:256],
            "Description": plain(message)[:1024],
            "RecordState": "ARCHIVED" if over else "ACTIVE",
            "Resources": [
                {"Type": "Other", "Id": (message.subject or "trailkeep")[:512]},
                *({"Type": "AwsAccount", "Id": f"AWS::::Account:{each}"} for each in message.accounts[:20]),
            ],
        }
        if message.link:
            made["SourceUrl"] = message.link
        if message.steps:
            made["Remediation"] = {"Recommendation": {"Text": " ".join(message.steps)[:512]}}
        return made


def _moment(moment: Any) -> str:
    return str(moment.astimezone(UTC).isoformat(timespec="milliseconds")).replace("+00:00", "Z")
