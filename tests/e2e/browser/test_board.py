"""The board in a real browser: what it shows of real lines and queues."""

from __future__ import annotations

import asyncio

from local.demo_data import AGENT_UID
from tests.e2e.browser.board_page import OTHER, OWN, TILES, phones, tile
from tests.e2e.browser.pages import holds, log_in, shows, text
from tests.e2e.run import Run
from tests.support.browser import Browser, Page


async def test_a_call_changes_both_tiles_and_its_end_does_too(run: Run, board: Page) -> None:
    await shows(board, tile(OWN), "Unavailable")
    with phones(run) as (own, other):
        await shows(board, tile(OTHER), "Free")
        await asyncio.to_thread(own.dial, OTHER)
        await asyncio.to_thread(other.wait_for, "CALL_INCOMING")
        await shows(board, tile(OTHER), "Ringing")
        await asyncio.to_thread(other.answer)
        for each in (OWN, OTHER):
            await shows(board, tile(each), "In a call")
        await board.resize(500, 800)  # the rows are made again
        await holds(board, "getComputedStyle(document.querySelector('#grid')).getPropertyValue('--columns') !== '6'")
        for each in (OWN, OTHER):
            assert "In a call" in await text(board, tile(each))
        await board.resize(1280, 800)
        assert "dnhai (you)" in await text(board, tile(OWN))
        await asyncio.to_thread(own.hangup)
        for each in (OWN, OTHER):
            await shows(board, tile(each), "Free")
    await shows(board, tile(OTHER), "Unavailable")


async def test_a_tile_calls_its_number_in_the_phones_tab(run: Run, board: Page) -> None:
    link = f'document.querySelector("{tile(OTHER)} a")'
    assert await board.evaluate(f"[{link}.getAttribute('href'), {link}.target]") == [
        f"phone?dial={OTHER}",
        "connector-phone",
    ]
    taken = """new Promise(done => {
      const phone = new BroadcastChannel('connector-phone:%s');
      phone.onmessage = ({ data }) => { phone.postMessage({ taken: data.dial }); phone.close(); done(data.dial); };
      window.open = () => done('opened');
      %s.click();
    })"""
    assert await board.evaluate(taken % (AGENT_UID, link)) == OTHER
    assert await board.evaluate(
        f"new Promise(done => {{ window.open = (...told) => done(told); {link}.click(); }})"
    ) == [
        f"{run.base}/phone?dial={OTHER}",
        "connector-phone",
    ]


async def test_the_own_presence_is_set_on_the_board_and_shown_on_the_tile(run: Run, board: Page) -> None:
    form = "document.querySelector('#own')"
    await board.evaluate(
        f"{form}.presence.value = 'away'; {form}.message.value = 'back at 1 <b>'; {form}.requestSubmit()"
    )
    await shows(board, f"{tile(OWN)} .message", "back at 1 <b>")
    assert await board.evaluate(f'document.querySelector("{tile(OWN)} .presence").textContent') == "Away"
    await board.evaluate(f"{form}.presence.value = 'available'; {form}.message.value = ''; {form}.requestSubmit()")
    await shows(board, f"{tile(OWN)} .presence", "Available")


async def test_a_caller_who_waits_is_shown_with_the_members_of_the_queue(run: Run, board: Page) -> None:
    with run.phone() as caller:
        await asyncio.to_thread(caller.wait_registered)
        await asyncio.to_thread(caller.dial, "*55")
        await shows(board, "#queues .queue", "1 waiting")
        assert "agent2" in await text(board, "#queues ul")
        await shows(board, "#queues ol", OWN)
        await asyncio.to_thread(caller.hangup)
        await shows(board, "#queues .queue", "0 waiting")


async def test_a_tile_opens_to_its_contact_client_and_history(run: Run, chromium: Browser) -> None:
    async with chromium.page(f"{run.base}/board") as page:
        await log_in(page, "admin", "demo-admin-password")
        await holds(page, f"{TILES}.length >= 2")
        await page.evaluate(f'document.querySelector("{tile(OWN)}").click()')
        await shows(page, "dialog.details", "Why no phone answers")
        await shows(page, "dialog.details", "Start the phone.")
        with run.phone() as phone:
            await asyncio.to_thread(phone.wait_registered)
            await shows(page, "dialog.details", "baresip")
            await shows(page, "dialog.details", "127.0.0.1:")
            await shows(page, "dialog.details .state", "Free")
        await shows(page, "dialog.details", "Registrations of the last 7 days")
        await page.press("Escape")
        await holds(page, "!document.querySelector('dialog.details')")
