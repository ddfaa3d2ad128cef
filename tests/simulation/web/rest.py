"""What clients show once nothing happens any more: what is in Asterisk and in the directory."""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.combined_state import combined_state
from service.domain.models import DeviceState
from tests.simulation.web.clients import Client, Facts
from tests.simulation.web.service import Service


def wrongs(service: Service, clients: Iterable[Client]) -> list[str]:
    """What clients show that is not so."""
    states = service.link.states
    if not states.current:
        return [f"the link is {states.freshness.value}: {service.link.facts.why_ended}"]
    truth = {number: _facts(service, number) for number in service.people.extensions}
    return [wrong for client in clients if (wrong := client.difference(truth)) is not None]


def _facts(service: Service, number: str) -> Facts:
    extension, devices = service.people.extensions[number], service.devices_of(number)
    person = service.people.people[extension.user_id] if extension.user_id is not None else None
    endpoints = [device.removeprefix("PJSIP/") for device in devices]
    return {
        "userId": person.uid if person is not None else None,
        "state": combined_state(DeviceState[service.asterisk.state(device)] for device in devices).value,
        "registered": any(service.asterisk.endpoints[name].contacts for name in endpoints),
        "live": True,
        "phone": DeviceState[service.asterisk.state(f"PJSIP/{number}")].value,
    }
