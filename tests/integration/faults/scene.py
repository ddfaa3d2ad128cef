"""What a fault happens to: a service in a process of its own, what it needs, and a Prometheus with the alert rules."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.asterisk import Config
from tests.support import command_line
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.prometheus import RULES, Prometheus, scraping
from tests.support.served import Served, served

SLOW = 90.0
"""Seconds until the slowest alert: Prometheus must have seen a counter twice, and the loop waits for its turn."""
OUTPUT_WITHIN = 30.0


@dataclass
class Scene:
    """Everything that runs, until the test ends."""

    database: TestDatabase
    folder: Path
    prometheus_root: Path
    request: pytest.FixtureRequest
    settings: dict[str, str] = field(default_factory=dict)
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    environment: dict[str, str] = field(default_factory=dict)
    """What the runbook's commands have beside the settings."""
    heal: Callable[[], Awaitable[object]] | None = None
    """What ends the fault, if the test is to see that the alert ends too."""
    _service: Served | None = None

    @property
    def service(self) -> Served:
        assert self._service is not None
        return self._service

    @property
    def pbx(self) -> Pbx:
        """A real Asterisk. A fault that changes it undoes that at the end."""
        found: Pbx = self.request.getfixturevalue("pbx")
        return found

    @property
    def pair(self) -> Path:
        """The folder from which a primary and a standby are copied."""
        found: Path = self.request.getfixturevalue("pair_template")
        return found

    def public_folder(self) -> Path:
        """A folder that other users may enter, for servers that do not run as root; pytest's are private."""
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="fault-")))
        folder.chmod(0o755)
        return folder

    async def start(self, files: int | None = None, /, **settings: str) -> Served:
        self.settings = settings
        self._service = await self.stack.enter_async_context(
            served(self.database, self.folder, None, command_line.ROOT, files, **settings)
        )
        if "TLS_KEY_FILE" not in settings:
            await self.service.answers()
        return self.service

    async def start_with_asterisk(self, **settings: str) -> Served:
        """Start in front of the real Asterisk, whose database it shares."""
        self.database = self.pbx.database
        config: Config = self.pbx.asterisk.config
        defaults = {"AMI_PORT": str(config.ami_port), "MONITOR_SECRET": config.monitor_secret}
        named = {f"CALL_SERVERS__MAIN__{name}": value for name, value in defaults.items()}
        return await self.start(None, **{**named, **settings})

    async def logged(self, event: str) -> None:
        await eventually(lambda: event in self.events(), OUTPUT_WITHIN, f"{event} is logged")

    def events(self) -> dict[str, str]:
        """The events of the log, each with its first line's level."""
        found: dict[str, str] = {}
        for line in self.service.log.splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                found.setdefault(entry["event"], entry["level"])
        return found

    async def run(self, command: str) -> str:
        """What a command of the runbook prints, with this service's settings and ports."""
        return await asyncio.to_thread(self._run, command)

    def _run(self, command: str) -> str:
        port = self.service.metrics_port or self.service.port
        program, *arguments = shlex.split(command.replace(":8080", f":{port}").replace("--watch 60", "--watch 1"))
        if program == "python":
            variables = command_line.environment(
                self.database, **{**self.settings, "HTTP_PORT": str(self.service.port)}
            )
            done = command_line.command(variables, *arguments[2:])
        else:
            done = subprocess.run(
                [program, *arguments],
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                timeout=OUTPUT_WITHIN,
                check=False,
            )
        assert "Traceback" not in done.stderr, done.stderr
        return f"{done.stdout}\n{done.stderr}"

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Prometheus]:
        """A Prometheus with the rules, without the time for which an alert must last."""
        rules = self.folder / "rules.yml"
        rules.write_text(re.sub(r"^ +for: .*\n", "", RULES.read_text(), flags=re.MULTILINE))
        port = self.service.metrics_port or self.service.port
        async with scraping(self.prometheus_root, self.folder, [port], rules) as prometheus:
            yield prometheus


Cause = Callable[[], Awaitable[object]]
"""Causes the fault. It is repeated until the fault is seen."""
Provoke = Callable[[Scene], Awaitable[Cause]]
"""Starts the service and returns what causes the fault."""


@dataclass(frozen=True)
class Fault:
    """A row of the runbook's table, and what provokes it."""

    name: str
    alert: str
    """The alert that fires; empty for what only a command finds."""
    event: str
    """The event that is logged; empty if nothing is."""
    command: str
    """The command of the runbook that is run while the fault lasts."""
    says: str
    """Text that this command prints then."""
    provoke: Provoke
    log_says: str = ""
    """Text that the log must hold."""


FAULTS: dict[str, Fault] = {}
"""By name, in the table's order."""


def fault(
    name: str, alert: str, event: str, command: str, says: str, log_says: str = ""
) -> Callable[[Provoke], Provoke]:
    def added(provoke: Provoke) -> Provoke:
        FAULTS[name] = Fault(name, alert, event, command, says, provoke, log_says)
        return provoke

    return added


async def nothing() -> None:
    """The fault is there from the start."""


def once(cause: Cause) -> Cause:
    caused: list[bool] = []

    async def causing() -> None:
        if not caused:
            caused.append(True)
            await cause()

    return causing


@contextlib.contextmanager
def in_environment(variables: dict[str, str]) -> Iterator[None]:
    """Start processes with these variables in the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
