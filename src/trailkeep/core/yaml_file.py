"""A YAML file and a model in, the validated model out; every fault of the file with its line.

Environment variables override what the file says: `TRAILKEEP_COLLECT__TRAIL__QUEUE=...` sets `collect: {trail: {queue:
...}}`. Their names are matched to keys without regard to case, `_` standing for `-` too.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from trailkeep.core.errors import ConfigError, Fault

_PREFIX = "TRAILKEEP_"
BASE = "base"
"""What the folder of the file is called in the validation's context: paths inside may be told from there."""
_Model = TypeVar("_Model", bound=BaseModel)


def load_yaml(path: Path, model: type[_Model], environment: Mapping[str, str]) -> _Model:
    """The content of `path` as `model`. Raises ConfigError naming every fault with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([Fault(path, 1, f"cannot be read: {error.strerror}")]) from error
    try:
        tree = yaml.compose(text, yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ConfigError([Fault(path, line, f"no YAML: {getattr(error, 'problem', error)}")]) from error
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ConfigError([Fault(path, 1, "holds no keys; expected `collect:` and others")])
    faults = [Fault(path, node.start_mark.line + 1, f"the key {name} is there twice") for name, node in _twice(tree)]
    if faults:
        raise ConfigError(faults)
    for name, value in environment.items():
        if name.startswith(_PREFIX) and "__" in name:
            _set(data, name.removeprefix(_PREFIX).split("__"), value)
    try:
        return model.model_validate(data, context={BASE: path.parent})
    except ValidationError as error:
        raise ConfigError([_fault(path, tree, each) for each in error.errors()]) from error


def _set(data: dict[str, Any], names: list[str], value: str) -> None:
    *folders, last = names
    for name in folders:
        data = data.setdefault(_key(data, name), {})
        if not isinstance(data, dict):
            return  # the model will say what is wrong with it
    data[_key(data, last)] = yaml.safe_load(value)


def _key(data: Mapping[str, Any], name: str) -> str:
    wanted = name.lower()
    return next((key for key in data if str(key).lower().replace("-", "_") == wanted), wanted)


def _fault(path: Path, tree: yaml.Node | None, error: Any) -> Fault:
    """One mistake, at the line of the deepest key that is there."""
    line, named = 1, []
    node = tree
    for part in error["loc"]:
        inner = _member(node, part)
        if inner is not None:
            line, node = inner
            named.append(str(part))
    if error["type"] == "missing":
        named.append(str(error["loc"][-1]))
    message = "no such key" if error["type"] == "extra_forbidden" else error["msg"].removeprefix("Value error, ")
    return Fault(path, line, f"{'.'.join(named) or 'the file'}: {message}")


def _member(node: yaml.Node | None, part: object) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        value = node.value[part]
        return value.start_mark.line + 1, value
    return None


def _twice(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key
            seen.add(key.value)
            yield from _twice(value)
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _twice(value)
