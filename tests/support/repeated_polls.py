"""What the tests of polls that come again share: what is polled, and links that do what a test tells them."""

from __future__ import annotations

from service.clock import uptime
from service.domain.models import DeviceState
from service.web.app_keys import CHANGE_LISTENER
from service.web.server.repeated_polls import RepeatedPolls
from tests.support.server import AGENT_UID, REGISTRATION, Server

AGENT, OWN = 1795, "12342"
POLL = f"{REGISTRATION}?id={AGENT_UID}"
DEVICES = dict.fromkeys((f"PJSIP/{number}" for number in (OWN, "12343")), DeviceState.NOT_INUSE)
TARGETS = (POLL, "/api/v1/presence/12343", "/api/v1/presence?extension=12342,12343", "/api/v1/presence")
FOREVER = 1e9


class Again:
    """How often a poll was answered again, by which `RepeatedPolls`."""

    def __init__(self) -> None:
        self.count = 0
        self.by: RepeatedPolls | None = None


def be_live(server: Server) -> None:
    """Have the link live, with a phone at rest each."""
    states = server.link.states
    states.synchronising()
    states.begin_snapshot()
    states.end_snapshot(DEVICES)
    states.confirm(uptime() + FOREVER)


async def told(server: Server) -> None:
    """Return once the service has read everything that was committed before."""
    await server.app[CHANGE_LISTENER].barrier(10)
