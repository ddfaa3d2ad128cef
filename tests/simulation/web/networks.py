"""The networks of clients: what a fault does to one, and what its clients are promised nevertheless."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.simulation.plan import Fault
from tests.simulation.world import World

HOSTS = ("office", "home", "mobile")


class Networks:
    """`HOSTS`, each with a line of its own to the service."""

    def __init__(self, world: World) -> None:
        self._net: Any = world._loop.net
        self._disturbed = dict.fromkeys(HOSTS, 0.0)
        for host in HOSTS:
            self._net.host(host)

    def of(self, fault: Fault) -> str:
        """The network that a fault is of."""
        return HOSTS[fault.number % len(HOSTS)]

    def disturb(self, host: str, seconds: float = 0.0) -> None:
        """From now on, for so many seconds, nothing is promised to the clients of a network."""
        until = asyncio.get_running_loop().time() + seconds
        self._disturbed[host] = max(self._disturbed[host], until)

    def cut(self, host: str, away: bool) -> None:
        """Hold what is sent to and from a network, or let it go on."""
        if away:
            self._net.partition(["connector"], [host])
            return
        self._net._cuts.discard(frozenset(("connector", host)))
        held, self._net._held = self._net._held, []
        for packet in held:
            self._net._transmit(packet)

    def steady_since(self, host: str, moment: float) -> bool:
        """Whether nothing has disturbed a network since then."""
        return self._disturbed[host] < moment
