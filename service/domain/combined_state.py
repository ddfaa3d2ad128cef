"""The state of several devices as one: Asterisk's own rules for hints.

Pure. The tables are those of `ast_devstate_aggregate_add` and `ast_devstate_to_extenstate`.
`tests/integration/ami/test_hint_states.py` compares them with a real Asterisk for all pairs of states.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.models import DeviceState, Reading

_RANKS = {
    DeviceState.INVALID: 0,
    DeviceState.UNKNOWN: 1,
    DeviceState.UNAVAILABLE: 2,
    DeviceState.NOT_INUSE: 3,
    DeviceState.ONHOLD: 4,
    DeviceState.RINGING: 5,
    DeviceState.INUSE: 6,
    DeviceState.BUSY: 7,
    DeviceState.RINGINUSE: 8,
}
_OCCUPIED = frozenset({DeviceState.INUSE, DeviceState.BUSY, DeviceState.ONHOLD})
_EXTENSION_STATES = {
    DeviceState.UNKNOWN: 0,
    DeviceState.NOT_INUSE: 0,
    DeviceState.INUSE: 1,
    DeviceState.BUSY: 2,
    DeviceState.INVALID: 4,
    DeviceState.UNAVAILABLE: 4,
    DeviceState.RINGING: 8,
    DeviceState.RINGINUSE: 9,
    DeviceState.ONHOLD: 16,
}
_LIVE = {state: Reading(state) for state in DeviceState}


def combined_state(states: Iterable[DeviceState]) -> DeviceState:
    """Return the state of devices that ring together: the most occupied one's. INVALID if there is none.

    One that rings beside one in a call is `Ring+Inuse`.
    """
    found = set(states)
    if DeviceState.RINGING in found and found & _OCCUPIED:
        return DeviceState.RINGINUSE
    return max(found, key=_RANKS.__getitem__, default=DeviceState.INVALID)


def combined_reading(readings: Iterable[Reading]) -> Reading | None:
    """Return the reading of all devices; the first one that is not live makes it not live. None without devices."""
    states = []
    for reading in readings:
        if reading.reason is not None:
            return reading
        states.append(reading.state)
    return _LIVE[combined_state(states)] if states else None


def extension_status(state: DeviceState) -> int:
    """Return the `Status` of AMI's `ExtensionStatus` for a combined device state."""
    return _EXTENSION_STATES[state]
