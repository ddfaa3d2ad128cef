"""How a device state is spelled to clients."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.models import DeviceState

Spelling = Mapping[DeviceState, str]

ASTERISK: Spelling = {state: state.value for state in DeviceState}
"""Asterisk's own words."""

ROCKETCHAT: Spelling = {
    **dict.fromkeys(DeviceState, "unknown"),
    DeviceState.UNAVAILABLE: "unregistered",
    DeviceState.NOT_INUSE: "registered",
    DeviceState.RINGING: "ringing",
    DeviceState.BUSY: "busy",
}
"""The five words that Rocket.Chat had; to it a phone in a call was unknown."""
