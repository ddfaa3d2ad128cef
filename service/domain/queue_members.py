"""Finds the extension behind a queue member's interface. Pure.

A member counts for an extension by one of its devices, or by its number: `Local/<number>@<context>` as interface,
`hint:<number>@<context>` as state interface. Both are compared whole, never by a prefix or a suffix.
"""

from __future__ import annotations

from service.domain.device_mapping import DeviceMapping
from service.domain.hints import normalise_device
from service.domain.queue_entries import Member

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


def extension_of(member: Member, mapping: DeviceMapping) -> str | None:
    """Return the extension that a member stands for; None if there is none, or if its device is shared by several."""
    interfaces = dict.fromkeys((member.interface, member.state_of))
    for interface in interfaces:
        local_number = number_of(interface)
        if local_number is not None and (number := mapping.number_of(local_number)) is not None:
            return number
    for interface in interfaces:
        numbers = mapping.numbers_of(normalise_device(interface))
        if len(numbers) == 1:
            return next(iter(numbers))
    return None
