"""Imports of a call server's extensions: plans against what is stored, and applies in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from service.credentials import NO_PASSWORD, new_uid
from service.db import sql
from service.db.audit import record
from service.db.pool import Database
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.domain.imports.people import KnownPerson, PeoplePlan, plan_people, wanted_people
from service.domain.imports.plan import (
    ExistingExtension,
    ExistingPhone,
    Plan,
    PlannedPhone,
    Stored,
    plan_import,
    refuse_foreign_source,
    refuse_mass_removal,
)
from service.domain.imports.source import Source
from service.domain.imports.weak_secrets import WeakPhone, find_weak_phones
from service.domain.models import Credentials, Profile
from service.domain.user_names import folded
from service.errors import AlreadyExists, NotFound, Refused

SQL = sql.load("imports")
TRANSACTION_DEADLINE = 300.0
"""Seconds for an import, with the wait for another one of the same call server."""
STATEMENT_DEADLINE = 60.0
"""Seconds for one of its statements, some of which write all phones."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an import does beside adding and changing."""

    prefix: str | None = None
    with_people: bool = False
    remove_gone: bool = False
    remove_many: bool = False
    """Whether all phones may be marked as missing, and `remove_gone` may remove more than `plan.MAX_REMOVED`."""


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """The changes of an import, of extensions and of people."""

    plan: Plan
    people: PeoplePlan
    missing: int
    """Number of stored phones that are missing once it is applied."""
    weak: tuple[WeakPhone, ...] = ()
    """Phones of the source whose SIP password is easily guessed; they are imported all the same."""

    def counts(self, options: Options) -> dict[str, int]:
        """The numbers of changes, by kind."""
        plan, people = self.plan, self.people
        return {
            "new_extensions": len(plan.new_extensions),
            "new_phones": len(plan.new_phones),
            "changed_secrets": len(plan.changed_secrets),
            "other_changes": len(plan.other_changes),
            "newly_missing": len(plan.newly_missing),
            "returned": len(plan.returned),
            "removed_phones": len(plan.gone_phones) if options.remove_gone else 0,
            "removed_extensions": len(plan.gone_extensions) if options.remove_gone else 0,
            "new_people": len(people.new),
            "assigned_people": len(people.assigned),
        }


class ImportTransaction:
    """An open transaction, which holds the lock for imports of one call server."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy, call_server: str, began_at: datetime) -> None:
        self.began_at = began_at
        """What `finish` records, by PostgreSQL's clock."""
        self._connection = connection
        self._call_server = call_server

    async def finished_within(self, seconds: float) -> datetime | None:
        """Return when the last import began to read, if that was at most so many seconds ago."""
        found: datetime | None = await self._connection.fetchval(SQL["finished_within"], self._call_server, seconds)
        return found

    async def plan(self, source: Source, options: Options) -> PlannedImport:
        """Plan an import. Raises Refused. Planning runs in a thread: thousands of phones take a tenth of a second."""
        stored = await self._read_stored()
        plan = await asyncio.to_thread(plan_import, source, stored, options.prefix)
        if options.remove_gone and not source.lists_phones:
            raise Refused("--remove-gone needs a source that lists phones: this file has no column secret")
        if not options.remove_many:
            refuse_foreign_source(plan, stored, source)
        if options.remove_gone and not options.remove_many:
            refuse_mass_removal(plan, stored)
        people = await self._plan_people(source, plan, stored) if options.with_people else PeoplePlan()
        missing = sum(phone.missing for phone in stored.phones.values())
        weak = await asyncio.to_thread(find_weak_phones, source, plan.numbers)
        return PlannedImport(plan, people, missing + len(plan.newly_missing) - len(plan.returned), weak)

    async def apply(self, planned: PlannedImport, options: Options) -> None:
        """Apply what was planned in this transaction."""
        plan = planned.plan
        moved = {phone.endpoint for phone in plan.moved}
        changed = [*plan.changed_secrets, *plan.other_changes]
        new = plan.new_extensions
        await self._execute("create_extensions", [one.number for one in new], [one.local_number for one in new])
        # A phone that moves is made anew: an update of its extension would rename an own phone's endpoint.
        await self._execute("delete_phones", sorted(moved))
        await self._write("create_phones", [*plan.new_phones, *plan.moved], with_extension=True)
        await self._write("change_phones", [phone for phone in changed if phone.endpoint not in moved])
        await self._execute("mark_returned", plan.returned)
        await self._execute("mark_missing", plan.newly_missing)
        if options.remove_gone:
            await self._execute("delete_phones", [phone.endpoint for phone in plan.gone_phones])
            await self._execute("delete_extensions", plan.gone_extensions)
        await self._apply_people(planned.people)
        await self._fetch("finish")

    async def audit(self, planned: PlannedImport, options: Options, origin: Origin) -> None:
        """Add the audit row of an import that changed something."""
        counts = {kind: count for kind, count in planned.counts(options).items() if count}
        if counts:
            subject = Subject.call_server(self._call_server)
            await record(self._connection, AuditedChange(Action.EXTENSIONS_IMPORTED, subject, origin, counts))

    async def lock_extensions(self) -> None:
        """Hold off other writers of this call server's extensions. Comes before `plan` if `apply` follows."""
        await self._fetch("lock_extensions")

    async def _read_stored(self) -> Stored:
        extensions = await self._fetch("extensions")
        phones = await self._fetch("phones")
        elsewhere = await self._fetch("elsewhere")
        return await asyncio.to_thread(_stored, extensions, phones, elsewhere)

    async def _plan_people(self, source: Source, plan: Plan, stored: Stored) -> PeoplePlan:
        wanted = wanted_people(source, plan, stored)
        names = [folded(person.name) for person in wanted]
        emails = [folded(person.email) for person in wanted if person.email]
        by_name = await self._connection.fetch(SQL["people_by_name"], names, timeout=STATEMENT_DEADLINE)
        holders = await self._connection.fetch(SQL["email_holders"], emails, timeout=STATEMENT_DEADLINE)
        known = {
            row["key"]: KnownPerson(row["user_id"], row["name"], row["active"], row["extension"]) for row in by_name
        }
        return plan_people(wanted, known, {row["key"]: row["name"] for row in holders})

    async def _apply_people(self, people: PeoplePlan) -> None:
        """Create and assign people. Raises AlreadyExists if somebody took a name or an extension meanwhile."""
        ids: dict[str, int] = {}
        if people.new:
            columns = zip(*((one.name, one.fullname, one.email, new_uid()) for one in people.new), strict=True)
            made = await self._connection.fetch(SQL["create_people"], NO_PASSWORD, *columns, timeout=STATEMENT_DEADLINE)
            ids = {row["name"]: row["user_id"] for row in made}
        pairs = [(one.extension, ids[one.name]) for one in people.new]
        pairs += [(one.extension, one.user_id) for one in people.assigned if one.user_id is not None]
        if pairs and await self._execute("assign_people", *zip(*pairs, strict=True)) != len(pairs):
            raise AlreadyExists("somebody else got one of the extensions meanwhile: import again")

    async def _write(self, statement: str, phones: Iterable[PlannedPhone], *, with_extension: bool = False) -> None:
        columns: dict[str, list[str]] = {
            "endpoint": [],
            "extension": [],
            "auth_username": [],
            "secret": [],
            "profile": [],
        }
        if not with_extension:
            del columns["extension"]
        for phone in phones:
            for name, values in columns.items():
                values.append(getattr(phone, name))
        await self._execute(statement, *columns.values())

    async def _execute(self, statement: str, *columns: Iterable[Any]) -> int:
        """Run a statement over columns of equal length, unless they are empty. Returns the number of changed rows."""
        listed = [list(column) for column in columns]
        if not listed[0]:
            return 0
        status: str = await self._connection.execute(
            SQL[statement], self._call_server, *listed, timeout=STATEMENT_DEADLINE
        )
        return int(status.rpartition(" ")[2])

    async def _fetch(self, statement: str) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(
            SQL[statement], self._call_server, timeout=STATEMENT_DEADLINE
        )
        return rows


@contextlib.asynccontextmanager
async def import_transaction(
    database: Database, call_server: str, *, wait: bool = True
) -> AsyncIterator[ImportTransaction | None]:
    """Open a transaction for an import; None if another one runs and `wait` is False. An error rolls it back.

    Raises Refused if the call server's credentials are managed, NotFound if PostgreSQL does not know it.
    """
    async with database.connection(within=TRANSACTION_DEADLINE) as connection, connection.transaction():
        row = await connection.fetchrow(SQL["owner"], call_server)
        if row is None:
            raise NotFound(f"PostgreSQL does not know call server {call_server}: run migrate")
        if row["credentials"] != Credentials.IMPORTED:
            raise Refused(f"PostgreSQL takes call server {call_server} for a managed one: run migrate")
        if wait:
            await connection.execute(SQL["lock"], call_server, timeout=TRANSACTION_DEADLINE)
        elif not await connection.fetchval(SQL["try_lock"], call_server):
            yield None
            return
        yield ImportTransaction(connection, call_server, row["began_at"])


async def plan(database: Database, call_server: str, source: Source, options: Options) -> PlannedImport:
    """Plan an import, and change nothing. Raises Refused, NotFound."""
    async with import_transaction(database, call_server) as transaction:
        assert transaction is not None
        return await transaction.plan(source, options)


async def apply(
    database: Database, call_server: str, source: Source, options: Options, *, origin: Origin
) -> PlannedImport:
    """Import in one transaction; returns what it changed. Raises Refused, NotFound, AlreadyExists."""
    async with import_transaction(database, call_server) as transaction:
        assert transaction is not None
        return await run(transaction, source, options, origin=origin)


async def run(transaction: ImportTransaction, source: Source, options: Options, *, origin: Origin) -> PlannedImport:
    """Plan, apply and audit in an open transaction."""
    await transaction.lock_extensions()
    planned = await transaction.plan(source, options)
    await transaction.apply(planned, options)
    await transaction.audit(planned, options, origin)
    return planned


def _stored(
    extensions: Iterable[asyncpg.Record], phones: Iterable[asyncpg.Record], elsewhere: Iterable[asyncpg.Record]
) -> Stored:
    return Stored(
        phones={row["endpoint"]: ExistingPhone(**{**dict(row), "profile": Profile(row["profile"])}) for row in phones},
        extensions={
            row["extension"]: ExistingExtension(row["extension"], row["local_number"], row["user_id"])
            for row in extensions
        },
        elsewhere={row["extension"]: row["call_server"] for row in elsewhere},
    )
