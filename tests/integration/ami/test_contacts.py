"""Contacts: registered and reachable are separate facts; what is not known is None."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from service.ami.link import Link
from service.cli.demo import SIP_PASSWORD
from service.domain.contacts import Contact
from service.domain.models import DeviceState
from tests.support.eventually import eventually
from tests.support.links import Watch, live
from tests.support.pbx import Pbx

NUMBER = "12342"
WANT = (NUMBER, "12343")
QUALIFY = 1
"""Seconds between two qualifies in this test; the real view says 15."""
NOTICED = 15.0
"""Seconds until a phone that vanished is surely known to be out of reach."""


def the_contact(link: Link) -> Contact | None:
    """The one contact of the phone, if it is known and whole."""
    contacts = link.contacts_of(NUMBER) or ()
    return contacts[0] if len(contacts) == 1 and contacts[0].user_agent and contacts[0].reachable is not None else None


def state(link: Link) -> DeviceState:
    return link.states.read(f"PJSIP/{NUMBER}").state


async def test_a_phone_s_contact_is_told_whole_and_goes_when_it_unregisters(pbx: Pbx, watch: Watch) -> None:
    link = watch(pbx, want=WANT)
    await eventually(lambda: link.contacts_of(NUMBER) == (), what="known to have none")
    with pbx.phone(NUMBER, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        contact = await eventually(lambda: the_contact(link))
        assert contact.reachable
        assert contact.uri.startswith(f"sip:{NUMBER}")
        assert 0 < contact.round_trip_us < 1_000_000
        assert contact.address.startswith("127.0.0.1:")
        assert contact.address.split(":")[1] in contact.uri
        assert "baresip" in contact.user_agent
        assert 60 < (contact.expires_at - datetime.now(UTC)).total_seconds() <= 120
    await eventually(lambda: link.contacts_of(NUMBER) == ())


async def test_a_contact_from_before_the_link_is_read_and_nothing_is_known_without_a_link(
    pbx: Pbx, watch: Watch
) -> None:
    with pbx.phone(NUMBER, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        link = watch(pbx, want=WANT)
        contact = await eventually(lambda: the_contact(link))
        assert "baresip" in contact.user_agent
        pbx.asterisk.kill()
        await eventually(lambda: link.contacts_of(NUMBER) is None)
        assert link.contacts_of("12343") is None
        await asyncio.to_thread(pbx.asterisk.start)
        await live(link)
        await eventually(lambda: link.contacts_of("12343") == ())


async def test_a_phone_that_vanished_is_registered_but_not_reachable(pbx: Pbx, watch: Watch) -> None:
    definition = await pbx.database.rows("select pg_get_viewdef('ps_aors') as sql")
    hasty = definition[0]["sql"].replace("15 AS qualify_frequency", f"{QUALIFY} AS qualify_frequency")
    await pbx.database.execute(f"create or replace view ps_aors with (security_barrier) as {hasty}")
    link = watch(pbx, want=WANT)
    await live(link)
    phone = pbx.phone(NUMBER, SIP_PASSWORD)
    phone.start()
    try:
        await asyncio.to_thread(phone.wait_registered)
        await eventually(lambda: the_contact(link) and state(link) is DeviceState.NOT_INUSE)
    finally:
        phone.kill()
    await eventually(lambda: not getattr(the_contact(link), "reachable", True), NOTICED)
    contact = the_contact(link)
    assert contact is not None
    assert (contact.round_trip_us, contact.reachable) == (None, False)
    assert "baresip" in str(contact.user_agent)
    await eventually(lambda: state(link) is DeviceState.UNAVAILABLE)
    with pbx.phone(NUMBER, SIP_PASSWORD) as again:
        await asyncio.to_thread(again.wait_registered)
        await eventually(lambda: getattr(the_contact(link), "reachable", False))
        assert the_contact(link) != contact


async def test_of_an_extension_that_is_no_more_no_contact_is_known(pbx: Pbx, watch: Watch) -> None:
    link = watch(pbx, want=WANT)
    await eventually(lambda: link.contacts_of(NUMBER) == ())
    link.follow(set(), set(WANT))
    assert link.contacts_of(NUMBER) is None
