"""A PostgreSQL of its own that has seen a working day: with a key for SIP passwords, and every kind of secret used."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local.postgres import Postgres
from service.cli import demo, parser
from service.cli.output import Json
from service.db.migrate import migrate
from service.domain.secret_keys import MasterKey, asterisk_setting
from service.settings import Settings
from tests.support.database import ASTERISK, FAST, HASH_ROUNDS, OWNER, PASSWORD, TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, AGENT_UID, Server, serving

KEY = MasterKey.parse("c3" * 16 + "5a" * 16)
NEW_PASSWORD = "a-new-password-of-dnhai"
GIVEN_SECRET = "given-SIP-password-of-900"
WHOLE_PAGES = {**FAST, "full_page_writes": "on"}


@dataclass
class Worked:
    """The database, its service, and the secrets that were in use, by what they are."""

    database: TestDatabase
    settings: Settings
    secrets: dict[str, str] = field(default_factory=dict)
    token: str = ""
    _log_offset: int = 0

    @property
    def postgresql_log(self) -> bytes:
        """What PostgreSQL has logged since the day began; before, the harness typed the owner's password."""
        return _log_file(self.database.server).read_bytes()[self._log_offset :]

    @property
    def cluster(self) -> Path:
        """The folder that a thief of the disk has."""
        return self.database.server.folder / "cluster"

    def found_in(self, data: bytes, *, but: tuple[str, ...] = ()) -> list[str]:
        """The names of the secrets that stand in it, as text or as bytes."""
        return [
            name
            for name, secret in self.secrets.items()
            if name not in but and any(form in data for form in _forms(secret))
        ]


def _log_file(server: Postgres) -> Path:
    return server.folder / server.log_name


def _forms(secret: str) -> Iterator[bytes]:
    """How a secret could be written: as it is, as hexadecimal digits, in base64, and what hexadecimal digits mean."""
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield base64.b64encode(raw).rstrip(b"=")
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        return
    yield key
    yield secret.upper().encode()


@contextmanager
def cluster(folder: Path, **options: str) -> Iterator[Postgres]:
    """A PostgreSQL of its own, with one empty database."""
    with Postgres(folder, options={**WHOLE_PAGES, **options}) as server:
        server.create_database("connector", OWNER, PASSWORD)
        yield server


@asynccontextmanager
async def worked(server: Postgres) -> AsyncIterator[Worked]:
    """Migrate, load the demo, and let a service and an Asterisk use each secret; the key is there from the start."""
    offset = _log_file(server).stat().st_size
    database = TestDatabase(server, "connector")
    settings = database.settings(secrets_key=KEY.key.hex())
    await migrate(settings)
    await enable_key(settings)
    await demo.load(settings, hash_rounds=HASH_ROUNDS)
    day = Worked(database, settings, _log_offset=offset)
    day.secrets = {
        "master key": KEY.key.hex(),
        "derived key": KEY.derive("main").hex(),
        "SIP password of 12342": demo.SIP_PASSWORD,
        "SIP password of 900": GIVEN_SECRET,
        "password of admin": demo.LOGINS[0][1],
        "new password of dnhai": NEW_PASSWORD,
        "password of a role": PASSWORD,
        "token of admin": demo.ADMIN_TOKEN,
    }
    async with serving(settings) as service:
        await _work(service, day)
    await read_as_asterisk(day)
    yield day


async def _work(service: Server, day: Worked) -> None:
    client = service.client
    login = await service.login("admin", demo.LOGINS[0][1])
    day.token = day.secrets["token of a login"] = login["X-Auth-Token"]
    path = "/api/v1/connector.extension"
    made = {"extension": "900", "callServer": "main", "secret": GIVEN_SECRET, "username": "nophone"}
    answer = await client.post(f"{path}.create", json=made, headers=login)
    assert answer.status == 200, await answer.text()
    changed = await client.patch("/user/1795", json={"passwd": NEW_PASSWORD}, headers=login)
    assert changed.status == 200, await changed.text()
    ticket = await client.post("/api/v1/presence/streamTicket", headers=login)
    day.secrets["stream ticket"] = (await ticket.json())["ticket"]

    async def own() -> str:
        told = await (await service.registration(AGENT_UID, ADMIN)).json()
        password: str = told["extensionDetails"]["password"]
        return password

    async def is_new() -> bool:
        return await own() != demo.SIP_PASSWORD

    await eventually(is_new, 5, "the new password has ended the SIP password")
    day.secrets["SIP password of 12342 after a new password"] = await own()


async def enable_key(settings: Settings) -> None:
    """Encrypt the SIP passwords that there are, and those to come, as an operator does."""
    arguments = parser().parse_args(["secrets", "rekey", "--unchecked"])
    arguments.out = Json()
    assert not await arguments.run(settings, arguments)


async def read_as_asterisk(day: Worked, keys: str | None = None) -> dict[str, str]:
    """The SIP passwords that an Asterisk of the call server sees, by endpoint."""
    connection = await day.database.connect(ASTERISK)
    try:
        setting = asterisk_setting([KEY], "main") if keys is None else keys
        await connection.execute("select set_config('connector.keys', $1, false)", setting)
        rows = await connection.fetch("select id, password from ps_auths")
        return {row["id"]: row["password"] for row in rows}
    finally:
        await connection.close()
