"""A phone that was made over HTTP on a real Asterisk: what is shown of it, and what is left once it is deleted."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.integration.db.test_secret_life import auths
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, AGENT_UID, Start, told
from tests.support.sip_client import sip_client

PATH = "/api/v1/phones"


async def test_a_new_phone_is_shown_registered_and_a_deleted_one_opens_nothing(pbx: Pbx, start: Start) -> None:
    server, port = await start(pbx.settings()), pbx.asterisk.config.sip_port
    await server.shows("Unavailable", within=30)

    async def shown(number: int) -> dict[str, Any] | None:
        _, body = await told(await server.client.get(PATH, params={"userId": AGENT_UID}, headers=ADMIN))
        found = [phone for phone in body["phones"] if phone["id"] == number]
        return found[0] if found else None

    made = {"userId": AGENT_UID, "kind": "desk"}
    _, body = await told(await server.client.post(PATH, headers=ADMIN, json=made))
    phone = body["phone"]
    (secret,) = (await auths(pbx.database))[phone["endpoint"]]
    client = await sip_client(phone["endpoint"], port)
    try:
        assert await client.ask("REGISTER", secret) == 200

        async def registered() -> bool:
            seen = await shown(phone["id"])
            return seen is not None and seen["registered"] is True and seen["address"] is not None

        await eventually(registered, what="the phone is shown registered")
        seen = await shown(phone["id"])
        assert seen is not None
        assert (seen["live"], seen["address"].partition(":")[0]) == (True, "127.0.0.1")
        answer = await server.client.delete(f"{PATH}/{phone['id']}", headers=ADMIN)
        assert answer.status == 200
        assert await shown(phone["id"]) is None
        for method in ("REGISTER", "INVITE"):
            assert await client.ask(method, secret) == 401, "at once"
        rung = await asyncio.to_thread(pbx.asterisk.rx, "pjsip show aor 12342")
        assert phone["endpoint"] not in rung
        contacts = await asyncio.to_thread(pbx.asterisk.rx, "database show registrar/contact")
        assert phone["endpoint"] in contacts, "its registration is left, until its expiry"
    finally:
        client.close()
