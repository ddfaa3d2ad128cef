"""Imports that the service makes by itself: at each link and each reload, once for all replicas, never removing."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.asterisk import Asterisk
from service.ami.accounts import Account
from service.db.pool import Database
from service.domain.imports.status import ImportResult, ImportStatus
from service.runtime.automatic_import import AutomaticImport
from service.runtime.task_supervisor import Supervisor
from service.web.app_keys import IMPORTS
from tests.integration.imports.support import IMPORTED, NAME, settings
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.existing.common import aor, auth, endpoint
from tests.support.existing.freepbx import freepbx
from tests.support.existing.handwritten import HINTS
from tests.support.existing.pbx import ExistingPbx, existing
from tests.support.existing.shape import ExistingPhone, new_secret
from tests.support.server import ADMIN, Server, Start


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short: tests are shorter, and meet more moments."""
    monkeypatch.setattr("service.runtime.automatic_import.LOCK_INTERVAL", 0.05)


@pytest.fixture
async def database(database: TestDatabase) -> TestDatabase:
    await database.execute(IMPORTED)
    return database


@pytest.fixture
def own_freepbx_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExistingPbx]:
    """A FreePBX with ten extensions, for one test."""
    with existing(tmp_path_factory, freepbx(10)) as pbx:
        yield pbx


async def stored(database: TestDatabase) -> dict[str, tuple[str, bool]]:
    """Secret, and whether it is missing, by endpoint."""
    rows = await database.rows("select endpoint, secret, missing_since from phones where call_server = $1", NAME)
    return {row["endpoint"]: (row["secret"], row["missing_since"] is not None) for row in rows}


def expected(pbx: ExistingPbx) -> dict[str, tuple[str, bool]]:
    return {one.endpoint: (one.secret, False) for one in pbx.shape.phones}


def has(database: TestDatabase, wanted: dict[str, tuple[str, bool]]) -> Callable[[], Any]:
    async def check() -> bool:
        return await stored(database) == wanted

    return check


@asynccontextmanager
async def importing(
    pbx: ExistingPbx,
    database: TestDatabase,
    *,
    secret: str = "",
    settle: float = 0.1,
    delay: float = 0.2,
    refused_delay: float = 0.1,
) -> AsyncIterator[AutomaticImport]:
    """Automatic imports without a link: a test requests them."""
    config = pbx.asterisk.config
    monitor = Account("127.0.0.1", config.ami_port, "monitor", config.monitor_secret)
    reader = Account(monitor.host, monitor.port, "credentials", secret or pbx.shape.accounts.credentials)
    async with Database.of(settings(database, pbx)) as own, Supervisor() as supervisor:
        made = AutomaticImport(
            NAME,
            own,
            monitor,
            reader,
            None,
            settle=settle,
            delays=lambda: itertools.repeat(delay),
            refused_delay=refused_delay,
        )
        supervisor.start("import", made.run())
        yield made
        assert not supervisor.failed.done(), supervisor.failed.result()


async def ended(status: ImportStatus, result: ImportResult, count: int = 1, within: float = 20) -> None:
    await eventually(lambda: status.results[result] >= count, within, f"{count} imports {result}, not {status.results}")


async def another(status: ImportStatus) -> None:
    """Wait until one more import has ended."""
    before = sum(status.results.values())
    await eventually(lambda: sum(status.results.values()) > before, 40, "an import has ended")


async def test_the_service_imports_when_its_link_comes_up_and_when_asterisk_reloads(
    own_freepbx_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    pbx = own_freepbx_like
    server = await start(settings(database, pbx, credentials_secret=pbx.shape.accounts.credentials))
    await eventually(has(database, expected(pbx)), what="the first import")
    new = ExistingPhone("1099", "1099", "1099", new_secret())
    pbx.conf("pjsip.custom.conf").write_text(endpoint(new, "1099-auth", HINTS) + auth("1099-auth", new) + aor("1099"))
    await asyncio.to_thread(pbx.asterisk.rx, "core reload", 60)
    await eventually(has(database, expected(pbx) | {"1099": (new.secret, False)}), what="the import after the reload")
    status = server.app[IMPORTS][NAME]
    assert (status.why_failed, status.missing, status.skipped) == (None, 0, 2)
    text = await (await server.client.get("/metrics", headers=ADMIN)).text()
    assert f'connector_imports_total{{call_server="{NAME}",result="applied"}} 2.0' in text
    (line,) = re.findall(
        rf'^connector_import_last_success_timestamp_seconds{{call_server="{NAME}"}} (.*)$', text, re.MULTILINE
    )
    assert float(line) == status.last_success


async def test_what_is_gone_is_marked_and_never_removed(own_freepbx_like: ExistingPbx, database: TestDatabase) -> None:
    pbx = own_freepbx_like
    async with importing(pbx, database) as automatic:
        automatic.request()
        await ended(automatic.status, ImportResult.APPLIED)
        before = pbx.conf("pjsip.endpoint.conf").read_text()
        pbx.conf("pjsip.endpoint.conf").write_text("; an operator's accident\n")
        await asyncio.to_thread(pbx.asterisk.rx, "module reload res_pjsip.so", 60)
        automatic.request()
        await ended(automatic.status, ImportResult.APPLIED, 2)
        lost = {name: (secret, name != "3001") for name, (secret, _) in expected(pbx).items()}  # the wizard's is there
        assert await stored(database) == lost
        assert automatic.status.missing == len(lost) - 1
        pbx.conf("pjsip.endpoint.conf").write_text(before)
        await asyncio.to_thread(pbx.asterisk.rx, "module reload res_pjsip.so", 60)
        automatic.request()
        await ended(automatic.status, ImportResult.APPLIED, 3)
        assert await stored(database) == expected(pbx)
        assert automatic.status.missing == 0


async def test_a_burst_of_reloads_is_one_import_and_replicas_share_it(
    small_freepbx_like: ExistingPbx, database: TestDatabase
) -> None:
    async with (
        importing(small_freepbx_like, database, settle=0.3) as first,
        importing(small_freepbx_like, database, settle=0.3) as second,
        importing(small_freepbx_like, database, settle=0.3) as third,
    ):
        replicas = (first, second, third)
        for _ in range(20):
            for replica in replicas:
                replica.request()
            await asyncio.sleep(0)
        await eventually(lambda: all(sum(one.status.results.values()) for one in replicas), what="all have ended")
        totals = {result: sum(one.status.results[result] for one in replicas) for result in ImportResult}
        assert {result: count for result, count in totals.items() if count} == {
            ImportResult.APPLIED: 1,
            ImportResult.SKIPPED: 2,
        }
        assert len({one.status.last_success for one in replicas}) == 1
        for replica in replicas:
            replica.request()
        await eventually(lambda: all(sum(one.status.results.values()) == 2 for one in replicas), what="again")
        assert sum(one.status.results[ImportResult.UNCHANGED] for one in replicas) == 1
    assert await stored(database) == expected(small_freepbx_like)


async def test_a_replica_that_dies_while_it_imports_is_replaced_by_another(
    small_freepbx_like: ExistingPbx, database: TestDatabase
) -> None:
    connection = await database.connect()
    await connection.execute("begin")
    await connection.execute("select pg_advisory_xact_lock(hashtextextended('import of ' || $1, 0))", NAME)
    async with importing(small_freepbx_like, database) as automatic:
        automatic.request()
        waiting = "select count(*) from pg_stat_activity where application_name = 'asterisk-connector'"

        async def tried() -> bool:
            return bool((await database.rows(waiting))[0][0])

        await eventually(tried, what="it has tried")
        assert not sum(automatic.status.results.values())
        connection.terminate()  # nothing was recorded
        await ended(automatic.status, ImportResult.APPLIED)


async def test_a_failure_is_logged_once_shown_and_retried(
    small_freepbx_like: ExistingPbx, database: TestDatabase, logged: list[dict[str, object]]
) -> None:
    async with importing(small_freepbx_like, database, secret="a-wrong-secret-of-ami", delay=0.1) as automatic:
        automatic.request()
        await ended(automatic.status, ImportResult.FAILED, 3)
        assert automatic.status.why_failed == "AMI refuses the account 'credentials': Authentication failed"
        object.__setattr__(automatic._reader, "secret", small_freepbx_like.shape.accounts.credentials)
        await ended(automatic.status, ImportResult.APPLIED)
        await eventually(lambda: not automatic.status.why_failed, what="the failure is over")
    events = [(line["event"], line["log_level"]) for line in logged if str(line["event"]).startswith("automatic")]
    assert events[:2] == [("automatic_import_failed", "warning"), ("automatic_import_failed", "debug")]
    assert events[-1] == ("automatic_import_resumed", "info")
    assert [level for _, level in events].count("warning") == 1
    assert "a-wrong-secret-of-ami" not in repr(logged)


async def test_a_refused_login_is_tried_again_more_slowly_than_other_failures(
    small_freepbx_like: ExistingPbx, database: TestDatabase
) -> None:
    """An Asterisk that counts refused logins by address would lock out the link too."""
    async with (
        importing(small_freepbx_like, database, secret="wrong", delay=0.1, refused_delay=600) as patient,
        importing(small_freepbx_like, database, secret="wrong", delay=0.1) as eager,
    ):
        patient.request()
        await ended(patient.status, ImportResult.FAILED)
        eager.request()
        await ended(eager.status, ImportResult.FAILED, 4)
        assert patient.status.results[ImportResult.FAILED] == 1


async def test_a_failed_import_degrades_readyz_and_nothing_else(
    small_freepbx_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    server: Server = await start(settings(database, small_freepbx_like, credentials_secret="wrong"))
    await ended(server.app[IMPORTS][NAME], ImportResult.FAILED)
    answer = await server.client.get("/readyz", headers=ADMIN)
    shown = await answer.json()
    assert (answer.status, shown["status"]) == (200, "degraded")
    assert shown["imports"][NAME]["whyFailed"] == "AMI refuses the account 'credentials': Authentication failed"
    assert shown["imports"][NAME]["lastSuccess"] is None
    assert shown["callServers"][NAME]["freshness"] == "live"


async def test_the_database_may_fail_in_the_middle(small_freepbx_like: ExistingPbx, database: TestDatabase) -> None:
    await database.execute(
        """
        create function fail() returns trigger language plpgsql as $$
        begin raise exception using errcode = '57P01', message = 'terminated in the middle'; end $$;
        create trigger fail before insert on phones for each row execute function fail();
        """
    )
    async with importing(small_freepbx_like, database) as automatic:
        automatic.request()
        await ended(automatic.status, ImportResult.FAILED)
        assert "terminated in the middle" in str(automatic.status.why_failed)
        assert await stored(database) == {}
        assert await database.rows("select from extensions where call_server = $1", NAME) == []
        assert await database.rows("select from imports") == []
        await database.execute("drop trigger fail on phones")
        await ended(automatic.status, ImportResult.APPLIED)
        assert await stored(database) == expected(small_freepbx_like)


async def test_an_import_while_asterisk_boots_loses_nothing(
    own_freepbx_like: ExistingPbx, database: TestDatabase
) -> None:
    """Asterisk is killed and started again and again, and every moment of its boot is met."""
    pbx = own_freepbx_like
    async with importing(pbx, database, settle=0.001, delay=0.01) as automatic:
        automatic.request()
        await ended(automatic.status, ImportResult.APPLIED)
        assert await stored(database) == expected(pbx)
        for _ in range(3):
            await asyncio.to_thread(restarted, pbx.asterisk)
            results = automatic.status.results
            successes = results[ImportResult.UNCHANGED]
            while results[ImportResult.UNCHANGED] < successes + 3:
                automatic.request()
                await another(automatic.status)
                assert results[ImportResult.APPLIED] == 1
        assert automatic.status.results[ImportResult.FAILED] > 0
    assert await stored(database) == expected(pbx)


def restarted(asterisk: Asterisk) -> None:
    """Killed, and started without waiting for its boot."""
    asterisk.kill()
    asterisk.start()
