"""A follower of one call server: a warm copy of each collector's map, one of which is shown.

It asks all collectors for an echo each quarter of the deadline, and stays with one while its echoes come. If they stop,
or its copy is void, it changes over to another copy that is fresh, before the deadline, by the difference of the maps:
states never go back and forth, and none becomes unknown. Without any fresh copy nothing is live.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

import structlog

from service.bus.change_over import apply_difference
from service.bus.copies import Copies
from service.bus.entries import by_table
from service.bus.followed import FollowedCallServer
from service.bus.messages import (
    Changes,
    Chunk,
    Echo,
    Epoch,
    FromCollector,
    NoMessage,
    Nonce,
    ReadContacts,
    Reply,
    decode_from_collector,
    encode,
)
from service.bus.nonces import Nonces
from service.bus.replica import Replica
from service.bus.snapshot_requests import SnapshotRequests
from service.clock import uptime
from service.domain.device_states import Freshness

log = structlog.get_logger(__name__)

CHECKS_PER_DEADLINE = 16
SEARCH_INTERVAL = 0.25  # seconds between two nonces at most while no map is shown


class Follower:
    """Follows one call server. `received` and `lost` take what its port hears; `send` goes to one collector, or all.

    `run` never returns. Methods that are not `async` never block.
    """

    def __init__(
        self,
        server: FollowedCallServer,
        send: Callable[[bytes, str | None], None],
        *,
        deadline: float,
        clock: Callable[[], float] = uptime,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._server = server
        self._send = send
        self._deadline = deadline
        self._clock = clock
        self._nonces = Nonces(clock)
        self._shown: Replica | None = None
        """Its changes go to the call server."""
        self._steady = False
        """Whether its whole map is in the call server."""
        self._change_due = asyncio.Event()
        self.replied: Callable[[int, str | None], None] = lambda _act, _error: None
        """Called with the result of an act."""
        self.snapshots = SnapshotRequests(send, clock, chance)
        self._copies = Copies(clock, deadline, self.snapshots.forget)
        self._replicas = self._copies.by_collector
        self.refused = 0
        """Messages that were none."""
        server.read_contacts = lambda endpoint: self.send_to_shown(encode(ReadContacts(endpoint)))

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> str | None:
        """The collector whose map is shown."""
        return self._shown.name if self._shown is not None else None

    @property
    def replicas(self) -> Mapping[str, Replica]:
        """The copies by collector."""
        return self._replicas

    @property
    def gaps(self) -> int:
        """Changes that were missing, since the start."""
        return self._copies.gaps

    @property
    def settled(self) -> bool:
        """Whether the states are live, or a collector says that it has none."""
        heard = {replica.freshness for replica in self._heard_lately()}
        return self._server.states.current or (bool(heard) and Freshness.LIVE not in heard)

    def _heard_lately(self) -> list[Replica]:
        since = self._clock() - self._deadline
        return [replica for replica in self._replicas.values() if replica.echoed_at >= since]

    def send_to_shown(self, body: bytes) -> bool:
        """Send to the collector whose map is shown. False without one."""
        if self._shown is None:
            return False
        self._send(body, self._shown.name)
        return True

    # --- what is heard ---------------------------------------------------------------------------------------------

    def received(self, collector: str, body: bytes) -> None:
        """Take a message. Whatever it is, nothing is raised; a copy is void if a message to it cannot be read."""
        replica = self._copies.find_or_add(collector, self._shown)
        if replica is None:
            return
        try:
            message = decode_from_collector(body)
        except NoMessage as error:
            self.refused += 1
            log.debug("bus_message_refused", call_server=self._server.name, collector=collector, error=str(error))
            replica.void()
        else:
            self._take(replica, message)
        self.snapshots.request_if_needed(replica)
        if replica is self._shown and not replica.complete:
            self._shown = None
        if not self._steady or self._shown is None:
            self._choose()

    def lost(self, collector: str | None) -> None:
        """Take that a collector, or all with None, cannot be heard any more."""
        for name in list(self._replicas) if collector is None else [collector]:
            replica = self._copies.remove(name)
            if replica is not None and replica is self._shown:
                self._shown = None
        self._choose()

    def _take(self, replica: Replica, message: FromCollector) -> None:
        match message:
            case Epoch():
                replica.begin_epoch(message.epoch)
                replica.freshness = message.freshness
            case Changes():
                replica.begin_epoch(message.epoch)
                before = replica.sequence
                if replica.change(message) and replica is self._shown and replica.sequence > before:
                    self._show_changes(message)
            case Chunk():
                self.snapshots.take_chunk(replica, message)
                if replica.complete and (nonce := self._nonces.next(0.0)) is not None:
                    self._send(encode(Nonce(nonce)), replica.name)  # it is fresh as soon as that is echoed
            case Echo():
                if (sent_at := self._nonces.sent_at(message.nonce)) is not None:
                    replica.begin_epoch(message.epoch)
                    replica.take_echo(message, sent_at)
            case Reply():
                self.replied(message.act, message.failure)
        if replica is self._shown and self._steady:
            self._server.tell(replica.facts)
            self._server.states.confirm(replica.confirmed_at)

    def _show_changes(self, changes: Changes) -> None:
        read = frozenset(changes.read)
        for table, values in by_table(changes.entries):
            self._server.put(table, values, read)
        if self._steady:
            self._server.put_queues_known(changes.queues_known)

    # --- which copy is shown ---------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Show a fresh copy: the present one as long as it is. Without one, nothing is live past the deadline."""
        shown, now = self._shown, self._clock()
        if shown is not None and shown.is_fresh(now, self._deadline):
            return
        fresh = [
            replica
            for replica in self._replicas.values()
            if replica is not shown and replica.is_fresh(now, self._deadline)
        ]
        if fresh:
            self._shown, self._steady = max(fresh, key=lambda replica: replica.confirmed_at), False
            self._server.states.confirm(self._shown.confirmed_at, at_most=True)  # its map may be the older one
            self._change_due.set()
            return
        if shown is None or now - shown.echoed_at > self._deadline:
            self._shown, self._steady = None, False
            self._show_nothing()

    def _show_nothing(self) -> None:
        heard = self._heard_lately()
        best = max(heard, key=lambda replica: _PROGRESS[replica.freshness], default=None)
        if best is None:
            self._server.no_collector()
            self._server.void(Freshness.NO_COLLECTOR)
            return
        self._server.tell(best.facts)
        freshness = best.freshness
        self._server.void(Freshness.SYNCHRONISING if freshness is Freshness.LIVE else freshness)

    # --- tasks -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for task in (self._keep_asking(), self._change_over()):
                tasks.create_task(task, name=f"follow {self._server.name}")

    async def _keep_asking(self) -> None:
        while True:
            self.check()
            await asyncio.sleep(min(self._deadline / CHECKS_PER_DEADLINE, SEARCH_INTERVAL))

    def check(self) -> None:
        """Ask for an echo when one is due, find out what did not come, and choose the copy to show."""
        now = self._clock()
        interval = self._deadline / 4 if self._steady else min(self._deadline / 8, SEARCH_INTERVAL)
        if (nonce := self._nonces.next(interval)) is not None:
            self._send(encode(Nonce(nonce)), None)
        for replica in list(self._replicas.values()):
            since = replica.unproven_since
            if since is not None and now - since > self._deadline / 2:
                replica.miss()
                if replica is self._shown:
                    self._shown = None
            self.snapshots.request_if_needed(replica)
        self._choose()

    async def _change_over(self) -> None:
        """Bring the call server from the map before to the one that is shown now."""
        while True:
            await self._change_due.wait()
            self._change_due.clear()
            replica = self._shown
            if replica is None or self._steady:
                continue
            if not await apply_difference(self._server, replica, lambda: self._shown):
                continue
            self._steady = True
            self._server.put_queues_known(replica.queues_known)
            self._server.tell(replica.facts)
            if self._server.states.freshness is Freshness.LIVE:
                self._server.states.confirm(replica.confirmed_at)
            else:
                self._server.go_live(replica.confirmed_at)


# In the order in which a link comes up.
_PROGRESS = {freshness: rank for rank, freshness in enumerate(Freshness)}
