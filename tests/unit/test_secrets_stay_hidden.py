"""Whatever is printed, no secret is in it."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from service import logs
from service.ami.accounts import Account
from service.db.connection import DatabaseLogin
from service.db.users import StoredLogin
from service.domain.models import DeviceState, Reading, Role, WebSocketAddress
from service.domain.registration_info import registration
from service.settings import CallServer, Settings
from service.web.users.change_schemas import NewUser, UserChanges
from tests.support.stored import stored_extension, stored_phone

SECRET = "hunter2"
SERVER = {"host": "h", "ami_host": "h", "monitor_secret": SECRET, "sync_secret": SECRET, "database_password": SECRET}


def settings(log_format: str = "json") -> Settings:
    values = {"database_password": SECRET, "owner_database_password": SECRET, "call_servers": {"main": SERVER}}
    return Settings.model_validate({**values, "owner_database_url": "postgresql://o@h/d", "log_format": log_format})


def test_no_secret_is_in_the_repr_of_anything_that_holds_one() -> None:
    made = settings()
    extension = stored_extension("1", SECRET)
    address = WebSocketAddress("main", "h", 443, "wss://h/ws")
    person: object = None
    holders = [
        made, made.call_servers, made.model_dump(), DatabaseLogin.of_service(made), DatabaseLogin.of_owner(made),
        extension,
        Account.monitor(made.call_servers["main"]), Account.sync(made.call_servers["main"]),
        registration(stored_phone("1", SECRET), address, Reading(DeviceState.UNKNOWN)),
        StoredLogin(person, SECRET, ()),  # type: ignore[arg-type]  # nobody looks at the person
        UserChanges(passwd=SECRET), NewUser(name="n", passwd=SECRET, user_type=Role.AGENT),
    ]  # fmt: skip
    for holder in holders:
        assert SECRET not in f"{holder!r} {holder!s}"


def test_a_secret_is_readable_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    server = CallServer.model_validate({**SERVER, "monitor_secret": "", "monitor_secret_file": tmp_path / "secret"})
    assert server.monitor_secret is not None
    assert server.monitor_secret.get_secret_value() == SECRET


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the service's own logging writes; the process's logging is put back as it was."""
    root = logging.getLogger()
    handlers, level, filters = root.handlers[:], root.level, logging.getLogger("aiohttp.server").filters[:]
    configuration = structlog.get_config()
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure(settings(log_format=getattr(request, "param", "json")))
    yield written
    root.handlers[:], logging.getLogger("aiohttp.server").filters[:] = handlers, filters
    root.setLevel(level)
    structlog.configure(**configuration)


def test_libraries_that_log_what_they_send_are_quiet(logged: io.StringIO) -> None:
    logging.getLogger("panoramisk.manager").debug("Secret: %s", SECRET)
    logging.getLogger("panoramisk").info("Secret: %s", SECRET)
    assert logged.getvalue() == ""


@pytest.mark.parametrize("logged", ["json", "console"], indirect=True)
def test_a_traceback_shows_no_variable(logged: io.StringIO) -> None:
    password = SECRET[::-1][::-1]  # the source stands in the traceback, so it must not hold the secret itself
    try:
        raise RuntimeError(f"{len(password)} letters")
    except RuntimeError:
        structlog.get_logger("service.bug").exception("internal_error")
    assert "Traceback" in logged.getvalue()
    assert SECRET not in logged.getvalue()
