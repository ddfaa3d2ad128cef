"""The board in a real browser: what it shows of real lines, and what it says when nothing is known of them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from local.baresip import Phone
from local.demo_data import AGENT_UID
from service.cli.demo import SECOND_SIP_PASSWORD
from tests.e2e.browser.pages import AGENT, LOGIN, holds, log_in, obstacles, shows, text
from tests.e2e.program import Program
from tests.e2e.run import ADMIN, Run, server
from tests.support.browser import Browser, Page
from tests.support.eventually import eventually

OWN, OTHER = "12342", "12343"
TILES = "[...document.querySelectorAll('.tile')]"
LOOKS_LIVE = f"""{TILES}.filter(tile =>
  !/Unknown since \\d\\d:\\d\\d:\\d\\d: \\S/.test(tile.innerText)
  || [...tile.children].some(each => getComputedStyle(each).opacity > 0.85)
  || getComputedStyle(tile).borderTopStyle !== 'dashed'
  || /Free|In a call|Ringing|Unavailable/.test(tile.innerText)).map(tile => tile.innerText)"""
"""The tiles that look live by what is computed, whatever classes they have."""


def tile(extension: str) -> str:
    return f".tile[data-key='{extension}']"


@pytest.fixture
async def board(run: Run, chromium: Browser) -> AsyncIterator[Page]:
    """The board of an agent, live."""
    async with chromium.page(f"{run.base}/board") as page:
        await page.resize(1280, 800)
        await log_in(page, *AGENT)
        await shows(page, "#connection", "Live")
        await holds(page, f"{TILES}.length === 2")
        yield page
        assert [line for line in page.console if line.startswith("uncaught")] == []
        assert [url for url in page.requests if not url.startswith(run.base)] == []


@contextmanager
def phones(run: Run) -> Iterator[tuple[Phone, Phone]]:
    """The phones of both extensions, registered."""
    with run.phone() as own, run.phone(OTHER, SECOND_SIP_PASSWORD) as other:
        own.wait_registered()
        other.wait_registered()
        yield own, other


async def nothing_looks_live(page: Page, why: str, within: float) -> None:
    async def there() -> bool:
        words = await text(page, tile(OWN))
        return why in words and await page.evaluate(LOOKS_LIVE) == []

    await eventually(there, within, f"no tile looks live, because of {why}")


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


async def test_within_a_second_after_asterisk_is_killed_no_tile_looks_live(
    run: Run, program: Program, board: Page
) -> None:
    os.kill(server(program, "asterisk"), SIGKILL)
    await nothing_looks_live(board, "Asterisk is not connected", 1.0)
    await shows(board, "#connection", "Asterisk is not connected since ")
    assert await board.evaluate("document.querySelector('#connection').computedRole ?? 'status'") == "status"
    await shows(board, "#connection", "Live", 60)
    await shows(board, tile(OWN), "Unavailable")


async def test_a_service_that_is_killed_leaves_no_tile_that_looks_live(run: Run, program: Program, board: Page) -> None:
    os.kill(server(program, "service"), SIGKILL)
    await nothing_looks_live(board, "no connection to the service", 2.0)
    assert "the service does not answer" in await text(board, "#connection")
    await shows(board, "#connection", "Live", 60)
    await shows(board, tile(OWN), "Unavailable")


async def test_a_service_that_hangs_leaves_no_tile_that_looks_live(run: Run, program: Program, board: Page) -> None:
    """Its connections stay open, and no heartbeat is due for 25 seconds."""
    pid = server(program, "service")
    os.kill(pid, SIGSTOP)
    try:
        await nothing_looks_live(board, "no connection to the service", 4.0)
    finally:
        os.kill(pid, SIGCONT)
    await shows(board, "#connection", "Live", 30)


async def test_a_token_that_ends_leads_to_the_login_and_the_board_goes_on(run: Run, board: Page) -> None:
    run.cli("token", "revoke", "--user", AGENT[0])
    await holds(board, LOGIN)
    await shows(board, ".login .reason", "Your session has ended.")
    assert await board.evaluate(LOOKS_LIVE) == []
    await log_in(board, *AGENT)
    await shows(board, "#connection", "Live")
    await shows(board, tile(OWN), "Unavailable")


async def test_the_own_presence_is_set_on_the_board_and_shown_on_the_tile(run: Run, board: Page) -> None:
    form = "document.querySelector('#own')"
    await board.evaluate(
        f"{form}.presence.value = 'away'; {form}.message.value = 'back at 1 <b>'; {form}.requestSubmit()"
    )
    await shows(board, f"{tile(OWN)} .message", "back at 1 <b>")
    assert await board.evaluate(f'document.querySelector("{tile(OWN)} .presence").textContent') == "Away"
    await board.evaluate(f"{form}.presence.value = 'available'; {form}.message.value = ''; {form}.requestSubmit()")
    await shows(board, f"{tile(OWN)} .presence", "Available")


async def test_who_is_free_shows_those_alone_and_a_filter_finds_names_and_numbers(run: Run, board: Page) -> None:
    keys = f"{TILES}.map(tile => tile.dataset.key).join()"
    with run.phone(OTHER, SECOND_SIP_PASSWORD) as other:
        await asyncio.to_thread(other.wait_registered)
        await board.evaluate("document.querySelector('[name=free]').click()")
        await holds(board, f"{keys} === '{OTHER}'")
    await holds(board, f"{keys} === ''")
    assert await text(board, "#empty") == "Nobody matches what is chosen above."
    await board.evaluate("document.querySelector('[name=free]').click()")
    for words, found in (("AGENT2", OTHER), (OWN, OWN), ("", f"{OWN},{OTHER}")):
        choose = f"const field = document.querySelector('[name=text]'); field.value = '{words}'"
        await board.evaluate(f"{{{choose}; field.dispatchEvent(new Event('input'))}}")
        await holds(board, f"{keys} === '{found}'")


async def test_a_caller_who_waits_is_shown_with_the_members_of_the_queue(run: Run, board: Page) -> None:
    with run.phone() as caller:
        await asyncio.to_thread(caller.wait_registered)
        await asyncio.to_thread(caller.dial, "*55")
        await shows(board, "#queues .queue", "1 waiting")
        assert "agent2" in await text(board, "#queues ul")
        await shows(board, "#queues ol", OWN)
        await asyncio.to_thread(caller.hangup)
        await shows(board, "#queues .queue", "0 waiting")


ODD = {
    "<img src=x onerror=alert(1)> & 'quotes'": "30001",
    "שלום עולם": "30002",
    "🦊 Fox 👩‍💻": "30003",
    "W" * 200: "30004",
}


async def test_odd_names_are_shown_as_they_are_and_break_nothing(run: Run, chromium: Browser) -> None:
    for name, extension in ODD.items():
        user = {"name": name, "passwd": "her-long-password", "user_type": "agent"}
        assert run.request("POST", "/user/create", headers=ADMIN, body=user).status == 200
        body = {"extension": extension, "username": name}
        assert run.request("POST", "/api/v1/connector.extension.create", headers=ADMIN, body=body).status == 200
    async with chromium.page(f"{run.base}/board") as page:
        await page.resize(320)
        await log_in(page, *AGENT)
        await holds(page, f"{TILES}.length >= 5")
        for name, extension in ODD.items():
            await page.evaluate(f"document.querySelector('[name=text]').value = '{extension}'")
            await page.evaluate("document.querySelector('[name=text]').dispatchEvent(new Event('input'))")
            await holds(page, f"{TILES}.map(tile => tile.dataset.key).join() === '{extension}'")
            assert await page.evaluate(f'document.querySelector("{tile(extension)} .name").textContent') == name
            assert await page.evaluate("document.documentElement.scrollWidth") == 320
            await page.evaluate(f'document.querySelector("{tile(extension)}").click()')
            await shows(page, "dialog.details h2", extension)
            assert await page.evaluate("document.querySelector('dialog.details h2 bdi').textContent") == name
            assert await page.evaluate("document.documentElement.scrollWidth") == 320
            await page.press("Escape")
        assert await page.evaluate("document.querySelectorAll('main img, .tile b b').length") == 0
        assert [line for line in page.console if not line.startswith("log")] == []
    for extension in ODD.values():
        body = {"extension": extension}
        assert run.request("POST", "/api/v1/connector.extension.delete", headers=ADMIN, body=body).status == 200


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


async def test_the_grid_is_one_stop_for_tab_and_arrows_move_inside(run: Run, board: Page) -> None:
    focused = "document.activeElement.dataset.key ?? document.activeElement.tagName"
    assert await board.evaluate(f"{TILES}.filter(tile => tile.tabIndex === 0).length") == 1
    assert await board.evaluate("document.querySelectorAll('#grid a:not([tabindex=\"-1\"])').length") == 0
    await board.evaluate(f'document.querySelector("{tile(OWN)}").focus()')
    for key, expected in (
        ("ArrowRight", OTHER),
        ("ArrowRight", OTHER),
        ("Home", OWN),
        ("End", OTHER),
        ("ArrowLeft", OWN),
    ):
        await board.press(key)
        assert await board.evaluate(focused) == expected, key
    await board.press("Enter")
    await shows(board, "dialog.details h2", OWN)
    await board.press("Escape")
    await holds(board, f"document.activeElement.dataset.key === '{OWN}'")
    await board.press("Tab")
    assert await board.evaluate("document.querySelector('#grid').contains(document.activeElement)") is False


async def test_what_is_watched_is_announced_and_nothing_else(run: Run, board: Page) -> None:
    await board.evaluate(f'document.querySelector("{tile(OTHER)}").click()')
    await board.evaluate(
        "[...document.querySelectorAll('.details button')].find(b => /Watch/.test(b.innerText)).click()"
    )
    await board.press("Escape")
    said = "document.querySelector('#watched').textContent"
    with run.phone() as own:
        await asyncio.to_thread(own.wait_registered)
        await shows(board, tile(OWN), "Free")
        assert await board.evaluate(said) == ""
    with run.phone(OTHER, SECOND_SIP_PASSWORD) as other:
        await asyncio.to_thread(other.wait_registered)
        await holds(board, f"{said} === 'agent2 {OTHER}: Free'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
async def test_axe_finds_no_obstacle_on_the_board(
    run: Run, program: Program, chromium: Browser, modules: Path, scheme: str, width: int
) -> None:
    async with chromium.page() as page:
        await page.resize(width)
        await page.prefer(scheme)
        await page.open(f"{run.base}/board")
        await log_in(page, "admin", "demo-admin-password")
        await holds(page, f"{TILES}.length >= 2")
        await shows(page, "#queues", "demo")
        assert await obstacles(page, modules) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.evaluate(f'document.querySelector("{tile(OWN)}").click()')
        await shows(page, "dialog.details", "Devices")
        assert await obstacles(page, modules) == []
        await page.press("Escape")
        pid = server(program, "service")
        os.kill(pid, SIGSTOP)
        try:
            await nothing_looks_live(page, "no connection to the service", 10)
            assert await obstacles(page, modules) == []
        finally:
            os.kill(pid, SIGCONT)


async def test_a_screen_takes_a_code_of_the_board_and_has_nothing_to_press(
    run: Run, chromium: Browser, modules: Path
) -> None:
    async with chromium.page(f"{run.base}/board") as board, chromium.page(f"{run.base}/board?wall") as page:
        await log_in(board, "admin", "demo-admin-password")
        await holds(board, "document.querySelector('#screen').checkVisibility()")
        await board.evaluate("document.querySelector('#screen').click()")
        await holds(board, "document.querySelector('dialog .code')")
        assert f"{run.base}/board?wall" in await text(board, "dialog.plain")
        assert await obstacles(board, modules) == []
        code = await text(board, "dialog .code")

        await page.resize(1920, 1080)
        await holds(page, "document.querySelector('#screen-code')")
        assert await obstacles(page, modules) == []
        for typed in ("wrong", code):
            await page.evaluate(f"document.querySelector('#screen-code').value = '{typed}'")
            await page.evaluate("document.querySelector('.login button').click()")
            if typed == "wrong":
                await shows(page, ".login .error", "This code is not valid")
        await shows(page, "#connection", "Live")
        await holds(page, f"{TILES}.length >= 2")
        await shows(page, "#queues", "demo")
        pressed = "[...document.querySelectorAll('button, input, select, a')].filter(each => each.checkVisibility())"
        assert await page.evaluate(f"{pressed}.map(each => each.className)") == ["brand"]
        assert await page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > 16
        await holds(page, "document.documentElement.scrollHeight <= innerHeight")
        assert await obstacles(page, modules) == []


async def test_a_screen_whose_access_ended_asks_for_a_new_code(run: Run, chromium: Browser) -> None:
    ended = json.dumps(json.dumps({"authToken": "board_" + "x" * 43, "userId": ADMIN["X-User-Id"]}))
    async with chromium.page(f"{run.base}/livez") as page:
        await page.evaluate(f"localStorage.setItem('connector.screen', {ended})")
        await page.open(f"{run.base}/board?wall")
        await shows(page, ".login .reason", "The access of this screen has ended. Enter a new code.")
