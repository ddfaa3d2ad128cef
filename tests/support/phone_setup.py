"""Phones that people make and set up through the service: its set-up links lead to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

from local import ports
from service.db import extensions
from service.web.app_keys import DATABASE
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx
from tests.support.qr_reader import read_svg
from tests.support.server import ADMIN, Server, serving, told
from tests.support.several_phones import SECRET

BY_EXTENSION = "/api/v1/connector.extension.getRegistrationInfoByExtension"


@dataclass(frozen=True)
class MadePhone:
    """A phone, and what its app scans: the URL of its configuration."""

    phone_id: int
    endpoint: str
    scanned: str


@dataclass
class LinkServer:
    """A service at an address that its set-up links name, and that it has again when it is started again."""

    pbx: Pbx
    port: int

    @asynccontextmanager
    async def running(self, **values: object) -> AsyncIterator[Server]:
        """The service, until the block ends. `values` are settings."""
        reached = {"public_url": f"http://{ports.LOOPBACK}:{self.port}", "host": ports.LOOPBACK}
        async with serving(self.pbx.settings(**reached, **values), port=self.port) as server:
            yield server


def link_server(pbx: Pbx) -> LinkServer:
    """A service that is not started yet."""
    return LinkServer(pbx, ports.free_port())


async def make_phone(server: Server, headers: dict[str, str], kind: str, label: str = "") -> MadePhone:
    """A person makes a phone, and holds its app in front of the code."""
    given = {"kind": kind, "label": label or kind}
    status, body = await told(await server.client.post("/api/v1/phones", json=given, headers=headers))
    assert status == HTTPStatus.OK, body
    qr = body["setup"]["qr"] if body["setup"] else None
    return MadePhone(body["phone"]["id"], body["phone"]["endpoint"], read_svg(qr) if qr else "")


async def revoke(server: Server, headers: dict[str, str], phone: MadePhone) -> None:
    answer = await server.client.delete(f"/api/v1/phones/{phone.phone_id}", headers=headers)
    assert answer.status == HTTPStatus.OK, await answer.text()


async def secret_of(server: Server, phone: MadePhone, owner: Owner) -> str:
    """The SIP password of a phone."""
    query = {"extension": owner.number, "phone": str(phone.phone_id)}
    status, body = await told(await server.client.get(BY_EXTENSION, params=query, headers=ADMIN))
    assert status == HTTPStatus.OK, body
    return str(body["extensionDetails"]["password"])


@dataclass(frozen=True)
class Owner:
    """Somebody with an extension."""

    number: str
    user_id: int
    name: str
    password: str = "a password"


async def make_owner(server: Server, number: str) -> Owner:
    """Somebody new, with an extension whose own phone is off."""
    owner = Owner(number, 0, f"holder of {number}")
    given = {"name": owner.name, "passwd": owner.password, "user_type": "agent"}
    _, made = await told(await server.client.post("/user/create", json=given, headers=ADMIN))
    user_id = made["payload"]["user_id"]
    database = server.app[DATABASE]
    await extensions.create(database, number, "main", "webrtc", SECRET, origin=PREPARED)
    await extensions.assign(database, number, user_id, origin=PREPARED)
    return replace(owner, user_id=user_id)
