"""Finds the extension behind a queue member's interface. Pure.

A member counts for an extension by one of its devices, or by its number: `Local/<number>@<context>` as interface,
`hint:<number>@<context>` as state interface. Both are compared whole, never by a prefix or a suffix.
"""

from __future__ import annotations

from service.domain.hints import normalise_device

_LOCAL = "Local/"
_HINT = "hint:"


def number_of(interface: str) -> str | None:
    """Return the number in `Local/<number>@<context>[/<options>]` or `hint:<number>@<context>`; None for others.

    Asterisk takes a channel's options from the first `/` on, and the context from the first `@` on.
    """
    name = normalise_device(interface)
    if name.startswith(_LOCAL):
        name = name[len(_LOCAL) :].partition("/")[0]
    elif name.startswith(_HINT):  # `app_queue` does not take it in another case
        name = name[len(_HINT) :]
    else:
        return None
    number, at, context = name.partition("@")
    return number if at and context and number else None
