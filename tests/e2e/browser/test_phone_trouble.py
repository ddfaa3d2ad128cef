"""The page `/phone` when something ends, fails or is missing, and several tabs of one browser."""

from __future__ import annotations

import asyncio
import json
import os
from signal import SIGKILL

from local.demo_data import AGENT_UID
from tests.e2e.browser.board_page import tile
from tests.e2e.browser.pages import AGENT, holds, log_in, shows, text
from tests.e2e.browser.phone_page import SPY, PhonePage, phone_page
from tests.e2e.browser.test_phone_page import NUMBER, OTHER, OTHER_NUMBER, alice, bob, talk
from tests.e2e.program import Program
from tests.e2e.run import ADMIN, Run, server
from tests.support.browser import Browser, browser

__all__ = ["alice", "bob"]
HAND_OVER = f"""new Promise(done => {{
  const channel = new BroadcastChannel("connector-phone:{AGENT_UID}");
  channel.onmessage = ({{ data }}) => done(data);
  channel.postMessage({{ dial: "12343" }});
  setTimeout(done, 5000, null);
}})"""


def phones_of(run: Run) -> list[int]:
    """The agent's phones in browsers."""
    listed = json.loads(run.request("GET", "/api/v1/phones", headers=run.login(*AGENT)).text)["phones"]
    return [phone["id"] for phone in listed if phone["label"].startswith("Chrome on ")]


async def test_asterisk_killed_in_a_call_is_said_and_the_phone_registers_again(
    run: Run, program: Program, alice: PhonePage, bob: PhonePage
) -> None:
    await talk(alice, bob, OTHER_NUMBER)
    os.kill(server(program, "asterisk"), SIGKILL)
    await asyncio.gather(*(shows(each.page, "#line-word", "Call server away") for each in (alice, bob)))
    for each in (alice, bob):
        await each.shows_call("The call was lost: the call server is away.", within=60)
    for each in (alice, bob):
        await each.ready(within=60)
    await talk(bob, alice, NUMBER)
    await bob.hears()
    await alice.press("Hang up")


async def test_a_token_that_ends_ends_no_call_and_leads_to_the_login_after_it(
    run: Run, alice: PhonePage, bob: PhonePage
) -> None:
    await talk(alice, bob, OTHER_NUMBER)
    await asyncio.to_thread(run.cli, "token", "revoke", "--user", AGENT[0])
    await alice.says("Your session has ended. Your call goes on; log in when it is over.")
    await alice.hears()
    await alice.press("Hang up")
    await shows(alice.page, ".login .reason", "Your session has ended. Log in to go on.")
    await log_in(alice.page, *AGENT)
    await alice.ready()
    await talk(bob, alice, NUMBER)
    await bob.press("Hang up")


async def test_a_part_of_the_phone_that_did_not_arrive_is_loaded_again(run: Run, alice: PhonePage) -> None:
    await alice.page.block("*/assets/jssip.*.js")
    await alice.page.open(f"{run.base}/phone")
    await shows(alice.page, "#not-loaded", "A part of this page did not arrive.")
    await alice.page.block()
    await alice.ready()


async def test_a_microphone_that_is_not_allowed_is_said_before_a_call(run: Run, alice: PhonePage) -> None:
    await alice.page.permit(run.base, "microphone", "denied")
    await alice.page.open(f"{run.base}/phone")
    await alice.ready()
    await shows(alice.page, "#microphone", "The microphone is not allowed.")
    await alice.page.permit(run.base, "microphone", "granted")
    await holds(alice.page, "document.querySelector('#microphone').hidden")


async def test_a_refused_microphone_is_said_at_the_call_which_rings_on(run: Run, bob: PhonePage) -> None:
    async with browser(microphone=False) as refusing, phone_page(run, refusing, *AGENT) as alice:
        await bob.dial(NUMBER)
        await alice.press("Answer")
        await shows(
            alice.page, "#trouble", "The microphone is not allowed. Allow it for this page beside the address bar"
        )
        await alice.shows_call("Calls you")
        await bob.shows_call(NUMBER, "Rings")
        await bob.press("Hang up")
        await alice.shows_call("Missed call.")
        await alice.dial(OTHER_NUMBER)
        await shows(alice.page, "#trouble", "The microphone is not allowed.")
        await alice.shows_no_call()


async def test_a_closed_tab_hangs_up_and_the_next_one_gets_the_phone(
    run: Run, chromium: Browser, bob: PhonePage
) -> None:
    async with chromium.page() as page, chromium.tab(page.context) as second:
        async with chromium.tab(page.context) as first:
            alice = PhonePage(first, run)
            await alice.open(*AGENT)
            await alice.set_up()
            mine = phones_of(run)
            other = PhonePage(second, run)
            await other.open(*AGENT)
            await shows(second, "#line-word", "In another tab")
            await talk(bob, alice, NUMBER)
        await bob.shows_call("The other party hung up.")
        await other.ready()
        await second.open(f"{run.base}/phone")
        await other.ready()
        assert phones_of(run) == mine, "it made another phone"
        await talk(bob, other, NUMBER)
        await other.press("Hang up")

        third = PhonePage(page, run)
        await third.open(*AGENT)
        await shows(page, "#line-word", "In another tab")
        await third.press("Use it here")
        await third.ready()
        await shows(second, "#line-word", "In another tab")
        await third.remove()


async def test_two_people_in_tabs_of_one_browser_call_each_other_from_the_board(run: Run, chromium: Browser) -> None:
    async with chromium.page() as first, chromium.tab(first.context) as second, chromium.tab(first.context) as board:
        alice, bob = PhonePage(first, run), PhonePage(second, run)
        for each, who in ((alice, AGENT), (bob, OTHER)):
            await each.open(*who)
            await each.set_up()
        await board.open(f"{run.base}/board")
        await log_in(board, *AGENT)
        await shows(board, tile(OTHER_NUMBER), "Free")
        await board.evaluate(f'document.querySelector("{tile(OTHER_NUMBER)} a.dial").click()', gesture=True)
        await bob.press("Answer")
        await alice.shows_call(OTHER_NUMBER, "In call")
        for number in (NUMBER, OTHER_NUMBER):
            await shows(board, tile(number), "In a call")
        assert len(await bob.cards()) == 1  # bob's tab called nobody
        await bob.press("Hang up")
        for each in (alice, bob):
            await each.remove()


async def test_a_link_asks_before_it_dials_and_a_page_of_the_service_dials_in_the_open_tab(
    run: Run, chromium: Browser, alice: PhonePage, bob: PhonePage
) -> None:
    await alice.page.open(f"{run.base}/phone?dial={OTHER_NUMBER}")
    await shows(alice.page, "#asked", f"Call {OTHER_NUMBER}?")
    await alice.ready()
    assert await bob.cards() == []
    await alice.press("Call")
    await bob.shows_call("Calls you")
    assert await alice.page.evaluate("location.search") == ""
    await bob.press("Refuse")
    await alice.shows_call("The call was refused.")

    async with chromium.tab(alice.page.context) as board:
        await board.open(f"{run.base}/docs")
        assert await board.evaluate(HAND_OVER) == {"taken": OTHER_NUMBER}
        await bob.press("Answer")
        await alice.shows_call(OTHER_NUMBER, "In call")
        await bob.press("Hang up")
        await alice.shows_call("The other party hung up.")

        await board.first(SPY)
        await board.open(f"{run.base}/phone?dial={OTHER_NUMBER}")
        await log_in(board, *AGENT)
        await shows(board, "#line-word", "In another tab")
        tile = PhonePage(board, run)
        await tile.press("Call")
        await tile.says(f"The other tab calls {OTHER_NUMBER}.")
        await bob.press("Refuse")


async def test_a_number_that_cannot_be_dialled_is_not_asked_for(run: Run, alice: PhonePage) -> None:
    await alice.page.open(f"{run.base}/phone?dial=%3Cb%3E1%3B2%0D%0AX%3A1")
    await alice.ready()
    assert await text(alice.page, "#asked") == ""


async def test_a_phone_that_an_admin_removes_is_said_and_can_be_made_again(run: Run, alice: PhonePage) -> None:
    (phone,) = phones_of(run)
    assert run.request("DELETE", f"/api/v1/phones/{phone}", headers=ADMIN).status == 200
    await alice.says("This browser's phone was removed")
    await alice.set_up()


async def test_a_new_password_reaches_the_phone_after_its_call(run: Run, alice: PhonePage, bob: PhonePage) -> None:
    await talk(alice, bob, OTHER_NUMBER)
    (phone,) = phones_of(run)
    done = run.request("POST", f"/api/v1/phones/{phone}/rotate", headers=ADMIN, body={"overlap": 0})
    assert done.status == 200
    await alice.hears()
    await alice.press("Hang up")
    await alice.ready()
    await alice.says(f"Calls to {NUMBER} ring here.")
    await alice.dial(OTHER_NUMBER)
    await bob.press("Answer")
    await alice.shows_call("In call")
    await bob.press("Hang up")


async def test_somebody_without_an_extension_is_told_what_to_do(run: Run, chromium: Browser) -> None:
    async with chromium.page() as page:
        nobody = PhonePage(page, run)
        await nobody.open("nophone", "demo-nophone-password")
        await nobody.says("You have no extension yet. An administrator assigns one")
        assert not await page.evaluate("document.querySelector('#set-up-button').checkVisibility()")


async def test_a_person_with_all_phones_is_told_so_and_may_remove_one(run: Run, chromium: Browser) -> None:
    headers = run.login(*OTHER)
    made = []
    while (done := run.request("POST", "/api/v1/phones", headers=headers, body={"kind": "browser"})).status == 200:
        made.append(json.loads(done.text)["phone"]["id"])
    async with chromium.page() as page:
        bob = PhonePage(page, run)
        await bob.open(*OTHER)
        await bob.press("Set up my phone")
        await bob.says("You have as many phones as are allowed")
        await bob.press("Remove")
        await holds(page, "!document.querySelector('main').innerText.includes('as many phones')")  # it is removed
        await bob.set_up()
        await bob.remove()
    for phone in made:
        run.request("DELETE", f"/api/v1/phones/{phone}", headers=ADMIN)


async def test_jssip_is_loaded_when_a_phone_registers_and_nothing_comes_from_elsewhere(
    run: Run, chromium: Browser
) -> None:
    async with chromium.page() as page:
        alice = PhonePage(page, run)
        await alice.open(*AGENT)
        await holds(page, "!document.querySelector('#set-up').hidden")
        assert not [url for url in page.requests if "jssip" in url]
        await alice.set_up()
        assert [url for url in page.requests if "jssip" in url]
        assert [url for url in page.requests if not url.startswith(run.base)] == []
        assert [line for line in page.console if not line.startswith("log: ")] == []
        kept = json.dumps(await page.evaluate("[{...localStorage}, {...sessionStorage}]"))
        assert "password" not in kept.lower()
        await alice.remove()
