"""Two servers, of which one is the primary, what is true meanwhile, and what a client can have proof of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from tests.simulation.database.driver import Driver
from tests.simulation.database.rows import Commit, Rows, Transaction
from tests.simulation.database.server import Server
from tests.simulation.database.session import Session
from tests.simulation.database.truth import Truth
from tests.simulation.database.wire import Message, Network, Wire
from tests.simulation.world import World

HOSTS = ("pg1", "pg2")
URL = f"postgresql://connector@{','.join(HOSTS)}/connector"
LATENCY = 0.001
KEEPALIVE = 3.0
"""Seconds until a server notices that a client is gone without a word."""


class Cluster:
    """The servers live on a machine of their own, whose clocks are right."""

    def __init__(self, world: World, rows: Rows) -> None:
        self._world = world
        self.chance = random.Random(f"{world.seed}:database")
        self.latency = LATENCY
        self.network = Network(lambda: self.chance.uniform(0, self.latency))
        self.truth = Truth(world.uptime)
        self.truth.become(rows)
        self.servers = {name: Server(name, self.network, rows, world.uptime, self.wall) for name in HOSTS}
        for server in self.servers.values():
            server.chance = self.chance.random
            server.on_commit = self._committed
            server.on_session = self._watch
        self.primary = self.servers[HOSTS[0]]
        self.standby.in_recovery = True
        self.driver = Driver(self.network, self.servers)
        self.states: list[tuple[float, Rows]] = [(float("-inf"), rows)]
        """All rows, and since when they are so."""
        self.secrets: set[str] = set()
        """What no log line may hold."""
        self.commits: list[Commit] = []
        """All commits, those included that a failover lost."""
        self.proof = float("-inf")
        """The newest moment of which a client can know that it has been notified of everything before."""
        self.observers: list[Callable[[Commit], None]] = []

    def wall(self) -> float:
        return self._world.wall() - self._world.wall_offset

    @property
    def standby(self) -> Server:
        return next(server for server in self.servers.values() if server is not self.primary)

    @property
    def writable(self) -> bool:
        """Whether others can change rows now."""
        primary = self.primary
        return primary.running and not (primary.frozen or primary.starting or primary.read_only or primary.busy)

    @property
    def listeners(self) -> list[Session]:
        return [session for session in self.primary.sessions.values() if session.channels]

    def operate(self, change: Callable[[Transaction], None]) -> bool:
        """Commit a change of an operator, or of another replica. False: it is not possible now."""
        if not self.writable or self.primary.queue_full:
            return False
        transaction = self.primary.begin()
        change(transaction)
        transaction.end_statement()
        self.primary.commit(None, transaction)
        return True

    def _committed(self, commit: Commit) -> None:
        self.commits.append(commit)
        if commit.changed:
            self.states.append((commit.at, commit.rows))
            self.truth.become(commit.rows, commit.changed)
        for observe in self.observers:
            observe(commit)

    # --- proof ---------------------------------------------------------------------------------------------------

    def _watch(self, wire: Wire) -> None:
        """Note when the client sends a heartbeat, and when it gets it back on the same wire."""
        sent: dict[str, float] = {}
        deliver, send = wire.down.deliver, wire.up.send

        def on_send(message: Message) -> None:
            if message[0] == "execute" and message[1].startswith("select pg_notify"):
                sent[message[2][1]] = self._world.uptime()
            elif message[0] == "execute" and message[1].startswith("LISTEN"):
                sent[""] = self._world.uptime()
            send(message)

        def on_deliver(message: Message) -> None:
            if message[0] == "notify" and message[3] in sent:
                self.proof = max(self.proof, sent[message[3]])
            elif message[0] == "result" and sent.pop("", None) is not None:
                self.proof = max(self.proof, self._world.uptime())
            deliver(message)

        wire.up.send = on_send  # type: ignore[method-assign]
        wire.down.deliver = on_deliver

    # --- faults --------------------------------------------------------------------------------------------------

    def reset(self, *, listeners: bool = True, others: bool = True) -> None:
        for session in self._sessions(listeners=listeners, others=others):
            session.wire.reset()

    def lose(self, *, listeners: bool = True, others: bool = True) -> None:
        """A router forgets connections; the server notices after a while."""
        for session in self._sessions(listeners=listeners, others=others):
            session.wire.lose()
            asyncio.get_running_loop().call_later(KEEPALIVE, session.end)

    def heal(self) -> None:
        """The faults are over; those that lasted have ended by themselves."""
        self.latency = LATENCY
        assert self.primary.running
        assert not self.primary.in_recovery
        assert not self.primary.starting
        self.primary.freeze(False)

    def _sessions(self, *, listeners: bool, others: bool) -> list[Session]:
        sessions = [session for server in self.servers.values() for session in server.sessions.values()]
        return [session for session in sessions if (listeners if session.channels else others)]

    def isolate(self, former: Server) -> None:
        """A former primary that was frozen goes on for a moment, cut off from all but the sessions that it has."""
        former.isolated, former.on_commit = True, lambda _: None
        for session in list(former.sessions.values()):
            session.drop_queue()
        former.freeze(False)

    def promote(self, *, lost: int) -> None:
        """The standby becomes the primary. It lacks the last commits."""
        former, self.primary = self.primary, self.standby
        self.primary.log = former.log[: max(0, len(former.log) - lost)]
        self.primary.rows = self.primary.log[-1].rows if self.primary.log else self.primary.first_rows
        self.primary.sequences = {name: value + 32 for name, value in former.sequences.items()}
        self.primary.in_recovery = False
        self.primary.start()
        self.states.append((self._world.uptime(), self.primary.rows))
        self.truth.become(self.primary.rows)
