"""The OCSF schema of the development packages in, src/trailkeep/core/ocsf_schema.json out: what conform.py needs."""

import json
from pathlib import Path
from typing import Any

from ocsf_json_schema import get_ocsf_schema

PATH = Path(__file__).parents[1] / "src" / "trailkeep" / "core" / "ocsf_schema.json"
VERSION = "1.5.0"
_SAID_BY_CLASS = ("class_uid", "category_uid", "type_uid")  # their values need no list


def attribute(name: str, value: dict[str, Any]) -> str:
    """`type[]!@profile=values`: an array, required, of a profile, with listed values, where it is."""
    text = value.get("object_type") or value["type"]
    text += "[]" * bool(value.get("is_array")) + "!" * (value.get("requirement") == "required")
    if value.get("profile"):
        text += f"@{value['profile']}"
    if value.get("enum") and name not in _SAID_BY_CLASS:
        text += f"={','.join(value['enum'])}"
    return text


def attributes(of: dict[str, Any]) -> dict[str, str]:
    """The attributes of a class or an object."""
    return {name: attribute(name, value) for name, value in sorted(of["attributes"].items())}


def groups(of: dict[str, Any]) -> list[list[str]]:
    """Sets of attributes of which an object has one at least; what is said of attributes further inside is left out."""
    return [sorted(names) for names in of.get("constraints", {}).values() if not any("." in name for name in names)]


def made() -> dict[str, Any]:
    """The part of the schema, without the classes of extensions."""
    schema = get_ocsf_schema(VERSION)
    base = attributes(schema["base_event"])
    classes = sorted((c for c in schema["classes"].values() if c["uid"] < 100_000), key=lambda c: c["uid"])
    types = {
        name: {key: value[key] for key in ("type", "regex", "max_len", "range") if key in value}
        for name, value in sorted(schema["types"].items())
    }
    return {
        "about": f"From the OCSF schema {VERSION} (https://schema.ocsf.io, Apache-2.0), by bin/ocsf_schema.py.",
        "types": types,
        "base": base,
        "classes": {
            str(c["uid"]): {
                "one_of": groups(c),
                "attributes": {name: text for name, text in attributes(c).items() if base.get(name) != text},
            }
            for c in classes
        },
        "objects": {
            name: {"one_of": groups(o), "attributes": attributes(o)} for name, o in sorted(schema["objects"].items())
        },
    }


def text() -> str:
    """The file: a line for each type, class and object."""
    parts = []
    for name, value in made().items():
        if isinstance(value, dict) and name != "base":
            lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(inner)}" for key, inner in value.items())
            parts.append(f" {json.dumps(name)}: {{\n{lines}\n }}")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
