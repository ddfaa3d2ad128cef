"""`secrets rekey` while phones register, clients poll, and others write phones: on, another key, off. And kill -9."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest

from local.asterisk_programs import Programs
from service.cli.demo import SIP_PASSWORD
from service.db import imports, phone_secrets
from service.db.pool import Database
from service.domain.imports.csv_source import read_csv
from service.domain.models import Credentials
from service.domain.secret_keys import MasterKey, asterisk_setting
from service.errors import RotationUnderWay
from tests.integration.secrets.keys import KEY, OTHER, of_asterisk, settings_with, with_keys
from tests.integration.secrets.test_asterisk import with_asterisk_keys
from tests.integration.secrets.test_rekey import passwords
from tests.support.command_line import command, ended, started
from tests.support.database import TestDatabase, call_server, cloned
from tests.support.eventually import eventually
from tests.support.odd_phone import odd_phone
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx, make_pbx
from tests.support.server import serving
from tests.support.traffic import FREE_PHONE, Traffic

MANY = 2_000
FILL = f"""
insert into extensions (extension, secret, call_server, profile)
select 'e' || n, 'secret of e' || n, 'main', 'sip' from generate_series(1, {MANY}) as n;
insert into extensions (extension, secret, call_server) values ('{FREE_PHONE}', 'secret of a free phone', 'main');
insert into call_servers (name, credentials) values ('pbx', 'imported');
"""  # noqa: S608
ROUNDS = (
    (["secrets", "rekey"], (KEY,), KEY.name),
    (["secrets", "rekey"], (OTHER, KEY), OTHER.name),
    (["secrets", "rekey", "--plain"], (OTHER, KEY), None),
)


@pytest.fixture
def busy(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk with both keys, and a database with many phones."""
    with cloned(template) as database:
        pbx = make_pbx(tmp_path_factory, database, programs=programs)
        keyed = with_asterisk_keys(pbx, asterisk_setting([KEY, OTHER], "main"))
        with keyed.asterisk:
            yield keyed


@dataclass
class Writers:
    """Phones that register, and writers of phones, each without a pause. Whatever fails is kept."""

    failures: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def busy(self, **kinds: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        self.done = dict.fromkeys(kinds, 0)
        tasks = [asyncio.create_task(self._repeat(name, kind)) for name, kind in kinds.items()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def go_on(self, times: int) -> None:
        before = dict(self.done)
        await eventually(
            lambda: bool(self.failures) or all(self.done[name] >= before[name] + times for name in before),
            60,
            f"{times} more of each: {self.done}",
        )
        assert self.failures == []

    async def _repeat(self, name: str, kind: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await kind()
            except Exception as error:
                self.failures.append(f"{name}: {error!r}")
            self.done[name] += 1
            await asyncio.sleep(0.01)


async def test_no_request_fails_and_no_registration_is_lost(busy: Pbx) -> None:
    database, sip_port, numbers = busy.database, busy.asterisk.config.sip_port, itertools.count()
    await database.execute(FILL)
    pbx = call_server(credentials=Credentials.IMPORTED, database_role=None, database_password=None)
    settings = busy.settings(**settings_with(OTHER, KEY), requests_per_minute=1_000_000)
    settings = settings.model_copy(update={"call_servers": {**settings.call_servers, "pbx": pbx}})
    writers = Writers()
    async with serving(settings) as server, Database.of(settings) as writing:

        async def register() -> None:
            async with odd_phone("12342", SIP_PASSWORD, sip_port, answers=True) as phone:
                await phone.register()

        async def rotate() -> None:
            await phone_secrets.rotate(writing, f"e{next(numbers) % MANY + 1}", overlap=0, origin=PREPARED)

        async def overlap() -> None:
            number = f"e{MANY - next(numbers) % MANY}"
            with contextlib.suppress(RotationUnderWay):
                await phone_secrets.rotate(writing, number, overlap=60, origin=PREPARED)

        async def imported() -> None:
            changed = next(numbers)
            rows = [f"{number},secret {number} {changed}" for number in range(30_000, 30_300)]
            source = read_csv("\n".join(["extension,secret", *rows]).encode()).source
            await imports.apply(writing, "pbx", source, imports.Options(), origin=PREPARED)

        traffic = Traffic([server.port])
        async with (
            traffic.flowing(),
            writers.busy(register=register, rotate=rotate, overlap=overlap, imported=imported),
        ):
            await traffic.goes_on(2)
            await writers.go_on(2)
            for arguments, keys, name in ROUNDS:
                done = await asyncio.to_thread(command, of_asterisk(busy, *keys), *arguments)
                assert (done.returncode, done.stderr) == (0, "")
                assert await other_than(database, name) == 0
                await traffic.goes_on(2)
                await writers.go_on(2)
                assert await other_than(database, name) == 0
    assert traffic.failures == []
    assert writers.failures == []


async def other_than(database: TestDatabase, key: str | None) -> int:
    """How many phones have a password that is not stored as it should be."""
    (row,) = await database.rows(
        """
        select count(*) from phones
        where sealed_with is distinct from $1 or (former_until is not null and former_sealed_with is distinct from $1)
        """,
        key,
    )
    count: int = row["count"]
    return count


async def test_it_can_be_killed_at_any_point_and_repeated(database: TestDatabase) -> None:
    await database.execute(FILL)
    before = await passwords(database)
    keys = asterisk_setting([OTHER, KEY], "main")
    rounds: tuple[tuple[MasterKey, ...], ...] = ((KEY,), (OTHER, KEY))
    for given in rounds:
        variables = with_keys(database, *given)
        for batches in range(1, 4):
            process = started(variables, "secrets", "rekey", "--unchecked")

            async def some(wanted: int = batches * 250, name: str = given[0].name) -> bool:
                (row,) = await database.rows("select count(*) from phones where sealed_with = $1", name)
                return bool(row["count"] >= wanted)

            await eventually(some, 30, f"{batches} batches")
            process.kill()
            ended(process)
            assert await passwords(database, keys) == before
        done = await asyncio.to_thread(command, variables, "secrets", "rekey", "--unchecked")
        assert done.returncode == 0, done.stderr
        assert await other_than(database, given[0].name) == 0
        assert await passwords(database, keys) == before


async def test_a_writer_that_knows_the_key_before_is_waited_for(database: TestDatabase) -> None:
    """Its password would otherwise be stored in plain text after all others were encrypted."""
    await database.execute("create extension pgcrypto schema public")
    writer = await database.connect()
    try:
        async with writer.transaction():
            await writer.execute("insert into extensions (extension, call_server) values ('a', 'main')")
            await writer.execute(
                "insert into phones (call_server, endpoint, extension, auth_username, secret) "
                "values ('main', 'a', 'a', 'a', 'a secret of the writer')"
            )
            process = started(with_keys(database, KEY), "secrets", "rekey", "--unchecked")

            async def waits() -> bool:
                return bool(
                    await database.rows(
                        "select from pg_stat_activity "
                        "where application_name = 'asterisk-connector secrets' and wait_event_type = 'Lock'"
                    )
                )

            await eventually(waits, 30)
        done = await asyncio.to_thread(ended, process)
    finally:
        await writer.close()
    assert done.returncode == 0, done.stderr
    assert await other_than(database, KEY.name) == 0


async def test_a_phone_that_somebody_holds_is_rewritten_once_it_is_free(database: TestDatabase) -> None:
    await database.execute(FILL)
    holder = await database.connect()
    try:
        async with holder.transaction():
            await holder.execute("select from extensions where extension = 'e7' for update")
            await holder.execute("select from phones where endpoint = 'e1500' for update")  # without its extension
            process = started(with_keys(database, KEY), "secrets", "rekey", "--unchecked")

            async def others() -> bool:
                return await other_than(database, KEY.name) <= 2

            await eventually(others, 30)
        done = await asyncio.to_thread(ended, process)
    finally:
        await holder.close()
    assert done.returncode == 0, done.stderr
    assert await other_than(database, KEY.name) == 0


async def test_a_lock_that_is_never_released_ends_it_with_what_is_left(database: TestDatabase) -> None:
    holder = await database.connect()
    try:
        async with holder.transaction():
            await holder.execute("select from extensions where extension = '12342' for update")
            variables = with_keys(database, KEY, MIGRATE_DEADLINE="1")
            done = await asyncio.to_thread(command, variables, "secrets", "rekey", "--unchecked")
    finally:
        await holder.close()
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: 1 phones of call server main are not rewritten: other sessions hold their locks"
    )
