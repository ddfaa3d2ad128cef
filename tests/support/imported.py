"""An imported call server `pbx` beside the managed `main`, as an import leaves it in PostgreSQL."""

from __future__ import annotations

from typing import Any

from service.domain.models import Credentials
from service.settings import Settings
from tests.support.database import TestDatabase, call_server

HOLDER_ID, HOLDER_UID = 1797, "hT5rLwQ8vKz2fYj6N"
"""The demo's `nophone`, a client: whoever has 1005."""
BROWSER_SECRET, DESK_SECRET = 'al;ice\'s, "p@ss^word" ü', "a secret of the desk"
SECRETS = {"alice": BROWSER_SECRET, "alice.desk": DESK_SECRET, "alice-old": "a secret of a phone that is gone"}
PBX = {
    "CALL_SERVERS__PBX__HOST": "pbx.example.com",
    "CALL_SERVERS__PBX__AMI_HOST": "127.0.0.1",
    "CALL_SERVERS__PBX__AMI_PORT": "9",
    "CALL_SERVERS__PBX__MONITOR_SECRET": "monitor",
    "CALL_SERVERS__PBX__CREDENTIALS": "imported",
}
"""Environment variables of the call server, without their prefix."""
IMPORT = """
insert into call_servers (name, credentials) values ('pbx', 'imported')
    on conflict (name) do update set credentials = 'imported';
insert into extensions (extension, call_server, user_id) values ('1005', 'pbx', 1797);
insert into phones (call_server, endpoint, extension, auth_username, secret, profile, missing_since) values
    ('pbx', 'alice-old', '1005', 'alice-old', 'a secret of a phone that is gone', 'webrtc', now()),
    ('pbx', 'alice.desk', '1005', 'alice.desk', 'a secret of the desk', 'sip', null),
    ('pbx', 'alice', '1005', 'alice-login', 'al;ice''s, "p@ss^word" ü', 'webrtc', null)
"""


def both(database: TestDatabase, imported: dict[str, Any] | None = None, **values: Any) -> Settings:
    """Settings with both call servers; `imported` are values of `pbx`."""
    own = call_server(database_role=None, database_password=None, credentials=Credentials.IMPORTED, **(imported or {}))
    return database.settings(**{"call_servers": {"main": call_server(), "pbx": own}, **values})


async def import_alice(database: TestDatabase) -> dict[str, int]:
    """Store the extension 1005 of `nophone` with its phones. Returns their ids by endpoint."""
    await database.execute(IMPORT)
    return {row["endpoint"]: row["phone_id"] for row in await database.rows("select endpoint, phone_id from phones")}


async def secrets_of(database: TestDatabase, call_server: str = "pbx") -> dict[str, str]:
    """The SIP passwords that are stored, by endpoint."""
    rows = await database.rows("select endpoint, secret from phones where call_server = $1", call_server)
    return {row["endpoint"]: row["secret"] for row in rows}
