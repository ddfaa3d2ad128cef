"""One session of the server: what arrives is answered in order, within a transaction or each by itself."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.simulation.database import (  # noqa: F401 - they register their answers
    extension_statements,
    history_statements,
    user_statements,
)
from tests.simulation.database.rows import Transaction
from tests.simulation.database.statements import ANSWERED, NAMES, WRITING, Answer
from tests.simulation.database.triggers import failure
from tests.simulation.database.wire import Message, Wire

if TYPE_CHECKING:
    from tests.simulation.database.server import Server

_BEGIN = re.compile(r"BEGIN( ISOLATION LEVEL (?P<level>[A-Z ]+?))?( READ ONLY)?;")
_LISTEN = re.compile(r'(UN)?LISTEN "?([a-z_*]+)"?;?', re.IGNORECASE)


class Session:
    """Holds at most one transaction. `None` as transaction: each statement commits by itself."""

    def __init__(self, server: Server, pid: int) -> None:
        self.server = server
        self.pid = pid
        self.wire: Wire
        self.read_only = server.read_only
        self.name = ""
        """Its application name."""
        self.channels: dict[str, None] = {}
        self.notified_until = 0
        """Notifications of the server that it has been sent, or need not be."""
        self.deaf = False
        """Whether something between server and client swallows its notifications."""
        self.ended = False
        self.waits_for_lock = False
        self._queue: deque[Message] = deque()
        self._busy: asyncio.TimerHandle | None = None
        self._transaction: Transaction | None = None
        self._snapshot = self._failed = False
        self._portals: dict[str, list[asyncpg.Record]] = {}

    # --- what arrives --------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        if message[0] == "lost":
            self.end()
            return
        self._queue.append(message)
        self.go_on()

    def go_on(self) -> None:
        """Answer the next message, once the server runs and has taken its time."""
        if self._queue and self._busy is None and not self.waits_for_lock and not self.server.frozen and not self.ended:
            seconds, limit = self.server.pace(self._queue[0]), self.server.statement_timeout
            late = 0 < limit < seconds
            loop = asyncio.get_running_loop()
            self._busy = loop.call_later(limit, self._time_out) if late else loop.call_later(seconds, self._answer)

    def drop_queue(self) -> None:
        """Lose what has arrived and was not answered."""
        self._queue.clear()

    def _answer(self) -> None:
        if self.server.frozen or self.ended:
            self._busy = None
            return
        message = self._queue[0]
        if self._needs_lock(message) and not self.server.lock(self):
            self._busy, self.waits_for_lock = None, True
            return
        self._queue.popleft()
        self._busy = None
        try:
            result: Any = self._run(message)
        except asyncpg.PostgresError as error:
            result = error
            self._fail()
        self.server.push(self)
        self._reply(result)
        self.go_on()

    def _reply(self, result: Any) -> None:
        self.wire.down.send(("result", result, self._transaction is not None))

    def _time_out(self) -> None:
        self.cancel("canceling statement due to statement timeout")

    def cancel(self, why: str = "canceling statement due to user request") -> None:
        """End what it does now."""
        if self._busy is None and not self.waits_for_lock:
            return
        if self._busy is not None:
            self._busy.cancel()
        self._busy, self.waits_for_lock = None, False
        self._queue.popleft()
        self._fail()
        self._reply(failure("57014", why))
        self.go_on()

    def end(self, why: asyncpg.PostgresError | None = None) -> None:
        """End the session, and its transaction without a commit; tell the client why, if the server knows."""
        if self.ended:
            return
        self.ended = True
        if self._busy is not None:
            self._busy.cancel()
        self._transaction = None
        self.server.forget(self)
        if why is not None:
            self.wire.close(by_client=False, error=why)

    # --- statements ----------------------------------------------------------------------------------------------

    def _needs_lock(self, message: Message) -> bool:
        return message[0] in ("execute", "bind", "query") and not self._failed and NAMES.get(message[1]) in WRITING

    def _run(self, message: Message) -> Any:
        match message:
            case ("query", text):
                return [], self._execute(text, ()).status if text in NAMES else self._control(text), True
            case ("prepare", text):
                self._refuse_failed()
                assert text in NAMES or _LISTEN.fullmatch(text), f"the model has no answer for: {text}"
                return None
            case ("execute", text, args, portal, limit):
                answer = self._execute(text, args)
                return self._take(portal, answer.rows, limit, answer.status)
            case ("bind", text, args, portal):
                self._portals[portal] = self._execute(text, args).rows
                return None
            case ("fetch", portal, limit):
                self._refuse_failed()
                return self._take(portal, self._portals[portal], limit, "")
            case _:
                return None

    def _take(self, portal: str, rows: list[asyncpg.Record], limit: int, status: str) -> Any:
        taken, rest = (rows[:limit], rows[limit:]) if limit else (rows, [])
        if portal:
            self._portals[portal] = rest
        return taken, status or f"SELECT {len(taken)}", not rest

    def _execute(self, text: str, args: tuple[Any, ...]) -> Answer:
        self._refuse_failed()
        if (listen := _LISTEN.fullmatch(text)) is not None:
            self._listen(listen)
            return Answer([], "LISTEN")
        name = NAMES[text]
        self.server.answered[name] = self.server.answered.get(name, 0) + 1
        if (name in WRITING and self.read_only) or (self.server.in_recovery and name in (*WRITING, "pg_notify")):
            raise failure("25006", "cannot execute this in a read-only transaction")
        transaction = self._transaction or self.server.begin()
        if not self._snapshot:
            transaction.see(self.server.rows)
        answer = ANSWERED[name](transaction, *args)
        transaction.end_statement()
        if self._transaction is None:
            self.server.commit(self, transaction)
        return answer

    def _listen(self, listen: re.Match[str]) -> None:
        if self.server.in_recovery:
            raise failure("25006", "cannot execute LISTEN during recovery")
        if listen[1]:
            self.channels.clear()
            return
        if not self.channels:
            self.notified_until = len(self.server.notifications)
        self.channels[listen[2]] = None

    def _control(self, text: str) -> str:
        if (begin := _BEGIN.fullmatch(text)) is not None:
            self._transaction, self._failed = self.server.begin(), False
            self._snapshot = begin["level"] == "REPEATABLE READ"
            return "BEGIN"
        if text == "COMMIT;" and self._transaction is not None and not self._failed:
            transaction = self._transaction
            self._leave()
            self.server.commit(self, transaction)
            return "COMMIT"
        assert text in ("COMMIT;", "ROLLBACK;", "ROLLBACK"), text
        self._leave()
        self.server.unlock(self)
        return "ROLLBACK"

    def _leave(self) -> None:
        self._transaction, self._snapshot, self._failed = None, False, False
        self._portals.clear()

    def _fail(self) -> None:
        """A statement has failed: its transaction takes nothing but a rollback."""
        self._failed = self._transaction is not None
        self.server.unlock(self)

    def _refuse_failed(self) -> None:
        if self._failed:
            raise failure("25P02", "current transaction is aborted, commands ignored until end of transaction block")
