"""Where Asterisk's own status of a hint is not what this service makes of its devices. Pure.

All devices of the hint count here, `Custom:` ones too, since Asterisk's status has them. A hint with a device that no
list or event has reported says nothing: Asterisk may show it `Idle`.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.combined_state import combined_state, extension_status
from service.domain.device_states import DeviceStates
from service.domain.extension_hints import HintKey
from service.domain.hints import parse_hint
from service.domain.models import DeviceState


@dataclass(frozen=True, slots=True)
class HintDifference:
    """A difference, and what it was found from: equal ones at two moments are one that lasted."""

    key: HintKey
    status: int
    """Asterisk's own."""
    expected: int
    states: tuple[DeviceState, ...]


def find_difference(key: HintKey, text: str, status: int | None, states: DeviceStates) -> HintDifference | None:
    """Compare one hint; None without a difference, or where nothing can be said."""
    if status is None:
        return None
    found: list[DeviceState] = []
    for device in parse_hint(text).devices:
        state = states.reported(device)
        if state is None:
            return None
        found.append(state)
    expected = extension_status(combined_state(found))
    if not found or status == expected:
        return None
    return HintDifference(key, status, expected, tuple(found))
