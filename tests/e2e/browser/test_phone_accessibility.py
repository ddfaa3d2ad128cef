"""The page `/phone` on small screens, in light and dark, for the keyboard and for assistive technology."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.browser.pages import AGENT, holds, obstacles, text
from tests.e2e.browser.phone_page import PhonePage
from tests.e2e.browser.test_phone_page import NUMBER, OTHER_NUMBER, alice, bob
from tests.e2e.run import Run
from tests.support.browser import Browser, Page

__all__ = ["alice", "bob"]
SCREENS = [(320, "light"), (390, "dark"), (390, "light"), (1280, "light"), (1280, "dark")]
SMALL = """[...document.querySelectorAll('main button, main input, main select')].filter(each => {
  const { width, height } = each.getBoundingClientRect();
  return each.checkVisibility() && (height < 44 || width < 44);
}).map(each => each.outerHTML)"""


async def look(page: Page, modules: Path, name: str) -> None:
    for width, scheme in SCREENS:
        await page.resize(width)
        await page.prefer(scheme)
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(Path(folder) / f"{name}-{width}-{scheme}.png")
        assert await page.evaluate("document.documentElement.scrollWidth") == width, name
        assert await page.evaluate(SMALL) == [], name
        assert await obstacles(page, modules) == [], name


async def test_axe_finds_no_obstacle_and_no_screen_is_too_small(
    run: Run, chromium: Browser, modules: Path, alice: PhonePage, bob: PhonePage
) -> None:
    await alice.page.evaluate("document.querySelector('details').open = true")
    await look(alice.page, modules, "ready")
    await bob.dial(NUMBER)
    await alice.shows_call("Calls you")
    await look(alice.page, modules, "ringing")
    await alice.press("Answer")
    await bob.press("Transfer")
    await look(bob.page, modules, "transfer")
    await bob.press("Transfer")
    await alice.dial("*43")
    await alice.shows_call("*43", "In call")
    await look(alice.page, modules, "two-calls")
    await bob.press("Hang up")
    await alice.press("Hang up")
    async with chromium.page() as page:
        other = PhonePage(page, run)
        await other.open(*AGENT)
        await holds(page, "!document.querySelector('#set-up').hidden")
        await look(page, modules, "set-up")


async def test_a_call_is_answered_and_ended_with_the_keyboard_and_announced(alice: PhonePage, bob: PhonePage) -> None:
    await alice.page.evaluate("document.querySelector('#number').focus()")
    await alice.page.type(OTHER_NUMBER)
    await alice.page.press("Enter")
    await bob.shows_call("Calls you")
    assert await text(bob.page, "#announcement") == "string, 12342: Calls you"
    assert await bob.page.evaluate("document.title") == "☎ string, 12342 calls"
    await bob.page.evaluate("document.activeElement.blur()")
    for _ in range(40):
        await bob.page.press("Tab")
        if await bob.page.evaluate("document.activeElement.dataset.action") == "answer":
            break
    assert await bob.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await bob.page.press("Enter")
    await alice.shows_call("In call")
    await holds(bob.page, "document.activeElement.closest('.call')")
    await alice.press("Hang up")
    await bob.shows_call("The other party hung up.")
