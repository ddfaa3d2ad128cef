"""The devices that Asterisk's dialplan gives its numbers, as `check` compares them with what is stored."""

from __future__ import annotations

from collections.abc import Mapping

from service.ami.actions import header_text
from service.ami.client import LIST_DEADLINE, AmiClient
from service.ami.endpoint_list import CountedList, read_hints
from service.domain.hints import normalise_device

_NOT_PHONES = ("Local/", "QUEUE/")


async def read_hint_devices(connection: AmiClient, context: str | None) -> Mapping[str, tuple[str, ...]]:
    """The devices of each number that has any, without patterns; only hints of `context`, if given."""
    devices: dict[str, tuple[str, ...]] = {}
    for hint in await read_hints(connection):
        named = tuple(filter(_is_phone, map(normalise_device, hint.devices)))
        if named and context in (None, hint.context) and not hint.number.startswith("_"):
            devices[hint.number] = tuple(dict.fromkeys([*devices.get(hint.number, ()), *named]))
    return devices


def _is_phone(device: str) -> bool:
    """Whether it is a device of a channel driver: `Custom:`, `park:` and the like are none."""
    technology, slash, _ = device.partition("/")
    return bool(slash) and ":" not in technology and not device.startswith(_NOT_PHONES)


async def read_hint_states(connection: AmiClient) -> dict[tuple[str, str], str]:
    """Asterisk's own state of each hint, by number and context; empty without hints."""
    action = CountedList({"Action": "ExtensionStateList"})
    await connection.send_list(action, LIST_DEADLINE)
    return {
        (header_text(message, "Exten"), header_text(message, "Context")): header_text(message, "Status")
        for message in action.messages
    }
