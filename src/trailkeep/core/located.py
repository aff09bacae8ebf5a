"""A package and a model in, the kinds of that model that modules of the package define out, by their `type`."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, Literal, TypeVar, Union, get_origin

from pydantic import BaseModel, Field, StringConstraints

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
"""What people call one of them in trailkeep.yaml."""


def types_in(package: str, base: type[Model]) -> dict[str, type[Model]]:
    """Type -> model of every kind of `base`, found by location: a new one is a new module, and named nowhere."""
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        import_module(module.name)
    return {str(kind.model_fields["type"].annotation.__args__[0]): kind for kind in _kinds(base)}  # type: ignore[union-attr]


def any_by_name(types: dict[str, type[Model]]) -> Any:
    """The annotation of a map from names to any of these models."""
    each: Any = Annotated[Union[tuple(types.values())], Field(discriminator="type")]  # noqa: UP007 built at run time
    return dict[Name, each]


def _kinds(kind: type[Model]) -> Iterator[type[Model]]:
    """The subclasses that name a type."""
    for inner in sorted(kind.__subclasses__(), key=lambda each: each.__name__):
        if get_origin(inner.model_fields["type"].annotation) is Literal:
            yield inner
        yield from _kinds(inner)
