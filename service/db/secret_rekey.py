"""`secrets rekey`: encrypts the SIP passwords that are stored with another key, or with none. Safe under traffic.

First the call server's key changes, which waits for the writers of phones that know the one before: from then on every
new password is encrypted with it. Then the phones are rewritten in batches, each in a transaction that locks
extensions first, in the order of all writers, and skips those that are locked. So it can be killed and repeated at any
point. Only PostgreSQL sees the passwords: no statement and no parameter holds one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from service.db import audit, sql
from service.db.connection import DatabaseLogin, wait_until_reachable
from service.db.errors import translated
from service.db.pgcrypto import ensure_pgcrypto
from service.db.session_keys import processes_without
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.domain.models import Credentials
from service.errors import LocksHeld, Refused
from service.settings import Settings

SQL = sql.load("secrets")
APPLICATION = "asterisk-connector secrets"
BATCH_SIZE = 250
"""Extensions per transaction. Above 100 changed rows a process reads everything again, which it does in intervals."""
STATEMENT_DEADLINE = 60.0
LOCK_TIMEOUT = "1s"
"""Wait for one lock, with those of a batch held: less than the deadline of a request."""

Progress = Callable[[str, int, int], None]
"""Called after each batch with the call server, the phones done and all phones to do."""


@dataclass(frozen=True, slots=True)
class StoredCallServer:
    """A call server in PostgreSQL, and the name of the key that encrypts its SIP passwords; None: no key does."""

    name: str
    credentials: str
    secrets_key: str | None

    @property
    def managed(self) -> bool:
        return self.credentials == Credentials.MANAGED


@dataclass(frozen=True, slots=True)
class Candidate:
    """A phone whose password may be encrypted first, to see whether Asterisk can still read it."""

    phone_id: int
    extension: str
    endpoint: str


class Rekey:
    """One run over the owner's connection. `target` names the key; None stores passwords in plain text."""

    def __init__(
        self, connection: asyncpg.Connection, target: str | None, origin: Origin, deadline: float, progress: Progress
    ) -> None:
        self._connection = connection
        self._target = target
        self._origin = origin
        self._deadline = deadline
        self._progress = progress

    async def call_servers(self) -> list[StoredCallServer]:
        """List the call servers that PostgreSQL knows."""
        return [StoredCallServer(**row) for row in await self._connection.fetch(SQL["call_servers"])]

    async def processes_without_key(self) -> int:
        """Count the serving processes that could not read passwords encrypted with the key."""
        return await processes_without(self._connection, self._target) if self._target is not None else 0

    async def candidates(self, call_server: str) -> list[Candidate]:
        """List a few phones that Asterisk should see, and that the key does not encrypt yet."""
        rows = await self._connection.fetch(SQL["candidates"], call_server, self._target)
        return [Candidate(**row) for row in rows]

    @contextlib.asynccontextmanager
    async def trial(self, call_server: str, candidate: Candidate) -> AsyncIterator[None]:
        """Encrypt one password with the key. It is put back if the block raises."""
        try:
            await self._retry(lambda: self._encrypt_one(candidate))
            yield
        except BaseException:
            await self.end_trials(call_server)
            raise

    async def end_trials(self, call_server: str) -> None:
        """Put back what a trial encrypted, also one that was killed."""
        rows = await self._connection.fetch(SQL["tried"], call_server, self._target)
        for row in rows:
            await self._retry(functools.partial(self._put_back, call_server, row["extension"], row["secrets_key"]))

    async def run(self, call_server: StoredCallServer) -> int:
        """Change the key, then rewrite all phones. Returns how many were rewritten. Raises LocksHeld."""
        name, loop = call_server.name, asyncio.get_running_loop()
        await self._retry(lambda: self._switch(call_server))
        total, rewritten = await self._count("to_do", name), 0
        end = loop.time() + self._deadline
        while total:
            before = rewritten
            async for phones in self._one_pass(name):
                rewritten += phones
                self._progress(name, min(rewritten, total), total)
            if not (left := await self._count("remaining", name)):
                break
            if rewritten > before:
                end = loop.time() + self._deadline
            elif loop.time() > end:
                raise LocksHeld(
                    f"{left} phones of call server {name} are not rewritten: other sessions hold their locks. "
                    "Wait until they are done, or end them, and run secrets rekey again"
                )
            await asyncio.sleep(random.uniform(0.2, 0.6))  # noqa: S311 - jitter
        return rewritten

    async def unreadable(self, call_server: str) -> int:
        """Count the phones that no key of this connection opens."""
        count: int = await self._connection.fetchval(SQL["unreadable"], call_server, timeout=STATEMENT_DEADLINE)
        return count

    async def _one_pass(self, call_server: str) -> AsyncIterator[int]:
        """Rewrite the phones of all extensions that nobody else writes now; yields the number of each batch."""
        last = ""
        while True:
            try:
                async with self._transaction():
                    rows = await self._connection.fetch(
                        SQL["lock_batch"], call_server, self._target, last, BATCH_SIZE, timeout=STATEMENT_DEADLINE
                    )
                    extensions = [row["extension"] for row in rows]
                    phones = await self._rewrite(call_server, extensions, self._target)
            except (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError):
                return  # another session locks in another order; the next pass begins again
            if not extensions:
                return
            last = extensions[-1]
            yield phones

    async def _rewrite(self, call_server: str, extensions: list[str], key: str | None) -> int:
        """Rewrite the phones of locked extensions, but for those that somebody holds without their extension."""
        rows = await self._connection.fetch(SQL["lock_phones"], extensions, timeout=STATEMENT_DEADLINE)
        phones = [row["phone_id"] for row in rows]
        status: str = await self._connection.execute(
            SQL["rewrite"], call_server, key, phones, timeout=STATEMENT_DEADLINE
        )
        return int(status.rpartition(" ")[2])

    async def _count(self, statement: str, call_server: str) -> int:
        count: int = await self._connection.fetchval(
            SQL[statement], call_server, self._target, timeout=STATEMENT_DEADLINE
        )
        return count

    async def _switch(self, call_server: StoredCallServer) -> None:
        async with self._transaction():
            status: str = await self._connection.execute(SQL["switch"], call_server.name, self._target)
            if status != "UPDATE 0":
                subject, details = Subject.call_server(call_server.name), {"key": self._target or "none"}
                change = AuditedChange(Action.SECRETS_REKEYED, subject, self._origin, details)
                await audit.record(self._connection, change)

    async def _encrypt_one(self, candidate: Candidate) -> None:
        async with self._transaction():
            await self._connection.execute(SQL["lock_extension"], candidate.extension)
            await self._connection.execute(SQL["seal_one"], candidate.phone_id, self._target)

    async def _put_back(self, call_server: str, extension: str, key: str | None) -> None:
        async with self._transaction():
            await self._connection.execute(SQL["lock_extension"], extension)
            await self._rewrite(call_server, [extension], key)

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._connection.transaction(isolation="read_committed"):
            await self._connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            yield

    async def _retry(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Retry while another session holds a lock. Raises LocksHeld."""
        end = asyncio.get_running_loop().time() + self._deadline
        while True:
            try:
                return await attempt()
            except (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError) as error:
                if asyncio.get_running_loop().time() > end:
                    raise LocksHeld(f"no lock within {self._deadline:g} s: {error.args[0]}. Run it again") from error
            await asyncio.sleep(random.uniform(0.2, 0.6))  # noqa: S311 - jitter


@contextlib.asynccontextmanager
async def rekey_session(
    settings: Settings, target: str | None, origin: Origin, progress: Progress = lambda *_: None
) -> AsyncIterator[Rekey]:
    """Connect as the owner, create pgcrypto and keep others from rekeying. Raises ConfigurationError, Refused."""
    owner = DatabaseLogin.of_owner(settings)
    await wait_until_reachable(owner, min(5.0, settings.database_start_deadline))
    with translated(lambda: True):
        connection = await owner.connect(
            command_timeout=STATEMENT_DEADLINE, server_settings={"application_name": APPLICATION}
        )
        try:
            if settings.secret_keys:
                await ensure_pgcrypto(connection)
            if not await connection.fetchval(SQL["lock"]):
                raise Refused("another secrets rekey is under way")
            yield Rekey(connection, target, origin, settings.migrate_deadline, progress)
        finally:
            connection.terminate()
