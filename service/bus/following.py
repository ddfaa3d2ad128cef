"""The followers of all call servers over one port, and the acts that only a collector can do."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial

from service.bus.followed import FollowedCallServer
from service.bus.follower import Follower
from service.bus.messages import SetPresence, encode
from service.bus.port import FollowerPort
from service.clock import uptime
from service.domain.custom_presence import Presence
from service.domain.imports.status import ImportStatus
from service.domain.status.facts import LinkFailure
from service.errors import CallServerUnavailable

ACT_DEADLINE = 12.0
"""Seconds that an act may take: more than a collector gives its own connection."""
MAX_WAITING = 256
"""Acts of one call server that wait for their result at one time."""


class Following:
    """Follows call servers over a port, whose callbacks it takes. `run` never returns."""

    def __init__(
        self,
        port: FollowerPort,
        servers: Mapping[str, FollowedCallServer],
        *,
        deadline: float,
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._port = port
        self.followers = {
            name: Follower(server, partial(port.send, name), deadline=deadline, clock=clock)
            for name, server in servers.items()
        }
        port.received = self._received
        port.lost = self._lost

    @property
    def settled(self) -> bool:
        """Whether all states that collectors have are here."""
        return all(follower.settled for follower in self.followers.values())

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._port.run(), name="bus port")
            for name, follower in self.followers.items():
                tasks.create_task(follower.run(), name=f"follow {name}")

    def _received(self, call_server: str, collector: str, body: bytes) -> None:
        if (follower := self.followers.get(call_server)) is not None:
            follower.received(collector, body)

    def _lost(self, collector: str | None) -> None:
        for follower in self.followers.values():
            follower.lost(collector)


class FollowedPresence:
    """The connection of the account `presence` that the collector has of one call server."""

    def __init__(self, server: FollowedCallServer, follower: Follower) -> None:
        self.call_server = server.name
        self._server = server
        self._follower = follower
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._since = datetime.now(UTC)
        follower.replied = self._take_reply

    @property
    def exists(self) -> bool:
        """Whether the collector has such an account."""
        return self._server.collector.presence is not None

    @property
    def connected(self) -> bool:
        """Whether presence can be set now."""
        return (facts := self._server.collector.presence) is not None and facts.connected

    @property
    def since(self) -> datetime:
        """Time of the last change of `connected`."""
        return self._since if (facts := self._server.collector.presence) is None else facts.since

    @property
    def why_down(self) -> str | None:
        """The last failure, in words."""
        return None if (facts := self._server.collector.presence) is None else facts.why_down

    @property
    def failure(self) -> LinkFailure | None:
        """Its kind."""
        return None if (facts := self._server.collector.presence) is None else facts.failure

    @property
    def remedy(self) -> str | None:
        """What helps."""
        return None if (facts := self._server.collector.presence) is None else facts.remedy

    @property
    def opened(self) -> int:
        """Connections that the collector has opened."""
        return 0 if (facts := self._server.collector.presence) is None else facts.opened

    async def set_presence(self, presence_id: str, presence: Presence) -> None:
        """Have the collector set a custom presence. Raises CallServerUnavailable; it may be set nevertheless."""
        if len(self._waiting) >= MAX_WAITING:
            raise CallServerUnavailable("too many changes of presence at one time")
        act, result = next(self._numbers), asyncio.get_running_loop().create_future()
        self._waiting[act] = result
        try:
            if not self._follower.send_to_shown(encode(SetPresence(act, presence_id, presence))):
                raise CallServerUnavailable(f"no collector of {self.call_server} is heard")
            async with asyncio.timeout(ACT_DEADLINE):
                error = await result
        except TimeoutError:
            raise CallServerUnavailable(f"not done within {ACT_DEADLINE:g} s") from None
        finally:
            del self._waiting[act]
        if error is not None:
            raise CallServerUnavailable(error)

    def _take_reply(self, act: int, error: str | None) -> None:
        result = self._waiting.get(act)
        if result is not None and not result.done():
            result.set_result(error)


class FollowedPresences(Mapping[str, FollowedPresence]):
    """The connections that exist, by call server: the collectors know the accounts."""

    def __init__(self, following: Following, servers: Mapping[str, FollowedCallServer]) -> None:
        self._all = {name: FollowedPresence(server, following.followers[name]) for name, server in servers.items()}

    def __getitem__(self, call_server: str) -> FollowedPresence:
        found = self._all[call_server]
        if not found.exists:
            raise KeyError(call_server)
        return found

    def __iter__(self) -> Iterator[str]:
        return (name for name, connection in self._all.items() if connection.exists)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class FollowedImports(Mapping[str, ImportStatus]):
    """The automatic imports that collectors do, by call server."""

    def __init__(self, servers: Mapping[str, FollowedCallServer]) -> None:
        self._servers = servers

    def __getitem__(self, call_server: str) -> ImportStatus:
        status = self._servers[call_server].collector.imports
        if status is None:
            raise KeyError(call_server)
        return status

    def __iter__(self) -> Iterator[str]:
        return (name for name, server in self._servers.items() if server.collector.imports is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
