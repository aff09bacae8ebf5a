"""A description of one kind of CloudTrail event in, format strings of whole JSON records out.

Strings of a template may hold `<name>`, filled with text that needs no JSON escape; a string that is wholly
`<#name>` becomes a bare JSON value (number, object). `Fields` knows what the names mean.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

Json = None | bool | int | float | str | Mapping[str, "Json"] | Sequence["Json"]

_PLACEHOLDER = re.compile(r'"<#(\w+)>"|<(\w+)>')
_READS = re.compile(
    r"(Describe|Get|List|Head|Lookup|Filter|Query|Search|Select|BatchGet|BatchCheck|Check|Assume|Generate(Data|Cred))"
    r"|Decrypt$|Encrypt$"
)
# Services whose events appear in us-east-1 wherever the caller is.
_GLOBAL = frozenset({"iam", "organizations", "route53", "cloudfront", "health", "ce", "support", "signin"})


@dataclass(frozen=True, eq=False)
class Template:
    """One kind of event: `weight` is its share (of about 1,000), `actors` are kinds of `Actor`."""

    service: str
    name: str
    weight: float
    actors: str
    request: Json = None
    response: Json = None
    resources: Json = None
    additional: Json = None
    top: Mapping[str, Json] = field(default_factory=dict)
    category: str = "Management"
    event_type: str = "AwsApiCall"
    failures: tuple[tuple[str, str], ...] = ()
    sensitive: bool = False

    @property
    def source(self) -> str:
        return f"{self.service}.amazonaws.com"

    @property
    def is_global(self) -> bool:
        return self.service in _GLOBAL

    @cached_property
    def success(self) -> str:
        """The record as a `%` format string over `Fields`."""
        return self._format(None)

    @cached_property
    def errors(self) -> tuple[str, ...]:
        """The record as it looks when the call fails, one format string a failure."""
        return tuple(self._format(failure) for failure in self.failures or self._usual_failures())

    def _usual_failures(self) -> tuple[tuple[str, str], ...]:
        denied = f"User: <caller> is not authorized to perform: {self.service}:{self.name}"
        why = f"because no identity-based policy allows the {self.service}:{self.name} action"
        if self.service == "ec2":
            return (
                (
                    "Client.UnauthorizedOperation",
                    f"You are not authorized to perform this operation. {denied} {why}",
                ),
                ("Client.RequestLimitExceeded", "Request limit exceeded."),
            )
        return ("AccessDenied", f"{denied} on resource: * {why}"), ("ThrottlingException", "Rate exceeded")

    def _format(self, failure: tuple[str, str] | None) -> str:
        record: dict[str, Json] = {
            "eventVersion": "<version>",
            "userIdentity": "<#login>" if self.name == "ConsoleLogin" else "<#identity>",
            "eventTime": "<time>",
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": "<region>",
            "sourceIPAddress": "<ip>",
            "userAgent": "<agent>",
        }
        if failure and failure[0]:
            record["errorCode"] = failure[0]
        if failure:
            record["errorMessage"] = failure[1]
        # A failed sign-in is told by its response; it has no errorCode.
        refused: Json = {"ConsoleLogin": "Failure"} if self.name == "ConsoleLogin" else None
        record |= {
            "requestParameters": self.request,
            "responseElements": refused if failure else self.response,
        }
        if self.additional is not None:
            record["additionalEventData"] = self.additional
        if self.event_type != "AwsConsoleSignIn":
            record["requestID"] = "<s3_id>" if self.service == "s3" else "<request_id>"
        record |= {"eventID": "<event_id>", "readOnly": bool(_READS.match(self.name))}
        if self.resources is not None:
            record["resources"] = self.resources
        record |= {
            "eventType": self.event_type,
            "managementEvent": self.category == "Management",
            "recipientAccountId": "<account>",
            **self.top,
            "eventCategory": self.category,
        }
        text = json.dumps(record, separators=(",", ":"))[:-1] + "<tail>}"
        return _PLACEHOLDER.sub(lambda match: f"%({match[1] or match[2]})s", text.replace("%", "%%"))
