"""JSON schemas of the structs that handlers take and answer.

msgspec describes how a struct is read: what has a default may be missing. An answer is written: all of it is there,
but for what is `UNSET`. So the schemas of answers demand what those of bodies do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from service.web.openapi.operation import AnyOf

Schema = dict[str, Any]
PREFIX = "#/components/schemas/"


class Schemas:
    """`answers` are written, `inputs` read. A type of both counts as read."""

    def __init__(self, answers: Iterable[Any], inputs: Iterable[Any]) -> None:
        answered, taken = (list(_with_alternatives(types)) for types in (answers, inputs))
        types = list(dict.fromkeys([*answered, *taken]))
        found, components = msgspec.json.schema_components(
            types, schema_hook=self._any_of, ref_template=f"{PREFIX}{{name}}"
        )
        _name_items(components)
        self._of: dict[Any, Schema] = dict(zip(types, found, strict=True))
        self._components: dict[str, Schema] = components
        if twice := [name for name in components if not name.isalnum()]:
            raise ValueError(f"msgspec had to tell apart structs of the same name: {twice}")
        read = self._reachable(self._of[each] for each in taken)
        for name in self._reachable(self._of[each] for each in answered) - read:
            _demand_all(components[name])

    def of(self, kind: Any) -> Schema:
        """The schema of a type that was given, most often a reference."""
        return self._of[kind]

    def fields_of(self, kind: type[msgspec.Struct]) -> dict[str, Schema]:
        """The schema of each field of a struct."""
        properties: dict[str, Schema] = self._components[self._name(kind)]["properties"]
        return properties

    def components(self, used: Iterable[Schema]) -> dict[str, Schema]:
        """All that these schemas refer to, by name."""
        return {name: self._components[name] for name in sorted(self._reachable(used))}

    def _name(self, kind: Any) -> str:
        reference: str = self._of[kind]["$ref"]
        return reference.removeprefix(PREFIX)

    def _any_of(self, kind: type) -> Schema:
        if not issubclass(kind, AnyOf):
            raise NotImplementedError(f"{kind} cannot be described")
        return {"anyOf": [{"$ref": f"{PREFIX}{each.__name__}"} for each in kind.alternatives]}

    def _reachable(self, schemas: Iterable[Schema]) -> set[str]:
        found: set[str] = set()
        waiting = [name for schema in schemas for name in _references(schema)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += _references(self._components[name])
        return found


def _with_alternatives(types: Iterable[Any]) -> Iterator[Any]:
    """The types, and what hides behind those that msgspec does not look into, wherever in them."""
    seen: set[Any] = set()
    waiting = list(types)
    while waiting:
        kind = waiting.pop()
        if kind in seen:
            continue
        seen.add(kind)
        yield kind
        if isinstance(kind, type) and issubclass(kind, AnyOf):
            waiting += kind.alternatives
        else:
            waiting += _customs(inspect.type_info(kind))


def _customs(info: inspect.Type) -> Iterator[Any]:
    """The `AnyOf`s within a type."""
    match info:
        case inspect.CustomType():
            yield info.cls
        case inspect.StructType():
            for field in info.fields:
                yield from _customs(field.type)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _customs(info.item_type)
        case inspect.DictType():
            yield from _customs(info.value_type)
        case inspect.UnionType():
            for each in info.types:
                yield from _customs(each)
        case inspect.Metadata():
            yield from _customs(info.type)


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        to = schema.get("$ref")
        own = [to.removeprefix(PREFIX)] if isinstance(to, str) and to.startswith(PREFIX) else []
        return own + [name for value in schema.values() for name in _references(value)]
    return [name for value in schema for name in _references(value)] if isinstance(schema, list) else []


def _name_items(schema: Any) -> None:
    """Give arrays of anything their `items`: generators drop an operation whose arrays have none."""
    if isinstance(schema, dict):
        if schema.get("type") == "array" and not {"items", "prefixItems"} & schema.keys():
            schema["items"] = {}
        for value in schema.values():
            _name_items(value)
    elif isinstance(schema, list):
        for value in schema:
            _name_items(value)


def _demand_all(schema: Schema) -> None:
    """What has a default is always there in what is written."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            del field["default"]
            required.add(name)
    if "properties" in schema:
        schema["required"] = [name for name in schema["properties"] if name in required]
