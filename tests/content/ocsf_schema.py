"""An OCSF event in, what the OCSF 1.5.0 schema of its class and profiles has against it out."""

from functools import cache
from typing import Any

import jsonschema_rs
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from trailkeep.core.ocsf import VERSION


@cache
def _schema() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))


@cache
def _validator(class_uid: int, profiles: tuple[str, ...]) -> Any:
    name = _schema().lookup_class_name_from_uid(class_uid)
    return jsonschema_rs.validator_for(_schema().get_class_schema(name, list(profiles)))


def faults(event: dict[str, Any]) -> list[str]:
    validator = _validator(event["class_uid"], tuple(event["metadata"]["profiles"]))
    return [f"{'.'.join(map(str, e.instance_path))}: {e.message[:200]}" for e in validator.iter_errors(event)]
