"""The demo's token and passwords are public: no service that others can reach serves them, unless it was told to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.db import sql
from service.demo_exposure import UIDS
from tests.support.command_line import command, environment
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.served import STARTED, served

PUBLIC = "the demo's people and token are public, and others can reach this service"
EVERYBODY = "delete from extensions; delete from users"
STARTS = {
    "on all addresses": ({"HTTP_HOST": "::"}, True),
    "in several workers": ({"HTTP_HOST": "0.0.0.0", "WORKERS": "2"}, True),
    "behind a proxy": ({"TRUSTED_PROXIES": '["127.0.0.1/32"]'}, True),
    "in a container that is published here": ({"HTTP_HOST": "0.0.0.0", "PUBLISHED_ON": '["127.0.0.1"]'}, False),
    "as it was told": ({"HTTP_HOST": "0.0.0.0", "ALLOW_DEMO": "true"}, False),
}


@pytest.mark.parametrize(("settings", "refused"), STARTS.values(), ids=STARTS)
async def test_a_service_that_others_can_reach_does_not_start_with_the_demo(
    database: TestDatabase, tmp_path: Path, settings: dict[str, str], refused: bool
) -> None:
    async with served(database, tmp_path, None, **settings) as service:
        if refused:
            assert await service.ended() == 2
            assert PUBLIC in service.log
            assert "Traceback" not in service.log
        else:
            await eventually(lambda: '"service_started"' in service.log, STARTED, "it serves")


@pytest.mark.parametrize("left", ["token", "people"])
async def test_either_the_token_or_one_of_the_people_is_enough(
    database: TestDatabase, tmp_path: Path, left: str
) -> None:
    if left == "people":
        await database.execute("delete from tokens")
        await database.execute("delete from users where uid <> $1", UIDS[-1])
    else:
        await database.execute("update users set uid = reverse(uid)")
    async with served(database, tmp_path, HTTP_HOST="0.0.0.0") as service:
        assert await service.ended() == 2
        assert PUBLIC in service.log


async def test_a_service_that_others_can_reach_ends_when_the_demo_is_loaded_beneath_it(
    database: TestDatabase, tmp_path: Path
) -> None:
    """From a machine whose own settings know nothing of where the service listens."""
    await database.execute(EVERYBODY)
    async with served(database, tmp_path, HTTP_HOST="0.0.0.0") as service:
        await service.answers()
        done = command(environment(database), "demo")
        assert done.returncode == 0, done.stderr
        assert await service.ended() == 2
        assert PUBLIC in service.log.splitlines()[-1]


@pytest.mark.parametrize("settings", [{"HTTP_HOST": "0.0.0.0"}, {"PUBLISHED_ON": '["0.0.0.0"]'}])
async def test_the_demo_is_not_loaded_where_others_could_use_it(
    database: TestDatabase, settings: dict[str, str]
) -> None:
    await database.execute(EVERYBODY)
    done = command(environment(database, **settings), "demo")
    assert (done.returncode, PUBLIC in done.stderr) == (2, True)
    assert await database.rows("select from users") == []


async def test_migrate_refuses_before_phones_could_register_with_the_demos_passwords(database: TestDatabase) -> None:
    for published, code in (('["127.0.0.1", "0.0.0.0"]', 2), ('["127.0.0.1"]', 0)):
        done = command(environment(database, PUBLISHED_ON=published), "migrate")
        assert (done.returncode, PUBLIC in done.stderr) == (code, code == 2)
    await database.execute(EVERYBODY)
    assert command(environment(database, PUBLISHED_ON='["0.0.0.0"]'), "migrate").returncode == 0


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [({"HTTP_HOST": "0.0.0.0"}, "MISSING"), ({"HTTP_HOST": "::", "ALLOW_DEMO": "1"}, "optional")],
)
async def test_check_names_the_demo(database: TestDatabase, settings: dict[str, str], verdict: str) -> None:
    told = command(environment(database, **settings), "check").stdout
    [line] = [line for line in told.splitlines() if "the demo's people" in line]
    assert line.split()[1] == verdict


def test_what_is_guarded_is_what_the_demo_loads() -> None:
    users = sql.load("demo")["users"]
    assert re.findall(r"\(\d+, '(\w{17})'", users) == list(UIDS)
    assert users.count("@example.com") == len(UIDS)
