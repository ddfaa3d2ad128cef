"""Asterisks that freeze while the service imports: requests still get connections to PostgreSQL."""

from __future__ import annotations

import signal

from service.web.app_keys import LINKS
from tests.integration.imports.support import IMPORTED, NAME, settings
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.server import Start

SECOND = "second"
IMPORTING = """
select count(*) from pg_locks
where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())
"""


async def test_imports_from_frozen_asterisks_take_no_connection_from_requests(
    small_freepbx_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    pbx = small_freepbx_like
    process = pbx.asterisk.process
    assert process is not None
    await database.execute(IMPORTED)
    await database.execute("insert into call_servers (name, credentials) values ($1, 'imported')", SECOND)
    one = settings(database, pbx, credentials_secret=pbx.shape.accounts.credentials)
    both = {**one.call_servers, SECOND: one.call_servers[NAME]}
    server = await start(one.model_copy(update={"call_servers": both, "database_pool": 2}))
    process.send_signal(signal.SIGSTOP)
    try:
        for name in (NAME, SECOND):
            reload_heard = server.app[LINKS][name].configuration_changed
            assert reload_heard is not None
            reload_heard()

        async def importing() -> bool:
            return bool((await database.rows(IMPORTING))[0][0] == 2)

        await eventually(importing, 30, "both imports wait for Asterisk")
        answer = await server.client.post("/api/v1/login", json={"user": "agent", "password": "a wrong password"})
        assert answer.status == 401
        assert await importing()
    finally:
        process.send_signal(signal.SIGCONT)
