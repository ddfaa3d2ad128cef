"""No key and no SIP password where others can read: PostgreSQL's log of all statements, argv, errors, activity."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from local.postgres import Postgres
from service.db.connection import DatabaseLogin
from service.db.pool import Database
from service.domain.secret_keys import MasterKey, asterisk_setting
from service.web.app_keys import DATABASE
from tests.integration.secrets.keys import KEY, OTHER, settings_with, with_keys
from tests.integration.secrets.test_rekey import passwords
from tests.support.command_line import command, ended, process_environment, started
from tests.support.database import FAST, OWNER, PASSWORD, TestDatabase, make_database, scratch
from tests.support.eventually import eventually
from tests.support.server import serving

LOGS_ALL = {
    **FAST,
    "log_statement": "all",
    "log_connections": "on",
    "log_min_messages": "debug1",
    "log_min_error_statement": "debug1",
    "log_error_verbosity": "verbose",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_duration": "on",
}


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestDatabase, Path]]:
    """A server that logs whatever it can, and its log."""
    log = tmp_path_factory.mktemp("log") / "postgres.log"
    with (
        log.open("wb") as stream,
        Postgres(scratch(tmp_path_factory.mktemp("telling")), options=LOGS_ALL, log=stream.fileno()) as server,
    ):
        yield make_database(server, "connector"), log


async def known_passwords(database: TestDatabase) -> list[str]:
    """The SIP passwords that are stored, encrypted or not."""
    known = await passwords(database, asterisk_setting([KEY, OTHER], "main"))
    assert known
    return list(known.values())


class Watched:
    """What PostgreSQL logs from now on."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._from = log.stat().st_size

    @property
    def text(self) -> str:
        return self._log.read_bytes()[self._from :].decode(errors="replace")


def forbidden(*keys: MasterKey) -> list[str]:
    """Each key and what is derived from it, as it is written anywhere."""
    return [text for key in keys for text in (key.key.hex(), key.derive("main").hex(), repr(key.key)[2:-1])]


async def test_rekeying_tells_neither_keys_nor_passwords(telling: tuple[TestDatabase, Path]) -> None:
    database, log = telling
    known = await known_passwords(database)
    watched = Watched(log)
    said = ""
    for keys, arguments in (
        ((KEY,), ("secrets", "rekey", "--unchecked")),
        ((OTHER, KEY), ("secrets", "rekey", "--unchecked")),
        ((OTHER,), ("secrets", "status")),
        ((KEY,), ("secrets", "status")),
        ((KEY,), ("secrets", "rekey", "--unchecked")),
        ((OTHER,), ("check",)),
    ):
        process = started(with_keys(database, *keys, LOG_LEVEL="debug"), *arguments)
        said += _argv(process.pid)
        done = ended(process)
        said += done.stdout + done.stderr
    assert "update phones" in watched.text, "the server logs no statements"
    for text in (*forbidden(KEY, OTHER), *known):
        assert text not in watched.text
        assert text not in said


async def test_a_service_with_keys_tells_them_neither_to_the_log_nor_to_other_sessions(
    telling: tuple[TestDatabase, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    database, log = telling
    watched = Watched(log)
    async with serving(database.settings(**settings_with(OTHER, KEY), log_level="debug")) as server:
        await server.registration()
        superuser = await database.connect(database.server.superuser)
        sessions = [str(dict(row)) for row in await superuser.fetch("select * from pg_stat_activity")]
        await superuser.close()
        assert any(f"asterisk-connector changes, keys {OTHER.name} {KEY.name}" in row for row in sessions)
        shown = "\n".join([*sessions, repr(server.app[DATABASE].login), watched.text, *capfd.readouterr()])
    for text in forbidden(KEY, OTHER):
        assert text not in shown


def _argv(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.parametrize(
    "secret", ["", "with a \x01 in it", "long" * 40, "two\r\nlines"], ids=["empty", "control", "long", "lines"]
)
@pytest.mark.parametrize("at_rest", ["plain", "encrypted"])
async def test_a_password_that_is_refused_stands_in_no_detail(
    telling: tuple[TestDatabase, Path], secret: str, at_rest: str
) -> None:
    database, log = telling
    how = ("--unchecked",) if at_rest == "encrypted" else ("--plain",)
    assert (await asyncio.to_thread(command, with_keys(database, OTHER, KEY), "secrets", "rekey", *how)).returncode == 0
    watched = Watched(log)
    login = DatabaseLogin(database.server.url(OWNER, database.name), PASSWORD, [OTHER, KEY])
    connection = await login.connect()
    with pytest.raises(asyncpg.CheckViolationError) as raised:
        await connection.execute("update phones set secret = $1 where endpoint = '12342'", secret)
    assert raised.value.args[0] == "a SIP password has 1 to 80 characters, and no control character"
    assert raised.value.detail is None
    assert raised.value.constraint_name == "phones_secret_check"
    await connection.close()
    errors = await logged_error(watched, "a SIP password has 1 to 80 characters")
    told = "\n".join(line for line in errors.splitlines() if "parameters:" not in line)  # which this server shall log
    assert "Failing row" not in told
    assert not re.search("with a|longlong|two.*lines", told)


async def test_errors_of_encrypted_rows_hold_no_password(telling: tuple[TestDatabase, Path]) -> None:
    """A violated constraint prints the whole row; the trigger without a key says which key is missing."""
    database, log = telling
    known = await known_passwords(database)
    await asyncio.to_thread(command, with_keys(database, KEY, OTHER), "secrets", "rekey", "--unchecked")
    watched = Watched(log)
    login = DatabaseLogin(database.server.url(OWNER, database.name), PASSWORD, [KEY])
    connection = await login.connect()
    with pytest.raises(asyncpg.CheckViolationError) as raised:
        await connection.execute("update phones set label = E'\\x01', profile = 'sip' where endpoint = '12342'")
    await connection.close()
    assert "Failing row contains" in str(raised.value.detail)
    with pytest.raises(asyncpg.RaiseError, match="lacks key") as lacking:
        await database.execute("update phones set secret = 'given by psql' where endpoint = '12342'")
    shown = f"{raised.value}{raised.value.detail}{lacking.value}"
    errors = await logged_error(watched, "Failing row contains")
    for text in (*known, *forbidden(KEY, OTHER)):
        assert text not in shown
        assert text not in errors


async def logged_error(watched: Watched, text: str) -> str:
    await eventually(lambda: text in watched.text, what="the error in PostgreSQL's log")
    return watched.text


async def test_a_traceback_of_a_refused_connection_holds_no_key(telling: tuple[TestDatabase, Path]) -> None:
    database, _ = telling
    done = await asyncio.to_thread(
        command, with_keys(database, KEY, DATABASE_PASSWORD="wrong", LOG_LEVEL="debug"), "secrets", "status"
    )
    assert done.returncode == 2
    for text in forbidden(KEY):
        assert text not in done.stdout + done.stderr
    assert KEY.key.hex() in str(process_environment(with_keys(database, KEY)))


async def test_keys_are_hidden_in_everything_that_holds_them(telling: tuple[TestDatabase, Path]) -> None:
    database, _ = telling
    settings = database.settings(**settings_with(KEY, OTHER))
    made = Database.of(settings)
    shown = f"{settings!r} {settings} {settings.secret_keys!r} {made.login!r} {settings.model_dump()!r}"
    for text in forbidden(KEY, OTHER):
        assert text not in shown
