"""What a service says that cannot start because of its database."""

from __future__ import annotations

import asyncio
import re

import pytest

from local.postgres import Postgres
from service.db.change_listener import ChangeListener
from service.db.migrate import migrate
from service.errors import ConfigurationError, DatabaseUnavailable
from service.runtime import app as composition
from tests.support import command_line
from tests.support.database import OWNER, SERVICE, TestDatabase


async def test_a_feeder_that_dies_during_the_start_ends_it_at_once_with_the_true_reason(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: ChangeListener, __: bool) -> None:
        raise ZeroDivisionError("broken on purpose")

    monkeypatch.setattr(ChangeListener, "_read_all", broken)
    with pytest.raises(RuntimeError, match=r"'changes' ended by itself: ZeroDivisionError\('broken on purpose'\)"):
        async with asyncio.timeout(60), composition.run_app(database.settings()):
            pass


async def test_a_start_that_could_not_read_says_why(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: ChangeListener) -> None:
        raise DatabaseUnavailable("the true reason")

    monkeypatch.setattr(ChangeListener, "_session", away)
    with pytest.raises(ConfigurationError, match="could not be read within 1 s: the true reason"):
        async with composition.run_app(database.settings(database_start_deadline=1)):
            pass


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_is_not_utf8_is_refused_in_one_line(postgres: Postgres, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    postgres.sql(f"create database {name} encoding '{encoding}' locale 'C' template template0 owner {OWNER}")
    database = TestDatabase(postgres, name)
    made = database.settings()
    with pytest.raises(ConfigurationError, match=f"^the database's encoding is {encoding}, and must be UTF8") as raised:
        await migrate(made)
    assert "\n" not in str(raised.value)
    postgres.sql(f"grant connect on database {name} to {SERVICE}")
    done = await asyncio.to_thread(command_line.command, command_line.environment(database), "check")
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if re.search(f"MISSING.*encoding {encoding}, needed UTF8", line)]
