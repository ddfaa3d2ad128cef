"""The calls on phones over HTTP, as a person or an admin sends them."""

from __future__ import annotations

from typing import Any

from service.db import phone_setups
from service.domain.setup_tokens import hash_setup_token
from service.errors import NoSuchLink
from service.web.app_keys import DATABASE
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, AGENT_UID, Server, told

PUBLIC_URL = "https://phone.example.com"
PATH = "/api/v1/phones"
OTHER_UID = "Sq7mWdXk3nPzT9cRb"
FORBIDDEN = (403, {"success": False, "error": "unauthorized"})
Answer = tuple[int, dict[str, Any]]


def failed(error: str) -> dict[str, Any]:
    return {"success": False, "error": error}


async def create(server: Server, headers: dict[str, str] = ADMIN, **given: Any) -> Answer:
    return await told(await server.client.post(PATH, headers=headers, json={"kind": "linphone", **given}))


async def created(server: Server, headers: dict[str, str] = ADMIN, **given: Any) -> dict[str, Any]:
    """A new phone of the agent."""
    status, body = await create(server, headers, **{"userId": AGENT_UID, **given})
    assert status == 200, body
    return body


async def listed(server: Server, headers: dict[str, str], **query: str) -> Answer:
    return await told(await server.client.get(PATH, headers=headers, params=query))


async def endpoints(server: Server, headers: dict[str, str]) -> list[str]:
    status, body = await listed(server, headers)
    assert status == 200, body
    return [phone["endpoint"] for phone in body["phones"]]


async def set_up(server: Server, phone: object, headers: dict[str, str] = ADMIN) -> Answer:
    return await told(await server.client.post(f"{PATH}/{phone}/setup", headers=headers))


async def delete(server: Server, phone: object, headers: dict[str, str] = ADMIN) -> Answer:
    return await told(await server.client.delete(f"{PATH}/{phone}", headers=headers))


async def holds(server: Server, url: str) -> bool:
    """Whether a set-up link fetches a SIP password."""
    hash_ = hash_setup_token(url.removeprefix(f"{PUBLIC_URL}/p/"))
    assert hash_ is not None
    try:
        await phone_setups.fetch(server.app[DATABASE], hash_, origin=PREPARED, shown_as="test")
    except NoSuchLink:
        return False
    return True
