"""Hints: the devices, and the presence, that the dialplan gives a number.

Pure. A hint is the mapping from a number to its devices and never the state. Measured: a device that was never set
makes a hint `Idle`, and so does a phone that is off beside a `Custom:` device that is NOT_INUSE (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.custom_presence import PROVIDER

CUSTOM = "Custom:"
"""Prefix of a device that the dialplan sets, such as `Custom:DND1001`. It is no phone."""
DO_NOT_DISTURB = f"{CUSTOM}DND"
"""FreePBX's device of a person who does not want to be called; the number follows."""
# Asterisk finds a channel technology in any case; events spell it as its driver does.
_MIXED_CASE = {name.upper(): name for name in ("Local", "Console", "Motif", "Phone")}


@dataclass(frozen=True, slots=True)
class ParsedHint:
    """One hint: its devices in the dialplan's order, and the id of its custom presence."""

    devices: tuple[str, ...]
    presence: str | None = None
    """None if the hint names none."""
    ambiguous: bool = False
    """Whether the devices are not known, because several hints disagree."""

    @property
    def counted(self) -> tuple[str, ...]:
        """The devices whose state counts: all but `Custom:` ones."""
        return tuple(device for device in self.devices if not device.startswith(CUSTOM))


AMBIGUOUS = ParsedHint((), ambiguous=True)


def parse_hint(text: str) -> ParsedHint:
    """Parse the `Hint` header, such as `PJSIP/1001&Custom:DND1001,CustomPresence:1001`.

    Blanks belong to a device's name, as in Asterisk: it takes `PJSIP/1 & PJSIP/2` for two devices that do not exist.
    """
    devices, _, provider = text.partition(",")
    presence = None
    if provider[: len(PROVIDER)].casefold() == PROVIDER.casefold():
        presence = provider[len(PROVIDER) :] or None
    return ParsedHint(unique(normalise_device(device) for device in devices.split("&") if device), presence)


def normalise_device(name: str) -> str:
    """Return a device's name as its events spell it: Asterisk accepts the technology in any case."""
    if name[: len(CUSTOM)].casefold() == CUSTOM.casefold():
        return CUSTOM + name[len(CUSTOM) :]
    technology, slash, rest = name.partition("/")
    if not slash or ":" in technology:  # `park:701@parkedcalls`: no channel driver but a state provider
        return name
    technology = technology.upper()
    return f"{_MIXED_CASE.get(technology, technology)}/{rest}"


def unique(devices: Iterable[str]) -> tuple[str, ...]:
    """Return the devices in their order, each once."""
    return tuple(dict.fromkeys(devices))
