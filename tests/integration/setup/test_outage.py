"""An unknown token while PostgreSQL is away is a 503: some process may have made it a moment before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from local.postgres import Postgres
from service.domain.setup_tokens import new_setup_token
from service.web.app_keys import CHANGE_LISTENER, DIRECTORY
from tests.integration.setup.support import fetch, settings
from tests.support.database import TestDatabase, make_database
from tests.support.eventually import eventually
from tests.support.server import Start


@pytest.fixture
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    """A database on a server of its own, which the test kills."""
    with Postgres(tmp_path_factory.mktemp("fragile"), options={"fsync": "off"}) as server:
        yield make_database(server, "fragile")


async def test_an_unknown_link_is_a_503_from_the_first_failed_read_on_until_everything_was_read_again(
    fragile: TestDatabase, start: Start
) -> None:
    server = await start(settings(fragile, database_deadline=1.0))
    token = new_setup_token()
    assert (await fetch(server, token)).status == 404
    await asyncio.to_thread(fragile.server.kill)
    assert not await server.app[CHANGE_LISTENER].refresh("extension 12342", within=1.0)
    assert server.app[DIRECTORY].stale_since is None, "memory is not old enough to be marked"
    assert (await fetch(server, token)).status == 503
    fragile.server.start()
    await asyncio.to_thread(fragile.server.wait_ready)

    async def known_again() -> bool:
        return (await fetch(server, token)).status == 404

    await eventually(known_again)
    assert server.app[CHANGE_LISTENER].current
