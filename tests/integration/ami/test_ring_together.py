"""Several phones of one extension on a real Asterisk: they ring together, and call as their extension."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from local.baresip import Event, Phone, PhoneError
from service.cli.demo import SECOND_SIP_PASSWORD, SIP_PASSWORD
from tests.integration.ami.test_asterisk_config import logged_in as bare
from tests.integration.ami.test_calls import no_channels
from tests.support.ami import logged_in
from tests.support.eventually import eventually
from tests.support.odd_phone import odd_phone
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, Start
from tests.support.several_phones import SECRET, make_extension, make_phones, ready

PERSON, DESK, MOBILE, OFF = "700", "700.k3f9", "700.m0b1", "700.0ff0"
DASHED, DASHED_DESK = "7-0-1", "7-0-1.k3f9"


@pytest.fixture(scope="module", autouse=True)
async def extensions(pbx: Pbx) -> None:
    await make_extension(pbx, PERSON, DESK, MOBILE, OFF)
    await make_extension(pbx, DASHED, DASHED_DESK)


@pytest.fixture
async def caller(pbx: Pbx) -> AsyncIterator[Phone]:
    phone = pbx.phone("12343", SECOND_SIP_PASSWORD, calls=20)
    async with ready(pbx, [phone]):
        yield phone
    await no_channels(pbx)


async def rings(*phones: Phone) -> None:
    for phone in phones:
        await asyncio.to_thread(phone.wait_for, "CALL_INCOMING")


def phones_of(pbx: Pbx, *endpoints: str) -> list[Phone]:
    return [pbx.phone(endpoint, SECRET) for endpoint in endpoints]


async def getvar(pbx: Pbx, variable: str) -> str:
    config = pbx.asterisk.config
    async with logged_in(config.ami_port, "monitor", config.monitor_secret) as ami:
        return (await ami.ask("Getvar", Variable=variable))["Value"]


async def has_state(pbx: Pbx, endpoint: str, state: str) -> None:
    async def there() -> bool:
        return await getvar(pbx, f"DEVICE_STATE(PJSIP/{endpoint})") == state

    await eventually(there, what=f"{endpoint} is {state}")


async def test_a_phone_that_rang_is_told_that_another_one_answered(pbx: Pbx, caller: Phone) -> None:
    """So it shows no missed call."""
    (desk,) = phones = phones_of(pbx, DESK)
    async with odd_phone(MOBILE, SECRET, pbx.asterisk.config.sip_port, answers=True) as told, ready(pbx, phones):
        await told.register()
        caller.dial(PERSON)
        await rings(desk)
        await has_state(pbx, MOBILE, "RINGING")  # before it has answered the INVITE, Asterisk 16 gives no reason
        desk.answer()
        async with asyncio.timeout(10):
            assert "Call completed elsewhere" in await told.cancelled.get()
        await told.register(expires=0)


async def test_all_phones_ring_one_answers_and_the_others_stop(pbx: Pbx, caller: Phone) -> None:
    """One phone is off: it neither delays nor fails the call."""
    own, desk, mobile = phones = phones_of(pbx, PERSON, DESK, MOBILE)
    async with ready(pbx, phones):
        began = time.monotonic()
        caller.dial(PERSON)
        await rings(*phones)
        assert time.monotonic() - began < 5
        for phone in phones:
            await has_state(pbx, phone.extension, "RINGING")
        desk.answer()
        await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
        for phone in (own, mobile):
            await asyncio.to_thread(phone.wait_for, "CALL_CLOSED")
            await has_state(pbx, phone.extension, "NOT_INUSE")
        await has_state(pbx, DESK, "INUSE")
        assert await getvar(pbx, f"DEVICE_STATE(PJSIP/{OFF})") == "UNAVAILABLE"
        caller.hangup()
        await asyncio.to_thread(desk.wait_for, "CALL_CLOSED")


async def test_a_call_to_a_person_whose_phones_are_all_off_ends_at_once(pbx: Pbx, caller: Phone) -> None:
    caller.dial(PERSON)
    await asyncio.to_thread(caller.wait_for, "CALL_CLOSED")


async def test_a_phone_that_is_made_or_revoked_counts_from_the_next_call_on(pbx: Pbx, caller: Phone) -> None:
    await make_phones(pbx, PERSON, "700.new")
    own, new = phones = phones_of(pbx, PERSON, "700.new")
    async with ready(pbx, phones):
        caller.dial(PERSON)
        await rings(*phones)
        await asyncio.to_thread(caller.wait_for, "CALL_RINGING")
        caller.hangup()
        await asyncio.to_thread(own.wait_for, "CALL_CLOSED")
        for phone in phones:
            phone.forget()
        await pbx.database.execute("delete from phones where endpoint = '700.new'")
        caller.dial(PERSON)
        await rings(own)
        with pytest.raises(PhoneError, match="no CALL_INCOMING"):
            new.wait_for("CALL_INCOMING", timeout_s=0.3)
        caller.hangup()


@pytest.mark.parametrize(("number", "endpoint"), [(PERSON, MOBILE), (DASHED, DASHED_DESK), (DASHED, DASHED)])
async def test_a_callee_sees_number_and_name_of_the_person_whichever_phone_calls(
    pbx: Pbx, caller: Phone, number: str, endpoint: str
) -> None:
    callee = caller
    await pbx.database.execute("update extensions set user_id = 1797 where extension = $1", number)
    await pbx.database.execute("update phones set secret = $1 where extension = $2", SECRET, number)
    (phone,) = phones = [pbx.phone(endpoint, SECRET, name='"Forged" ')]
    async with ready(pbx, phones):
        phone.dial("12343")
        heard = await asyncio.to_thread(callee.wait_for, "CALL_INCOMING")
        assert (heard.peer.split("@")[0], heard.peer_name) == (f"sip:{number}", "Cy")
        phone.hangup()
    await pbx.database.execute("update extensions set user_id = null where extension = $1", number)
    await pbx.database.execute("update phones set secret = $1 where extension = $2", SECRET, number)


TRICKS = (
    DESK, "700k3f9", "700.k3f9@127.0.0.1", "700%2ek3f9", "700%26PJSIP%2f700.k3f9", "PJSIP%2f700.k3f9", "7-00.k3f9",
    "700-x", "700%2cvoicemail_extension%29%7d", "$%7bPHONES%7d", "700.k3f9%26PJSIP%2f12342",
)  # fmt: skip


@pytest.mark.parametrize("dialled", TRICKS)
async def test_no_phone_can_be_called_by_the_name_of_its_endpoint(pbx: Pbx, caller: Phone, dialled: str) -> None:
    """Not even one whose name has only characters of a number."""
    await pbx.database.execute("update phones set endpoint = '700-x', auth_username = '700-x' where endpoint = $1", OFF)
    phones = phones_of(pbx, DESK, "700-x")
    async with ready(pbx, phones):
        caller.dial(dialled)
        await asyncio.to_thread(caller.wait_for, "CALL_CLOSED")
        for phone in phones:
            with pytest.raises(PhoneError, match="no CALL_INCOMING"):
                phone.wait_for("CALL_INCOMING", timeout_s=0.2)
    await pbx.database.execute("update phones set endpoint = $1 where endpoint = '700-x'", OFF)


async def test_the_limit_of_four_calls_holds_for_all_phones_of_a_person(pbx: Pbx) -> None:
    heard: list[Event] = []
    phones = [pbx.phone(name, SECRET, calls=20, on_event=heard.append) for name in (PERSON, DESK, MOBILE)]

    def count(type_: str) -> int:
        return sum(event.type == type_ for event in heard)

    async with ready(pbx, phones):
        for _ in range(3):
            for phone in phones:
                phone.dial("*43")
        await eventually(lambda: count("CALL_CLOSED") == 5, 20)
        await eventually(lambda: count("CALL_ESTABLISHED") == 4)
        assert {event.detail for event in heard if event.type == "CALL_CLOSED"} == {"486 Busy Here"}
    await no_channels(pbx)


async def test_a_person_has_one_state_whichever_phone_rings_talks_or_is_off(pbx: Pbx, start: Start) -> None:
    await pbx.database.execute("update extensions set profile = 'sip' where extension = '12342'")
    await make_phones(pbx, "12342", "12342.k3f9", "12342.0ff0")
    server = await start(pbx.settings())

    async def line() -> tuple[str, bool]:
        answer = await server.client.get("/api/v1/presence/12342", headers=ADMIN)
        shown = (await answer.json())["presence"]
        return shown["state"], shown["live"]

    async def is_(state: str) -> None:
        async def there() -> bool:
            return await line() == (state, True)

        await eventually(there, what=f"12342 is {state}")

    await is_("Unavailable")
    caller, desk = phones = [pbx.phone("12343", SECOND_SIP_PASSWORD), pbx.phone("12342.k3f9", SECRET)]
    async with ready(pbx, phones):
        await is_("Not in use")
        own = pbx.phone("12342", SIP_PASSWORD)
        async with ready(pbx, [own]):
            caller.dial("12342")
            await rings(own, desk)
            await is_("Ringing")
            desk.answer()
            await is_("In use")
            await asyncio.to_thread(own.wait_for, "CALL_CLOSED")
        await has_state(pbx, "12342", "UNAVAILABLE")
        assert await line() == ("In use", True)
        caller.hangup()
        await is_("Not in use")
    await is_("Unavailable")
    await pbx.database.execute("delete from phones where extension = '12342' and endpoint <> '12342'")


def test_monitor_reads_the_list_of_phones_and_no_secret(pbx: Pbx) -> None:
    with bare(pbx, "monitor") as ami:
        read = ami.ask(f"Getvar\r\nVariable: PJSIP_AOR({PERSON},voicemail_extension)")["Value"]
        assert read.split("&") == [f"PJSIP/{name}" for name in (PERSON, DESK, MOBILE, OFF)]
        for function in ("PJSIP_ENDPOINT(700,set_var)", "PJSIP_AOR(700,password)", "PJSIP_AOR(700,auth)"):
            assert ami.ask(f"Getvar\r\nVariable: {function}").get("Value", "") == ""


async def test_without_postgresql_a_call_goes_on_and_a_new_one_is_refused(pbx: Pbx, caller: Phone) -> None:
    own, desk = phones = phones_of(pbx, PERSON, DESK)
    server, name = pbx.database.server, pbx.database.name
    async with ready(pbx, phones):
        caller.dial(PERSON)
        await rings(*phones)
        desk.answer()
        await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
        server.sql(f"revoke connect on database {name} from asterisk_main")
        role = "usename = 'asterisk_main'"
        server.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and {role}")  # noqa: S608
        await asyncio.to_thread(own.wait_for, "CALL_CLOSED")
        own.forget()
        own.dial("*43")
        refused = await asyncio.to_thread(own.wait_for, "CALL_CLOSED")
        assert refused.detail.startswith("401"), refused
        await has_state(pbx, DESK, "INUSE")
        server.sql(f"grant connect on database {name} to asterisk_main")

        async def established() -> bool:
            own.forget()
            own.dial("*43")
            return (await asyncio.to_thread(own.wait_for, "CALL_ESTABLISHED", "CALL_CLOSED")).type == "CALL_ESTABLISHED"

        await eventually(established)
        own.hangup()
        caller.hangup()
        await asyncio.to_thread(desk.wait_for, "CALL_CLOSED")
