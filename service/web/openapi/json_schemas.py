"""JSON schemas of the structs that handlers read and write.

msgspec's schemas are those of input: a field with a default is optional. A response contains every field that is not
`UNSET`. So the schemas of responses require fields that those of bodies do not.
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
    """The schemas of `answers`, which are written, and `inputs`, which are read. A type that is both counts as read."""

    def __init__(self, answers: Iterable[Any], inputs: Iterable[Any]) -> None:
        answer_types, input_types = (list(_with_alternatives(types)) for types in (answers, inputs))
        types = list(dict.fromkeys([*answer_types, *input_types]))
        type_schemas, components = msgspec.json.schema_components(
            types, schema_hook=self._any_of, ref_template=f"{PREFIX}{{name}}"
        )
        _add_items(components)
        self._of: dict[Any, Schema] = dict(zip(types, type_schemas, strict=True))
        self._components: dict[str, Schema] = components
        if duplicates := [name for name in components if not name.isalnum()]:
            raise ValueError(f"structs of the same name: {duplicates}")
        read = self._reachable(self._of[each] for each in input_types)
        for name in self._reachable(self._of[each] for each in answer_types) - read:
            _require_all(components[name])

    def of(self, kind: Any) -> Schema:
        """The schema of a type, usually a reference."""
        return self._of[kind]

    def fields_of(self, kind: type[msgspec.Struct]) -> dict[str, Schema]:
        """The schema of each field of a struct."""
        properties: dict[str, Schema] = self._components[self._name(kind)]["properties"]
        return properties

    def components(self, used: Iterable[Schema]) -> dict[str, Schema]:
        """The components that these schemas refer to, by name."""
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
        pending = [name for schema in schemas for name in _references(schema)]
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += _references(self._components[name])
        return found


def _with_alternatives(types: Iterable[Any]) -> Iterator[Any]:
    """The types, and the alternatives of every `AnyOf` in them, which msgspec does not inspect."""
    seen: set[Any] = set()
    pending = list(types)
    while pending:
        kind = pending.pop()
        if kind in seen:
            continue
        seen.add(kind)
        yield kind
        if isinstance(kind, type) and issubclass(kind, AnyOf):
            pending += kind.alternatives
        else:
            pending += _custom_types(inspect.type_info(kind))


def _custom_types(info: inspect.Type) -> Iterator[Any]:
    """The custom types within a type."""
    match info:
        case inspect.CustomType():
            yield info.cls
        case inspect.StructType():
            for field in info.fields:
                yield from _custom_types(field.type)
        case inspect.ListType() | inspect.VarTupleType():
            yield from _custom_types(info.item_type)
        case inspect.DictType():
            yield from _custom_types(info.value_type)
        case inspect.UnionType():
            for each in info.types:
                yield from _custom_types(each)
        case inspect.Metadata():
            yield from _custom_types(info.type)


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        target = schema.get("$ref")
        own = [target.removeprefix(PREFIX)] if isinstance(target, str) and target.startswith(PREFIX) else []
        return own + [name for value in schema.values() for name in _references(value)]
    return [name for value in schema for name in _references(value)] if isinstance(schema, list) else []


def _add_items(schema: Any) -> None:
    """Add `items` to arrays without: client generators drop operations with such arrays."""
    if isinstance(schema, dict):
        if schema.get("type") == "array" and not {"items", "prefixItems"} & schema.keys():
            schema["items"] = {}
        for value in schema.values():
            _add_items(value)
    elif isinstance(schema, list):
        for value in schema:
            _add_items(value)


def _require_all(schema: Schema) -> None:
    """Require the fields with defaults: what is written always contains them."""
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        if "default" in field:
            del field["default"]
            required.add(name)
    if "properties" in schema:
        schema["required"] = [name for name in schema["properties"] if name in required]
