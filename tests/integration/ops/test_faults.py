"""Faults, one by one: the alert that fires and the log event, as the runbook's table has them; and its commands."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from local.postgres import Postgres
from tests.support import command_line
from tests.support.cutter import cutting
from tests.support.database import PASSWORD, SERVICE, TestDatabase
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.prometheus import RULES, Prometheus, scraping
from tests.support.raw import request
from tests.support.served import Served, served
from tests.support.server import ADMIN, REGISTRATION

RUNBOOK = command_line.ROOT / "docs/runbook.md"
WRONG = json.dumps({"user": "dnhai", "password": "wrong"}).encode()
SLOW = 90.0
"""Seconds until the slowest alert: Prometheus must have seen a counter twice, and the loop waits for its turn."""


@dataclass
class Scene:
    """A service, what it needs, and what it is watched with."""

    database: TestDatabase
    folder: Path
    prometheus_root: Path
    service: Served | None = None
    settings: dict[str, str] = field(default_factory=dict)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def start(self, **settings: str) -> Served:
        self.settings = settings
        self.service = await self.stack.enter_async_context(served(self.database, self.folder, **settings))
        await self.service.answers()
        return self.service


@pytest.fixture
async def scene(database: TestDatabase, tmp_path: Path, prometheus_root: Path) -> AsyncIterator[Scene]:
    made = Scene(database, tmp_path, prometheus_root)
    async with made.stack:
        yield made


Provoke = Callable[[Scene], Awaitable[Callable[[], Awaitable[object]]]]
"""Starts the service and returns what causes the fault, which may be repeated."""
FAULTS: dict[str, tuple[str, str, Provoke]] = {}
"""By the fault: the alert, the log event, and what provokes both."""


def fault(name: str, alert: str, event: str) -> Callable[[Provoke], Provoke]:
    def added(provoke: Provoke) -> Provoke:
        FAULTS[name] = alert, event, provoke
        return provoke

    return added


async def nothing() -> None:
    """The fault is there from the start."""


@fault("Asterisk is lost", "ConnectorCallServerNotLive", "ami_link_down")
async def lost_asterisk(scene: Scene) -> Callable[[], Awaitable[object]]:
    await scene.start()
    return nothing


@fault("nobody can set presence", "ConnectorPresenceNotSettable", "presence_connection_down")
async def no_presence(scene: Scene) -> Callable[[], Awaitable[object]]:
    await scene.start(CALL_SERVERS__MAIN__PRESENCE_SECRET=PASSWORD)
    return nothing


@fault("the service ends", "ConnectorDown", "service_stopping")
async def ended(scene: Scene) -> Callable[[], Awaitable[object]]:
    service = await scene.start()

    async def end() -> None:
        service.process.send_signal(signal.SIGTERM)

    return end


@fault("a worker dies", "ConnectorWorkerRestarted", "worker_restarting")
async def dead_worker(scene: Scene) -> Callable[[], Awaitable[object]]:
    service = await scene.start(WORKERS="2")
    await service.has_up(2)
    killed: list[int] = []

    async def kill() -> None:
        if not killed:
            killed.append(min(service.workers()))
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed[0], signal.SIGKILL)

    return kill


@fault("PostgreSQL is read-only", "ConnectorDatabaseReadOnly", "database_read_only")
async def read_only(scene: Scene) -> Callable[[], Awaitable[object]]:
    await scene.start()
    superuser = await scene.database.connect(Postgres.superuser)
    scene.stack.push_async_callback(superuser.close)
    name = scene.database.name

    async def refuse_writes() -> None:
        await superuser.execute(f"alter database {name} set default_transaction_read_only = on")
        await superuser.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
            name,
        )

    return once(refuse_writes)


@fault("PostgreSQL is out of reach", "ConnectorDirectoryOverdue", "change_listener_down")
async def no_postgresql(scene: Scene) -> Callable[[], Awaitable[object]]:
    line = await scene.stack.enter_async_context(cutting(scene.database.server.port))
    await scene.start(DATABASE_URL=f"postgresql://{SERVICE}@127.0.0.1:{line.port}/{scene.database.name}")

    async def cut() -> None:
        line.refuse()
        line.cut()

    return cut


@fault("users cannot be read", "ConnectorServiceUnavailable", "service_unavailable")
async def no_users(scene: Scene) -> Callable[[], Awaitable[object]]:
    line = await scene.stack.enter_async_context(cutting(scene.database.server.port))
    service = await scene.start(DATABASE_URL=f"postgresql://{SERVICE}@127.0.0.1:{line.port}/{scene.database.name}")

    async def ask() -> None:
        line.refuse()
        line.cut()
        await service.get("/user/1795", f"X-Auth-Token: {ADMIN['X-Auth-Token']}")

    return ask


@fault("somebody guesses passwords", "ConnectorLoginsRefused", "login_refused")
async def guessed_passwords(scene: Scene) -> Callable[[], Awaitable[object]]:
    service = await scene.start()
    return lambda: service.ask(request("/api/v1/login", "Content-Type: application/json", method="POST", body=WRONG))


@fault("softphones poll with ended tokens", "ConnectorTokensRefused", "token_refused")
async def ended_tokens(scene: Scene) -> Callable[[], Awaitable[object]]:
    service = await scene.start()
    poll = request(f"{REGISTRATION}?id=x", f"X-Auth-Token: {'x' * 43}", f"X-User-Id: {ADMIN['X-User-Id']}")

    async def ask() -> None:
        for _ in range(20):
            await service.ask(poll)

    return ask


@fault("the settings lack a call server", "ConnectorCallServerNotInSettings", "unknown_call_servers")
async def unknown_call_server(scene: Scene) -> Callable[[], Awaitable[object]]:
    await scene.database.execute("insert into call_servers (name) values ('west')")
    await scene.database.execute(
        "insert into extensions (extension, secret, call_server) values ('900', 'a-secret-of-900', 'west')"
    )
    await scene.start()
    return nothing


@fault("a row of a newer release", "ConnectorRowsLeftOut", "directory_row_unreadable")
async def newer_row(scene: Scene) -> Callable[[], Awaitable[object]]:
    await scene.database.execute("alter table users drop constraint users_user_type_check")
    await scene.database.execute("update users set user_type = 'supervisor' where user_id = 1795")
    await scene.start()
    return nothing


def once(cause: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    caused: list[bool] = []

    async def causing() -> None:
        if not caused:
            caused.append(True)
            with contextlib.suppress(asyncpg.PostgresError):
                await cause()

    return causing


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_raises_its_alert_and_logs_its_event(scene: Scene, name: str) -> None:
    alert, event, provoke = FAULTS[name]
    cause = await provoke(scene)
    service = scene.service
    assert service is not None
    await watched(scene, service, cause, alert, event)


async def watched(
    scene: Scene, service: Served, cause: Callable[[], Awaitable[object]], alert: str, event: str
) -> None:
    """Cause the fault until the alert fires and the event is logged."""
    async with scraping(scene.prometheus_root, scene.folder, [service.port], at_once(scene.folder)) as prometheus:

        async def noticed() -> bool:
            with contextlib.suppress(OSError, EOFError):
                await cause()
            return await fires(prometheus, alert) and f'"event": "{event}"' in service.log

        await eventually(noticed, SLOW, f"{alert} fires, and {event} is logged")


async def fires(prometheus: Prometheus, alert: str) -> bool:
    return (await prometheus.alerts()).get(alert) == "firing"


def at_once(folder: Path) -> Path:
    """The rules, without the time for which an alert must last."""
    rules = folder / "rules.yml"
    rules.write_text(re.sub(r"^ +for: .*\n", "", RULES.read_text(), flags=re.MULTILINE))
    return rules


@pytest.mark.parametrize(
    ("name", "alert"),
    [("Asterisk refuses an account", "ConnectorAccountRefused"), ("Asterisk is frozen", "ConnectorCallServerSilent")],
)
async def test_a_fault_of_asterisk_raises_its_alert_and_logs_its_event(
    scene: Scene, pbx: Pbx, name: str, alert: str
) -> None:
    config, process = pbx.asterisk.config, pbx.asterisk.process
    frozen = name == "Asterisk is frozen"
    scene.database = pbx.database
    service = await scene.start(
        CALL_SERVERS__MAIN__AMI_PORT=str(config.ami_port),
        CALL_SERVERS__MAIN__MONITOR_SECRET=config.monitor_secret if frozen else "wrong-secret-of-monitor",
        WATCHDOG_DEADLINE="2",
    )
    assert process is not None
    if frozen:
        await eventually(lambda: '"event": "ami_link_live"' in service.log)
        process.send_signal(signal.SIGSTOP)
    try:
        await watched(scene, service, nothing, alert, "ami_link_down")
    finally:
        process.send_signal(signal.SIGCONT)


def test_the_runbook_has_the_table_of_provoked_faults() -> None:
    section = RUNBOOK.read_text().partition("## What the tests provoke")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| \[(\w+)\]\(#\w+\) \| `(\w+)` \|$", section, re.MULTILINE)
    expected = [(name, alert, event) for name, (alert, event, _) in FAULTS.items()]
    expected += [
        ("Asterisk refuses an account", "ConnectorAccountRefused", "ami_link_down"),
        ("Asterisk is frozen", "ConnectorCallServerSilent", "ami_link_down"),
    ]
    assert rows == expected


async def test_the_commands_of_the_runbook_run(scene: Scene) -> None:
    """With a dead Asterisk: `check` exits with 1, and all others with 0."""
    service = await scene.start()
    text = RUNBOOK.read_text()
    commands = {*re.findall(r"^```sh\n(.+)\n```$", text, re.MULTILINE)}
    commands |= {*re.findall(r"^\| [^|]+ \| [^|]+ \| `([^`]+)` \| .*\|$", text, re.MULTILINE)}
    assert len(commands) > 8
    variables = command_line.environment(scene.database, HTTP_PORT=str(service.port))
    for each in sorted(commands):
        program, *arguments = shlex.split(each.replace("--watch 60", "--watch 1"))
        if program == "curl":
            assert (await service.get(arguments[-1].partition(":8080")[2])).status == 200, each
        elif program == "python":
            assert arguments[:2] == ["-m", "service"], each
            done = await asyncio.to_thread(command_line.command, variables, *arguments[2:])
            expected = int(arguments[2] == "check")
            assert (done.returncode, "Traceback" in done.stderr) == (expected, False), f"{each}: {done.stderr}"
        else:
            assert program == "date", each
