"""The balance of a stock phone is the live state of its line, and never a state that is not live."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from service.cli.demo import SIP_PASSWORD
from service.domain.models import DeviceState, NotLive, Reading
from service.domain.provisioning.balance import balance_xml
from service.web.app_keys import LINKS
from tests.integration.setup.support import SAFE, add_phone, device_token, fetch, new_link, settings
from tests.support.database import TestDatabase
from tests.support.server import Start

NOT_IN_USE = b"<response><error>0</error><balanceString>Not in use</balanceString></response>"


@pytest.mark.parametrize("state", DeviceState)
def test_a_state_that_is_not_live_is_unknown(state: DeviceState) -> None:
    live, dead = balance_xml(Reading(state)), balance_xml(Reading(state, NotLive.SILENT))
    assert ET.fromstring(live).findtext("balanceString") == state.value  # noqa: S314 - made above
    assert dead == balance_xml(Reading(DeviceState.UNKNOWN))


def test_it_is_what_the_vendor_describes() -> None:
    assert balance_xml(Reading(DeviceState.NOT_INUSE)) == NOT_IN_USE


async def test_without_asterisk_the_state_is_unknown(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    device = device_token(await fetch(server, await new_link(server, phone)))
    path = f"/p/d/{device}/balance.xml"
    answer = await server.raw(path)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/xml; charset=utf-8")
    assert SAFE.items() <= answer.headers.items()
    assert b"<balanceString>Unknown</balanceString>" in answer.body
    assert SIP_PASSWORD.encode() not in answer.body
    reading = Reading(DeviceState.NOT_INUSE)
    server.app[LINKS]["main"].states.read = lambda device: reading  # type: ignore[method-assign]
    assert (await server.raw(path)).body == NOT_IN_USE
