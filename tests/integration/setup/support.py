"""A phone that is set up by a link, for the tests of what is served under `/p/`."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from service.db import phone_setups
from service.domain.provisioning.linphone import NAMESPACE
from service.domain.setup_tokens import hash_setup_token
from service.settings import Settings
from service.web.app_keys import CHANGE_LISTENER, DATABASE, DIRECTORY
from service.web.setup.guesses import GUESSES
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.raw import RawAnswer
from tests.support.server import Server

PUBLIC_URL = "https://phone.example.com"
ENDPOINT = "12342.k3f9"
SAFE = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}


def settings(database: TestDatabase, **values: Any) -> Settings:
    return database.settings(**{"public_url": PUBLIC_URL, **values})


async def add_phone(
    database: TestDatabase, endpoint: str = ENDPOINT, kind: str = "linphone", extension: str = "12342"
) -> int:
    """A further phone of an extension. Returns its id."""
    await database.execute(
        "insert into phones (call_server, endpoint, extension, auth_username, secret, profile, kind)"
        " values ('main', $1, $2, $1, 'a secret that nobody knows', 'sip', $3)",
        endpoint,
        extension,
        kind,
    )
    return await phone_id(database, endpoint)


async def phone_id(database: TestDatabase, endpoint: str = ENDPOINT) -> int:
    rows = await database.rows("select phone_id from phones where endpoint = $1", endpoint)
    found: int = rows[0]["phone_id"]
    return found


async def new_link(server: Server, phone: int) -> str:
    """The token of a new set-up link, which this process knows."""
    link = await phone_setups.start(server.app[DATABASE], phone, origin=PREPARED)
    await knows(server, link.token)
    return link.token


async def knows(server: Server, token: str, *, known: bool = True) -> None:
    """Wait until this process knows a token, or no longer does."""
    hash_ = hash_setup_token(token)
    assert hash_ is not None
    await eventually(lambda: (server.app[DIRECTORY].find_setup(hash_) is not None) is known)


async def current(server: Server) -> None:
    """Wait until this process has read all changes that were made before."""
    await server.app[CHANGE_LISTENER].barrier(10)


def forgive(server: Server) -> None:
    """Forget the wrong tokens that were counted so far."""
    server.app[GUESSES]._counts.clear()


async def fetch(server: Server, token: str, *headers: str) -> RawAnswer:
    return await server.raw(f"/p/{token}/linphone.xml", *headers)


async def read(server: Server, device_token: str, *headers: str) -> RawAnswer:
    return await server.raw(f"/p/d/{device_token}/linphone.xml", *headers)


def entries(answer: RawAnswer) -> dict[str, str]:
    """What the XML of an answer says, by `section/key`."""
    assert answer.status == 200, answer
    found = {}
    root = ET.fromstring(answer.body)  # noqa: S314 - the service made it
    for section in root.iter(f"{{{NAMESPACE}}}section"):
        for entry in section:
            found[f"{section.get('name')}/{entry.get('name')}"] = entry.text or ""
    return found


def device_token(answer: RawAnswer) -> str:
    """The token of the device URL that an answer names."""
    url = entries(answer)["misc/config-uri"]
    start, end = f"{PUBLIC_URL}/p/d/", "/linphone.xml"
    assert url.startswith(start)
    assert url.endswith(end)
    return url[len(start) : -len(end)]
