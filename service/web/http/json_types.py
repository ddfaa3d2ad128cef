"""The names of JSON's types, as Rocket.Chat's messages spell them."""

from __future__ import annotations

_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


def type_name(value: object) -> str:
    """The name of a JSON value's type."""
    return _NAMES.get(type(value), "null")
