"""A phone registers at a real Asterisk with what a page has shown, and with nothing else."""

from __future__ import annotations

import asyncio
import html
import re
from typing import Any

import pytest

from local.baresip import Phone, PhoneError
from service.web.setup.languages.english import ENGLISH
from tests.integration.setup.support import add_phone, new_link
from tests.support.pbx import Pbx
from tests.support.server import Server, Start

PUBLIC_URL = "http://127.0.0.1:8080"
FORMER = "a secret that nobody knows"
FIELDS = {title: field for field, title in ENGLISH.fields.items()}


async def shown(server: Server, token: str) -> dict[str, str]:
    """The account that the button shows, by field."""
    answer = await server.client.post(f"/p/{token}/show", data={})
    assert answer.status == 200
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", await answer.text(), re.DOTALL)
    return {FIELDS[html.unescape(title)]: html.unescape(value) for title, value in pairs}


def phone_of(account: dict[str, str], **other: Any) -> Phone:
    host, port = account["server"].rsplit(":", 1)
    assert account["username"] == account["auth_username"]
    values = {"extension": account["username"], "password": account["password"], "host": host, "port": int(port)}
    return Phone(*{**values, **other}.values())


@pytest.mark.parametrize("kind", ["desk", "groundwire", "gswave"])
async def test_a_phone_registers_with_the_account_that_was_shown(pbx: Pbx, start: Start, kind: str) -> None:
    server = await start(pbx.settings(public_url=PUBLIC_URL, host="127.0.0.1"))
    endpoint = f"12342.{kind}"
    token = await new_link(server, await add_phone(pbx.database, endpoint, kind))
    await server.shows("Unavailable")
    page = await (await server.client.get(f"/p/{token}")).text()
    assert ENGLISH.not_live not in page, "Asterisk answers"
    account = await shown(server, token)
    assert account["username"] == endpoint
    assert account["transport"] == "UDP"
    with phone_of(account, password=FORMER) as stranger, pytest.raises(PhoneError, match="refused"):
        await asyncio.to_thread(stranger.wait_registered)
    with phone_of(account) as phone:
        await asyncio.to_thread(phone.wait_registered)
