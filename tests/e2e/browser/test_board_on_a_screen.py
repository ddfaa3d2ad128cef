"""The board on a screen on a wall."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.browser.board_page import TILES
from tests.e2e.browser.pages import holds, log_in, obstacles, shows, text
from tests.e2e.run import ADMIN, Run
from tests.support.browser import Browser


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
