"""What a service manager is sent, on a real datagram socket."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.runtime.service_manager import ServiceManager
from tests.support.eventually import eventually
from tests.support.notifications import Notifications


def test_each_state_is_one_datagram(notifications: Notifications) -> None:
    manager = ServiceManager.from_environment()
    manager.starting(30)
    manager.ready()
    manager.stopping(10.5)
    assert notifications.received() == [
        "EXTEND_TIMEOUT_USEC=60000000",
        "READY=1",
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=20500000",
    ]


def test_a_reload_carries_the_time_of_its_begin(notifications: Notifications) -> None:
    before = time.monotonic_ns() // 1000
    ServiceManager.from_environment().reloading()
    (text,) = notifications.received()
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", text)
    assert found is not None
    assert before <= int(found[1]) <= time.monotonic_ns() // 1000


def test_an_abstract_socket_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Notifications(f"@asterisk-connector-test-{os.getpid()}")
    monkeypatch.setenv("NOTIFY_SOCKET", listener.address)
    ServiceManager.from_environment().ready()
    assert listener.received() == ["READY=1"]
    listener.close()


def test_children_do_not_inherit_the_variables(notifications: Notifications, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    ServiceManager.from_environment()
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


async def test_signs_of_life_come_three_times_within_the_deadline(
    notifications: Notifications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    manager, began = ServiceManager.from_environment(), time.monotonic()
    async with manager.watchdog():
        await eventually(lambda: notifications.signs() >= 4)
    assert time.monotonic() - began >= 0.55  # the fourth is due after 0.6 s
    before = notifications.signs()
    manager.ready()
    assert (notifications.signs(), notifications.states()) == (before, ["READY"])


@pytest.mark.parametrize(
    ("microseconds", "pid"), [("3000000", "1"), ("", ""), ("0", ""), ("-5", ""), ("soon", "")], ids=str
)
async def test_no_sign_of_life_is_sent_unasked(
    notifications: Notifications, monkeypatch: pytest.MonkeyPatch, microseconds: str, pid: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    manager = ServiceManager.from_environment()
    async with manager.watchdog():
        manager.ready()
    assert notifications.received() == ["READY=1"]


def test_without_a_service_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with capture_logs() as logged:
        ServiceManager.from_environment().ready()
    assert logged == []


def test_a_socket_that_is_gone_is_logged_once_per_outage(tmp_path: Path) -> None:
    manager = ServiceManager(str(tmp_path / "notify"))
    with capture_logs() as logged:
        manager.ready()
        manager.ready()
        listener = Notifications(str(tmp_path / "notify"))
        manager.ready()
        listener.close()
        manager.ready()
    assert [(entry["event"], entry["log_level"]) for entry in logged] == [
        ("service_manager_unreachable", "warning")
    ] * 2
