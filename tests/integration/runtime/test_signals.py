"""Signals to a service, by mistake or not: it reloads, ignores them, or ends in good order. All real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.runtime import signals
from tests.support.command_line import ROOT, environment, started
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.served import STARTED, served


async def test_one_process_survives_every_signal_that_asks_for_nothing(database: TestDatabase, tmp_path: Path) -> None:
    async with served(database, tmp_path) as service:
        await service.answers()
        for number in signals.IGNORED:
            service.process.send_signal(number)
            assert await service.poll() == 200
        await eventually(lambda: "reload_ignored" in service.log)
        assert service.process.poll() is None


async def test_workers_and_their_parent_survive_them_too(database: TestDatabase, tmp_path: Path) -> None:
    async with served(database, tmp_path, WORKERS="2") as service:
        await service.has_up(2)
        before = service.workers()
        for number in signals.IGNORED:
            for pid in before:
                os.kill(pid, number)
            if number != signals.RELOAD:
                service.process.send_signal(number)
            assert await service.poll() == 200
        assert service.workers() == before


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_hangup_while_it_starts_is_no_end(database: TestDatabase, tmp_path: Path, workers: str) -> None:
    async with served(database, tmp_path, WORKERS=workers) as service:
        await eventually(lambda: _ignores(service.process.pid, signals.RELOAD), STARTED, "Python has begun")
        service.process.send_signal(signals.RELOAD)
        await service.has_up(int(workers)) if workers != "1" else await service.answers()


@pytest.mark.parametrize("number", signals.SHUTDOWN)
async def test_it_ends_in_good_order(database: TestDatabase, tmp_path: Path, number: signal.Signals) -> None:
    async with served(database, tmp_path) as service:
        await service.answers()
        service.process.send_signal(number)
        assert await service.ended() == 0
        assert '"service_stopping"' in service.log


def test_other_commands_still_end_with_their_terminal(template: TestDatabase) -> None:
    process = started(environment(template), "user", "create", "alice")  # it waits for a password
    try:
        process.send_signal(signals.RELOAD)
        assert process.wait(timeout=30) == -signals.RELOAD
    finally:
        process.kill()
        process.communicate()


async def test_it_goes_on_when_nobody_reads_its_log_any_more(database: TestDatabase, tmp_path: Path) -> None:
    """As in `python -m service 2>&1 | head`: each line of log is a broken pipe from then on."""
    async with served(database, tmp_path) as reference:  # for its port only
        port = reference.port
        reference.process.kill()
        await reference.ended()
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a millisecond
            [sys.executable, "-m", "service"],
            cwd=ROOT,
            env=os.environ | environment(database, HTTP_PORT=str(port), LOG_LEVEL="debug"),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        process.stderr.close()
        reference.process = process
        await reference.answers()
        assert await reference.poll() == 200
        process.send_signal(signal.SIGTERM)
        assert await reference.ended() == 0


def _ignores(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored.split()[1], 16) >> (number - 1) & 1)
