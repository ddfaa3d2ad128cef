"""What the service manager hears of a service: one process, or a parent with its workers. All real processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.notifications import Notifications
from tests.support.served import STARTED, served


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_it_is_ready_when_it_answers_and_stopping_when_it_ends(
    database: TestDatabase, tmp_path: Path, notifications: Notifications, workers: str
) -> None:
    async with served(database, tmp_path, WORKERS=workers) as service:
        await notifications.says("EXTEND_TIMEOUT_USEC", "READY", within=STARTED)
        assert await service.poll() == 200  # the first connection, without a second attempt
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0
    assert notifications.states() == ["EXTEND_TIMEOUT_USEC", "READY", "STOPPING"]


async def test_it_is_not_ready_without_postgresql(
    database: TestDatabase, tmp_path: Path, notifications: Notifications
) -> None:
    gone = {"DATABASE_URL": "postgresql://connector_service@127.0.0.1:9/connector", "DATABASE_START_DEADLINE": "1"}
    async with served(database, tmp_path, **gone) as service:
        assert await service.ended() == 2
    assert notifications.states() == ["EXTEND_TIMEOUT_USEC"]


async def test_a_reload_begins_and_ends_with_a_notification(
    database: TestDatabase, tmp_path: Path, notifications: Notifications
) -> None:
    async with served(database, tmp_path, WORKERS="2") as service:
        await service.has_up(2)
        before = service.workers()
        service.process.send_signal(signal.SIGHUP)
        await notifications.says("EXTEND_TIMEOUT_USEC", "READY", "RELOADING", "READY", within=STARTED)
        assert not before & service.workers()


async def test_a_reload_of_one_process_is_no_reload(
    database: TestDatabase, tmp_path: Path, notifications: Notifications
) -> None:
    async with served(database, tmp_path) as service:
        await service.answers()
        service.process.send_signal(signal.SIGHUP)
        await eventually(lambda: "reload_ignored" in service.log)
        assert notifications.states() == ["EXTEND_TIMEOUT_USEC", "READY"]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_frozen_process_sends_no_sign_of_life(
    database: TestDatabase,
    tmp_path: Path,
    notifications: Notifications,
    monkeypatch: pytest.MonkeyPatch,
    workers: str,
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    async with served(database, tmp_path, WORKERS=workers) as service:
        await service.answers()
        count = notifications.signs()
        await eventually(lambda: notifications.signs() > count + 3)
        os.kill(service.process.pid, signal.SIGSTOP)
        await eventually(lambda: _stopped(service.process.pid))
        count = notifications.signs()
        assert not any(_inherits_socket(pid) for pid in service.workers())
        end = time.monotonic() + 0.5  # in which a running process sends five
        await eventually(lambda: time.monotonic() > end)
        assert notifications.signs() == count
        os.kill(service.process.pid, signal.SIGCONT)
        await eventually(lambda: notifications.signs() > count)


def _stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _inherits_socket(pid: int) -> bool:
    return b"NOTIFY_SOCKET" in Path(f"/proc/{pid}/environ").read_bytes()
