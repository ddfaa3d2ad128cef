"""Mistakes in the settings, a line for each, without what was given: it may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_settings import SettingsError

from service.settings.files import PREFIX

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def describe(error: ValidationError | SettingsError) -> list[str]:
    """Return the lines, each indented."""
    if isinstance(error, SettingsError):
        return [f"  {error}"]
    return [
        f"  {PREFIX}{line}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
        for line in _lines(item["loc"], item["msg"].removeprefix("Value error, "))
    ]


def _lines(place: tuple[int | str, ...], message: str) -> Iterator[str]:
    """A check of several settings begins each line with the name of one."""
    if place:
        yield f"{'__'.join(map(str, place)).upper()}: {message}"
        return
    for line in message.split("\n"):
        name, colon, text = line.partition(": ")
        yield f"{name.upper()}: {text}" if colon and _NAME.fullmatch(name) else f": {line}"
