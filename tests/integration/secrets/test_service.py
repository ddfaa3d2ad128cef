"""What a service does whose keys do not open the stored SIP passwords, or do not arrive at PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from service.db.pool import Database
from service.db.session_keys import DROPPED, PARAMETER, REFUSED
from service.domain.models import Credentials
from service.errors import ConfigurationError
from tests.integration.secrets.keys import KEY, OTHER, settings_with, with_keys
from tests.support.command_line import command
from tests.support.database import TestDatabase, call_server
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server, Start, told

SECOND = """
insert into call_servers (name, credentials) values ('second', 'imported');
insert into extensions (extension, call_server, user_id) values ('20001', 'second', 1797);
insert into phones (call_server, endpoint, extension, auth_username, secret)
values ('second', '20001', '20001', '20001', 'of the second server')
"""
NO_PASSWORD = {"success": False, "error": "Service unavailable"}


def both() -> dict[str, Any]:
    return {
        "main": call_server(),
        "second": call_server(credentials=Credentials.IMPORTED, database_role=None, database_password=None),
    }


async def rekeyed(database: TestDatabase, *arguments: str) -> None:
    done = await asyncio.to_thread(command, with_keys(database, KEY), "secrets", "rekey", "--unchecked", *arguments)
    assert done.returncode == 0, done.stderr


async def metrics(server: Server) -> str:
    return await (await server.client.get("/metrics")).text()


@pytest.mark.parametrize("keys", [(), (OTHER,)], ids=["without a key", "with another key"])
async def test_a_service_without_the_right_key_answers_all_else_and_reports_it(
    database: TestDatabase, start: Start, logged: list[dict[str, object]], keys: tuple[Any, ...]
) -> None:
    await database.execute(SECOND)
    (uid,) = await database.rows("select uid from users where user_id = 1797")
    await rekeyed(database, "--call-server", "main")
    server = await start(database.settings(call_servers=both(), **settings_with(*keys)))

    answer = await server.registration()
    assert (answer.status, await answer.json()) == (503, NO_PASSWORD)
    assert "Retry-After" in answer.headers
    details = await server.client.get("/api/v1/connector.extension.getDetails?extension=12343", headers=ADMIN)
    assert details.status == 503
    info = await (await server.registration(uid["uid"])).json()
    assert info["extensionDetails"]["password"] == "of the second server"
    assert (await server.client.get("/user/1795", headers=ADMIN)).status == 200
    assert (await server.client.get("/api/v1/presence", headers=ADMIN)).status == 200

    status, ready = await told(await server.client.get("/readyz"))
    assert (status, ready["status"]) == (200, "degraded")
    assert ready["directory"]["unreadableSecrets"] == {"main": 2}
    assert 'connector_phones_secret_unreadable{call_server="main"} 2.0' in await metrics(server)
    assert 'connector_phones_secret_unreadable{call_server="second"} 0.0' in await metrics(server)
    assert [line for line in logged if line["event"] == "secrets_unreadable"] == [
        {"event": "secrets_unreadable", "log_level": "error", "call_servers": {"main": 2}}
    ]

    await rekeyed(database, "--plain")
    await server.answers(200)

    async def readable() -> bool:
        return 'connector_phones_secret_unreadable{call_server="main"} 0.0' in await metrics(server)

    await eventually(readable)
    assert "secrets_readable" in [line["event"] for line in logged]


async def test_a_phone_without_a_password_is_counted_until_a_process_has_made_one(
    database: TestDatabase, start: Start
) -> None:
    await rekeyed(database)
    await database.execute("update users set passwd = 'another' where user_id = 1795")
    server = await start(database.settings())
    assert (await told(await server.client.get("/readyz")))[1]["directory"]["phonesWithoutSecret"] == {"main": 1}
    assert 'connector_phones_secret_missing{call_server="main"} 1.0' in await metrics(server)


async def checked(database: TestDatabase, *keys: Any, **values: str) -> list[str]:
    """The lines of `check` about SIP passwords and their keys."""
    done = await asyncio.to_thread(command, with_keys(database, *keys, **values), "check")
    return [line for line in done.stdout.splitlines() if "SIP password" in line or "SECRETS_KEY" in line]


async def test_check_names_the_missing_key_and_what_is_not_encrypted(database: TestDatabase) -> None:
    assert await checked(database) == []
    (line,) = await checked(database, KEY)
    assert " optional " in line
    assert "SIP passwords of call server main are in plain text" in line
    assert "run secrets rekey" in line
    await rekeyed(database)
    (line,) = await checked(database, KEY)
    assert f"SIP passwords of call server main are encrypted with key {KEY.name}" in line
    assert " ok " in line
    for keys in ((), (OTHER,)):
        lacking, unreadable = await checked(database, *keys)
        assert "MISSING" in lacking
        assert "MISSING" in unreadable
        assert f"call server main encrypts SIP passwords with key {KEY.name}, which the settings lack" in lacking
        assert f"2 of 2 SIP passwords of call server main cannot be read: key {KEY.name}" in unreadable
        assert "CONNECTOR_SECRETS_PREVIOUS_KEY" in unreadable
    assert len(await checked(database, OTHER, KEY)) == 1


class Pooler:
    """What pgbouncer does with an unknown startup parameter: it drops it if it may ignore it, else it refuses.

    Its packages are not on every machine that runs the tests.
    """

    def __init__(self, target: int, *, drops: bool) -> None:
        self._target = target
        self._drops = drops
        self._lines: set[asyncio.Task[None]] = set()

    async def connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await client.readexactly(4), "big")
            body = await client.readexactly(size - 4)
            if size == 8:  # a request for TLS
                to_client.write(b"N")
                size = int.from_bytes(await client.readexactly(4), "big")
                body = await client.readexactly(size - 4)
            words = body[4:].rstrip(b"\0").split(b"\0")
            given = dict(zip(words[::2], words[1::2], strict=True))
            if given.pop(PARAMETER.encode(), None) is not None and not self._drops:
                text = b"SFATAL\0C08P01\0Munsupported startup parameter: " + PARAMETER.encode() + b"\0\0"
                to_client.write(b"E" + (len(text) + 4).to_bytes(4, "big") + text)
                await to_client.drain()
                return
            server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            packet = body[:4] + b"".join(name + b"\0" + value + b"\0" for name, value in given.items()) + b"\0"
            to_server.write((len(packet) + 4).to_bytes(4, "big") + packet)
            await asyncio.gather(_copied(client, to_server), _copied(server, to_client))
        except (OSError, EOFError):
            pass
        finally:
            to_client.close()


async def _copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        target.write(data)
    target.close()


@asynccontextmanager
async def pooled(database: TestDatabase, *, drops: bool) -> AsyncIterator[str]:
    """The URL of the service's role through a pooler."""
    pooler = Pooler(database.server.port, drops=drops)
    listening = await asyncio.start_server(pooler.connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield database.settings().database_url.replace(str(database.server.port), str(port))
    finally:
        listening.close()


@pytest.mark.parametrize(("drops", "says"), [(True, DROPPED), (False, REFUSED)])
async def test_a_pooler_that_keeps_the_keys_back_ends_the_start_with_one_line(
    database: TestDatabase, drops: bool, says: str
) -> None:
    async with pooled(database, drops=drops) as url:
        with pytest.raises(ConfigurationError) as raised:
            async with Database.of(database.settings(database_url=url, **settings_with(KEY))):
                pass
        assert str(raised.value) == says
        done = await asyncio.to_thread(command, with_keys(database, KEY, DATABASE_URL=url), "check")
        assert done.returncode == 1
        assert says in done.stdout
        if drops:  # without a key nothing is missing
            async with Database.of(database.settings(database_url=url)):
                pass


async def test_a_network_without_tls_is_named_only_where_there_is_one(database: TestDatabase) -> None:
    """The loopback is none. A key is needed for the question to matter."""
    assert not any("TLS" in line for line in await checked(database, KEY))
