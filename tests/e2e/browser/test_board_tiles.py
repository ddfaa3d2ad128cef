"""The tiles of the board: filters, odd names, the keyboard, and what a screen reader is told."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import pytest

from service.cli.demo import SECOND_SIP_PASSWORD
from tests.e2e.browser.board_page import OTHER, OWN, TILES, nothing_looks_live, tile
from tests.e2e.browser.pages import AGENT, holds, log_in, obstacles, shows, text
from tests.e2e.program import Program
from tests.e2e.run import ADMIN, Run, server
from tests.support.browser import Browser, Page


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
