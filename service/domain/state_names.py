"""Names of device states in responses."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.models import DeviceState

StateNames = Mapping[DeviceState, str]

ASTERISK: StateNames = {state: state.value for state in DeviceState}
"""Asterisk's names."""

ROCKETCHAT: StateNames = {
    **dict.fromkeys(DeviceState, "unknown"),
    DeviceState.UNAVAILABLE: "unregistered",
    DeviceState.NOT_INUSE: "registered",
    DeviceState.RINGING: "ringing",
    DeviceState.BUSY: "busy",
}
"""Rocket.Chat's five names. It reported a phone in a call as unknown."""
