"""An OCSF event in, what the OCSF 1.5.0 schema of its class and profiles has against it out."""

from typing import Any

from trailkeep.source_tests import schema_check


def faults(event: dict[str, Any]) -> list[str]:
    check = schema_check()
    assert check, "the tests need ocsf-json-schema and jsonschema-rs"
    return check(event)
