"""Two people call each other from the page `/phone`, over a real Asterisk, with sound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.cli.demo import SECOND_SIP_PASSWORD
from tests.e2e.browser.pages import AGENT
from tests.e2e.browser.phone_page import PhonePage, phone_page
from tests.e2e.run import Run
from tests.support.browser import Browser

OTHER = ("agent2", "demo-agent2-password")
NUMBER, OTHER_NUMBER = "12342", "12343"


@pytest.fixture
async def alice(run: Run, chromium: Browser) -> AsyncIterator[PhonePage]:
    async with phone_page(run, chromium, *AGENT) as made:
        yield made


@pytest.fixture
async def bob(run: Run, chromium: Browser) -> AsyncIterator[PhonePage]:
    async with phone_page(run, chromium, *OTHER) as made:
        yield made


async def talk(caller: PhonePage, callee: PhonePage, number: str) -> None:
    """Call, answer, and wait until both talk."""
    await caller.dial(number)
    await callee.press("Answer")
    await caller.shows_call(number, "In call")
    await callee.shows_call("In call")


async def test_two_people_call_each_other_hear_each_other_hold_mute_and_hang_up(
    alice: PhonePage, bob: PhonePage
) -> None:
    await alice.dial(OTHER_NUMBER)
    await bob.shows_call("string, 12342", "Calls you")
    await bob.plays()
    await alice.shows_call(OTHER_NUMBER, "Rings")
    await alice.plays()
    await bob.press("Answer")
    for each in (alice, bob):
        await each.shows_call("In call", "0:0")
        await each.hears()

    await alice.press("Mute")
    await alice.shows_call("You are muted")
    await bob.hears_nothing()
    await alice.press("Mute")
    await bob.hears()

    await bob.press("Hold")
    await bob.shows_call("On hold")
    await alice.shows_call("In call")
    await alice.hears_nothing()
    await bob.press("Hold")
    await alice.hears()

    await bob.press("Hang up")
    await bob.shows_call("You hung up.")
    await alice.shows_call("The other party hung up.")


async def test_a_call_is_refused_cancelled_or_missed_and_both_are_told(alice: PhonePage, bob: PhonePage) -> None:
    await alice.dial(OTHER_NUMBER)
    await bob.press("Refuse")
    await bob.shows_call("You refused the call.")
    await alice.shows_call("The call was refused.")

    await alice.press("Dismiss")
    await bob.press("Dismiss")
    await alice.dial(OTHER_NUMBER)
    await bob.shows_call("Calls you")
    await alice.press("Hang up")
    await alice.shows_call("You hung up.")
    await bob.shows_call("Missed call.")
    await bob.press("Call back")
    await alice.shows_call("Calls you")
    await bob.press("Hang up")

    await alice.dial("70999")
    await alice.shows_call("70999", "Nobody has this number.")
    await alice.dial("1;2")
    await alice.says("A number has digits, letters, * and #.")


async def test_keys_are_heard_by_the_other_phone(run: Run, alice: PhonePage) -> None:
    with run.phone(OTHER_NUMBER, SECOND_SIP_PASSWORD) as desk:
        await asyncio.to_thread(desk.wait_registered)
        await alice.dial(OTHER_NUMBER)
        await asyncio.to_thread(desk.wait_for, "CALL_INCOMING")
        desk.answer()
        await alice.shows_call("In call")
        await alice.says(f"Keys are sent to {OTHER_NUMBER}.")
        await alice.press_key("5")
        event = await asyncio.to_thread(desk.wait_for, "CALL_DTMF_START")
        assert event.detail == "5"
        desk.hangup()
        await alice.shows_call("The other party hung up.")


async def test_a_second_call_waits_and_both_are_held_in_turn(run: Run, alice: PhonePage, bob: PhonePage) -> None:
    await talk(alice, bob, OTHER_NUMBER)
    with run.phone(OTHER_NUMBER, SECOND_SIP_PASSWORD) as desk:
        await asyncio.to_thread(desk.wait_registered)
        desk.dial(NUMBER)
        await alice.shows_call("Bea, 12343", "Waiting call")
        await alice.plays()
        await alice.hears()
        await alice.press("Hold and answer")
        await asyncio.to_thread(desk.wait_for, "CALL_ESTABLISHED")
        await alice.shows_call("Bea, 12343", "In call")
        await alice.shows_call(OTHER_NUMBER, "On hold")
        await bob.hears_nothing()
        await alice.press("Swap")
        await alice.shows_call("Bea, 12343", "On hold")
        await bob.hears()
        desk.hangup()
        await alice.shows_call("Bea, 12343", "The other party hung up.")
    await bob.hears()
    await bob.press("Hang up")
    await alice.shows_call(OTHER_NUMBER, "The other party hung up.")


async def test_a_third_call_is_busy_and_a_waiting_one_can_be_refused(
    run: Run, alice: PhonePage, bob: PhonePage
) -> None:
    await talk(bob, alice, NUMBER)
    await bob.dial("*43")
    await bob.shows_call("*43", "In call")
    await bob.shows_call(NUMBER, "On hold")
    with run.phone() as desk:
        await asyncio.to_thread(desk.wait_registered)
        desk.dial(OTHER_NUMBER)
        await asyncio.to_thread(desk.wait_for, "CALL_CLOSED")
    assert len(await bob.cards()) == 2
    await bob.press("Hang up")
    await bob.page.evaluate("[...document.querySelectorAll('.actions .bad')].forEach(button => button.click())")
    await alice.shows_call("The other party hung up.")


async def test_a_call_is_transferred_to_a_number(alice: PhonePage, bob: PhonePage) -> None:
    await talk(alice, bob, OTHER_NUMBER)
    await bob.press("Transfer")
    assert await bob.page.evaluate("document.activeElement.matches('.transfer input')")
    await bob.page.type("*4")
    await bob.press("Mute")
    await bob.shows_call("You are muted")
    await bob.page.evaluate("document.querySelector('.transfer input').value += '3'")
    await bob.press("Transfer now")
    await bob.shows_call("You transferred the call.")
    await alice.shows_call("In call")
    await alice.hears()
    await alice.press("Hang up")


async def test_a_transfer_to_nobody_leaves_the_call_as_it_is(alice: PhonePage, bob: PhonePage) -> None:
    await talk(alice, bob, OTHER_NUMBER)
    await bob.press("Transfer")
    await bob.page.evaluate("document.querySelector('.transfer input').value = '@'")
    await bob.press("Transfer now")
    await bob.says("A number has digits, letters, * and #.")
    await alice.hears()
    await alice.press("Hang up")
