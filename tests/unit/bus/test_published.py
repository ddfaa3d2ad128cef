"""What a collector publishes of a link."""

from __future__ import annotations

from service.bus.messages import Epoch, decode_from_collector
from service.bus.published import Published
from service.domain.models import DeviceState
from tests.unit.bus.world import Clock, WrittenCallServer


def test_a_link_that_becomes_live_again_begins_another_epoch() -> None:
    """Changes are numbered from 1 again: in the former epoch they would pass for old ones."""
    bodies: list[bytes] = []
    link = WrittenCallServer(Clock())
    Published(link, bodies.append, lambda _flush: None, iter(("one", "two")).__next__)
    for _ in range(2):
        link.become_live({"PJSIP/1": DeviceState.NOT_INUSE})
        link.lose()
    told = [message.epoch for body in bodies if isinstance(message := decode_from_collector(body), Epoch)]
    assert told == ["one", "", "two", ""]
