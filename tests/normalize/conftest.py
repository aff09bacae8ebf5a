"""The recognition part of the two sources, so that reading is tested apart from mapping."""

from pathlib import Path
from typing import Any

import pytest

from trailkeep.core.source import Source

CLOUDTRAIL = {
    "format": "json",
    "envelope": "Records",
    "recognise": {
        "key": [
            r"/CloudTrail(-Digest|-Insight|-NetworkActivity)?/",
            r"\d{12}_CloudTrail(-[A-Za-z]+)?_[a-z0-9-]+_\d{8}T",
        ],
        "fields": [
            ["eventName", "eventSource", "userIdentity", "sourceIPAddress"],
            ["eventName", "eventSource", "userIdentity", "eventID", "!dynamodb"],
            ["eventID", "eventType", "insightDetails"],
        ],
    },
}
VPC_FLOW = {
    "format": "delimited",
    "recognise": {
        "key": [r"/vpcflowlogs/", r"\d{12}_vpcflowlogs_"],
        "fields": [
            ["srcaddr", "dstaddr", "!tgw-*"],
            ["pkt-srcaddr", "pkt-dstaddr", "!tgw-*"],
            ["interface-id", "log-status"],
            ["interface-id", "action"],
        ],
    },
}


def _source(name: str, data: dict[str, Any]) -> Source:
    rest = {
        "folder": Path(name),
        "name": name,
        "title": name,
        "version": 1,
        "logsource": {},
        "shape": {},
        "fields": {},
    }
    return Source.model_validate(rest | data)


@pytest.fixture(scope="session")
def sources() -> dict[str, Source]:
    return {
        name: _source(name, data)
        for name, data in (("aws_cloudtrail", CLOUDTRAIL), ("aws_vpc_flow", VPC_FLOW))
    }
