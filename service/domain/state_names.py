"""How a device state is spelled to clients."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.models import DeviceState

StateNames = Mapping[DeviceState, str]

ASTERISK: StateNames = {state: state.value for state in DeviceState}
"""Asterisk's own words."""

ROCKETCHAT: StateNames = {
    **dict.fromkeys(DeviceState, "unknown"),
    DeviceState.UNAVAILABLE: "unregistered",
    DeviceState.NOT_INUSE: "registered",
    DeviceState.RINGING: "ringing",
    DeviceState.BUSY: "busy",
}
"""The five words that Rocket.Chat had; to it a phone in a call was unknown."""
