"""The devices that Asterisk's dialplan gives its numbers, as `check` compares them with what is stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from service.ami.client import AmiClient
from service.domain.checked_extension import CheckedExtension
from service.domain.extension_hints import QUEUE_MEMBERS, ExtensionHints
from service.domain.hints import parse_hint, unique
from service.domain.models import Finding

MAX_NAMED = 5
"""Numbers that a finding names."""
_NOT_PHONES = ("Local/", "QUEUE/")


async def read_hints(connection: AmiClient, context: str | None = None, *, is_managed: bool = False) -> ExtensionHints:
    """The hints of the dialplan that map numbers to devices; only those of `context`, if given."""
    hints = ExtensionHints(context, ignored=QUEUE_MEMBERS if is_managed else None)
    listed = hints.begin_snapshot()
    await connection.list_hints(listed)
    hints.end_snapshot(listed)
    return hints


async def read_hint_statuses(connection: AmiClient) -> dict[tuple[str, str], int | None]:
    """Asterisk's own status of each hint, by number and context."""
    hints = await read_hints(connection)
    return {key: hints.status(key) for key, _ in hints.items()}


def devices_of(extension: CheckedExtension, hints: ExtensionHints, *, is_managed: bool) -> tuple[str, ...]:
    """The devices of an extension, as the service maps them (`service.domain.device_mapping`)."""
    hint = hints.of(extension.local_number)
    if hint is None or hint.ambiguous:
        return extension.devices
    return unique((*extension.devices, *hint.counted)) if is_managed else hint.counted or extension.devices


def dialled_devices(hints: ExtensionHints) -> dict[str, tuple[str, ...]]:
    """The phones' devices of each number that has any, without patterns."""
    devices: dict[str, tuple[str, ...]] = {}
    for number in dict.fromkeys(number for (number, _), _ in hints.items()):
        hint = hints.of(number)
        named = tuple(filter(_is_phone, hint.counted)) if hint is not None else ()
        if named and not number.startswith("_"):
            devices[number] = named
    return devices


def report_context(part: str, name: str, hints: ExtensionHints, context: str | None) -> Iterator[Finding]:
    """A finding if the only context whose hints count has none, and others have hints of phones."""
    if context is None or any(other == context for (_, other), _ in hints.items()):
        return
    contexts = {other for (_, other), text in hints.items() if any(map(_is_phone, parse_hint(text).counted))}
    if not contexts:
        return
    remedy = (
        f"set CONNECTOR_CALL_SERVERS__{name.upper()}__HINT_CONTEXT to the context of its extensions' hints; "
        f"hints of phones are in {named(sorted(contexts))}"
    )
    yield Finding(part, f"has no hint in {context}", remedy)


def report_ambiguous(
    part: str, name: str, extensions: Collection[CheckedExtension], hints: ExtensionHints
) -> Iterator[Finding]:
    """The extensions whose hints disagree, so that nobody knows their devices."""
    numbers = sorted(each.local_number for each in extensions if _is_ambiguous(hints, each.local_number))
    if not numbers:
        return
    contexts = ", ".join(sorted({context for number in numbers for context in hints.contexts_of(number)}))
    remedy = f"set CONNECTOR_CALL_SERVERS__{name.upper()}__HINT_CONTEXT to the right one of {contexts}"
    what = f"has hints that disagree about the devices of {len(numbers)} extensions: {named(numbers)}"
    yield Finding(part, what, remedy)


def named(names: list[str]) -> str:
    """The first names, and how many more there are."""
    rest = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + rest


def _is_ambiguous(hints: ExtensionHints, number: str) -> bool:
    hint = hints.of(number)
    return hint is not None and hint.ambiguous


def _is_phone(device: str) -> bool:
    """Whether it is a device of a channel driver: `park:` and the like are none."""
    technology, slash, _ = device.partition("/")
    return bool(slash) and ":" not in technology and not device.startswith(_NOT_PHONES)
