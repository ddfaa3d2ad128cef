"""One PostgreSQL server of the model: sessions, one writer at a time, commits, notifications, and what may go wrong.

A coarse lock: who writes waits for the end of the transaction that wrote before. Readers never wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import asyncpg

from tests.simulation.database.rows import Commit, Rows, Transaction
from tests.simulation.database.session import Session
from tests.simulation.database.triggers import failure
from tests.simulation.database.wire import Message, Network, Wire

SHUTDOWN = ("57P01", "terminating connection due to administrator command")


class Server:
    """`uptime` and `wall` are the clocks of a machine that is right; `pace` returns the seconds of a statement."""

    def __init__(
        self, name: str, network: Network, rows: Rows, uptime: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.name = name
        self.network = network
        self.rows = rows
        self.log: list[Commit] = []
        """Its commits, or those of its primary that it has replayed."""
        self.notifications: list[tuple[int, str, str]] = []
        """Process id, channel and payload, in the order of the commits."""
        self.sessions: dict[int, Session] = {}
        self.running = True
        self.starting = self.frozen = self.read_only = self.in_recovery = self.queue_full = False
        self.isolated = False
        """Whether no new client reaches it."""
        self.max_connections = 100
        self.slow = 0.0
        """Seconds that a statement takes at most, beside a millisecond."""
        self.statement_timeout = 0.0
        self.late = 0.0
        """Seconds from a commit until other sessions are notified."""
        self.answered: dict[str, int] = {}
        self.on_commit: Callable[[Commit], None] = lambda _: None
        self.on_session: Callable[[Wire], None] = lambda _: None
        self.first_rows = rows
        self.chance: Callable[[], float] = lambda: 0.0
        self._uptime, self._wall = uptime, wall
        self.sequences: dict[str, int] = {"pid": 100, "users": 1000, "phones": 1000}
        self._writer: Session | None = None
        self._waiting: deque[Session] = deque()

    def next_id(self, kind: str) -> int:
        self.sequences[kind] += 1
        return self.sequences[kind]

    def pace(self, message: Message) -> float:
        """Seconds until a message is answered."""
        return 0.000_2 + self.slow * self.chance() if message[0] == "execute" else 0.000_1

    @property
    def busy(self) -> bool:
        """Whether somebody has the writers' lock."""
        return self._writer is not None

    # --- sessions ------------------------------------------------------------------------------------------------

    def open(self) -> Session:
        """A session, whose wire the caller sets."""
        pid = self.next_id("pid")
        self.sessions[pid] = session = Session(self, pid)
        return session

    def refusal(self) -> asyncpg.PostgresError | None:
        """Why no session can begin now."""
        if self.starting:
            return failure("57P03", "the database system is starting up")
        if len(self.sessions) > self.max_connections:
            return failure("53300", "sorry, too many clients already")
        return None

    def parameters(self) -> Mapping[str, str]:
        """What is reported to a new session."""
        return {
            "default_transaction_read_only": "on" if self.read_only else "off",
            "in_hot_standby": "on" if self.in_recovery else "off",
        }

    def forget(self, session: Session) -> None:
        self.sessions.pop(session.pid, None)
        if session in self._waiting:
            self._waiting.remove(session)
        self.unlock(session)

    # --- transactions --------------------------------------------------------------------------------------------

    def lock(self, session: Session) -> bool:
        """Take the writers' lock; False: it is taken, and the session goes on once it is free."""
        if self._writer in (None, session):
            self._writer = session
            return True
        self._waiting.append(session)
        return False

    def unlock(self, session: Session) -> None:
        if session in self._waiting:
            self._waiting.remove(session)
        if self._writer is not session:
            return
        self._writer = None
        if self._waiting:
            following = self._waiting.popleft()
            following.waits_for_lock = False
            following.go_on()

    def begin(self) -> Transaction:
        return Transaction(self.rows, self.next_id, lambda: datetime.fromtimestamp(self._wall(), UTC))

    def commit(self, session: Session | None, transaction: Transaction) -> None:
        """Commit, and notify the listeners. `session` is None for an operator's change."""
        try:
            if self.queue_full and transaction.notifications:
                raise failure("54000", "too many notifications in the NOTIFY queue")
            if transaction.writes:
                self._append(session, transaction)
        finally:
            if session is not None:
                self.unlock(session)

    def _append(self, session: Session | None, transaction: Transaction) -> None:
        self.rows = transaction.result()
        changed, told = frozenset(transaction.changed), tuple(transaction.notifications)
        commit = Commit(
            len(self.log) + 1,
            self._uptime(),
            self.rows,
            changed,
            tuple(transaction.audit),
            told,
            by_service=session is not None,
            purge=transaction.purges,
        )
        self.log.append(commit)
        pid = session.pid if session is not None else 0
        self.notifications += [(pid, channel, payload) for channel, payload in told]
        self.on_commit(commit)
        if told:
            self._notify_soon()

    def _notify_soon(self) -> None:
        def notify() -> None:
            if not self.frozen:
                for session in list(self.sessions.values()):
                    self.push(session)

        if any(session.channels for session in self.sessions.values()):
            asyncio.get_running_loop().call_later(0.000_2 + self.late * self.chance(), notify)

    def push(self, session: Session) -> None:
        """Send a session the notifications that it has not got yet, in order."""
        new, session.notified_until = self.notifications[session.notified_until :], len(self.notifications)
        for pid, channel, payload in new:
            if channel in session.channels and not session.deaf:
                session.wire.down.send(("notify", pid, channel, payload))

    # --- what goes wrong -----------------------------------------------------------------------------------------

    def freeze(self, frozen: bool) -> None:
        self.frozen = frozen
        if not frozen:
            for session in list(self.sessions.values()):
                self.push(session)
                session.go_on()

    def stop(self, *, politely: bool) -> None:
        """End: clients are told, or the kernel resets their connections."""
        self.running = False
        for session in list(self.sessions.values()):
            if politely:
                session.end(failure(*SHUTDOWN))
            else:
                session.wire.reset()
                session.end()
        self._writer = None
        self._waiting.clear()

    def start(self) -> None:
        self.running, self.frozen = True, False
        self.notifications = []
