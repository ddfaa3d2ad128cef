"""Faults of PostgreSQL, of its rows and of what is in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from pathlib import Path

import asyncpg

from local.postgres import Postgres
from tests.integration.faults.scene import Cause, Scene, fault, nothing, once
from tests.support.cutter import cutting
from tests.support.database import SERVICE, TestDatabase, make_database, scratch
from tests.support.raw import request
from tests.support.server import ADMIN
from tests.support.standby import running_pair

CHECK = "python -m service check"
READYZ = "curl --fail http://127.0.0.1:8080/readyz"
LOGIN = request(
    "/api/v1/login",
    "Content-Type: application/json",
    method="POST",
    body=json.dumps({"user": "dnhai", "password": "demo-agent-password"}).encode(),
)
DISK = "6m"


@fault(
    "PostgreSQL is read-only",
    "ConnectorDatabaseReadOnly",
    "database_read_only",
    READYZ,
    '"writable":false',
)
async def read_only(scene: Scene) -> Cause:
    await scene.start()
    superuser = await scene.database.connect(Postgres.superuser)
    scene.stack.push_async_callback(superuser.close)
    name = scene.database.name

    async def refuse_writes() -> None:
        with contextlib.suppress(asyncpg.PostgresError):
            await superuser.execute(f"alter database {name} set default_transaction_read_only = on")
            await superuser.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
                name,
            )

    return once(refuse_writes)


@fault(
    "the disk of PostgreSQL's tables is full",
    "ConnectorServiceUnavailable",
    "service_unavailable",
    "curl --fail http://127.0.0.1:8080/readyz",
    '"writable":true',
    log_says="No space left on device",
)
async def full_disk(scene: Scene) -> Cause:
    """The log of transactions is on another disk: without it PostgreSQL ends, which is another fault."""
    disk = scene.public_folder()
    server = scene.stack.enter_context(Postgres(scratch(scene.folder) / "postgres", options={"fsync": "off"}))
    owner = (server.folder / "cluster").stat()
    options = f"size={DISK},mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    await run("mount", "-t", "tmpfs", "-o", options, "full", disk)
    scene.stack.push_async_callback(run, "umount", "--lazy", disk)
    made = await asyncio.to_thread(make_database, server, "connector")
    await asyncio.to_thread(server.sql, f"create tablespace small location '{disk}'")
    for statement in ("set (fillfactor = 10)", "set tablespace small"):  # a page is soon full, and the next has no room
        await asyncio.to_thread(server.sql, f"alter table tokens {statement}", "connector")
    scene.database = TestDatabase(server, made.name)
    service = await scene.start(LOGIN_FAILURES_PER_MINUTE="1000")
    await asyncio.to_thread(fill, disk)

    async def log_in() -> None:
        for _ in range(20):
            await service.ask(LOGIN)

    return log_in


async def run(*command: str | Path) -> None:
    await asyncio.to_thread(lambda: subprocess.run(command, check=True))


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "junk").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


@fault("PostgreSQL is out of reach", "ConnectorDirectoryOverdue", "change_listener_down", CHECK, "PostgreSQL")
async def no_postgresql(scene: Scene) -> Cause:
    line = await scene.stack.enter_async_context(cutting(scene.database.server.port))
    await scene.start(DATABASE_URL=f"postgresql://{SERVICE}@127.0.0.1:{line.port}/{scene.database.name}")

    async def cut() -> None:
        line.refuse()
        line.cut()

    return cut


@fault(
    "the primary is killed, until the standby is promoted",
    "ConnectorDirectoryOverdue",
    "change_listener_down",
    CHECK,
    "standby",
)
async def failover(scene: Scene) -> Cause:
    pair = scene.stack.enter_context(running_pair(scene.pair, scratch(scene.folder)))
    await pair.caught_up()
    scene.database = pair.database
    await scene.start(DATABASE_URL=pair.url())
    scene.heal = pair.promote
    return once(lambda: asyncio.to_thread(pair.primary.kill))


@fault(
    "users cannot be read",
    "ConnectorServiceUnavailable",
    "service_unavailable",
    "curl --fail http://127.0.0.1:8080/readyz",
    "directory",
)
async def no_users(scene: Scene) -> Cause:
    line = await scene.stack.enter_async_context(cutting(scene.database.server.port))
    service = await scene.start(DATABASE_URL=f"postgresql://{SERVICE}@127.0.0.1:{line.port}/{scene.database.name}")

    async def ask() -> None:
        line.refuse()
        line.cut()
        await service.get("/user/1795", f"X-Auth-Token: {ADMIN['X-Auth-Token']}")

    return ask


@fault("a row of a newer release", "ConnectorRowsLeftOut", "directory_row_unreadable", READYZ, '"leftOut":1')
async def newer_row(scene: Scene) -> Cause:
    await scene.database.execute("alter table users drop constraint users_user_type_check")
    await scene.database.execute("update users set user_type = 'supervisor' where user_id = 1795")
    await scene.start()
    return nothing
