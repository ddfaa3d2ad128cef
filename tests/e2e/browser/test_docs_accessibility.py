"""The page at /docs on a phone, by keyboard and for assistive technology; and the home page for the latter."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.e2e.browser.docs_page import REGISTRATION, box, fill, opened, shown
from tests.e2e.run import ADMIN, Run
from tests.support.browser import Browser, Page
from tests.support.eventually import eventually

PHONE_WIDTH = 390


async def test_the_page_fits_a_phone_and_its_contents_can_be_reached(docs: Page) -> None:
    await docs.resize(PHONE_WIDTH)
    await opened(docs)
    assert await docs.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [PHONE_WIDTH, PHONE_WIDTH]
    wide = "[...document.querySelectorAll('input, textarea, button, .path, td')].filter(each => "
    wide += f"each.checkVisibility() && each.getBoundingClientRect().right > {PHONE_WIDTH}).map(each => each.outerHTML)"
    assert await docs.evaluate(wide) == []
    link = "document.querySelector('#contents a[href=\"#getMe\"]')"
    assert not await docs.evaluate(f"{link}.checkVisibility()")
    await docs.evaluate("document.querySelector('#menu').click()")
    assert await docs.evaluate(f"{link}.checkVisibility()")
    await docs.evaluate(f"{link}.click()")
    top = f"Math.abs({box('getMe')}.getBoundingClientRect().top) < 100"
    await eventually(lambda: docs.holds(top), what="the call is in view")
    assert not await docs.evaluate(f"{link}.checkVisibility()")


async def test_a_call_is_made_with_the_keyboard_alone(docs: Page) -> None:
    focused = "document.activeElement"

    async def tab_to(condition: str) -> None:
        for _ in range(60):
            await docs.press("Tab")
            if await docs.evaluate(f"Boolean({focused}.{condition})"):
                assert await docs.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"
                return
        raise AssertionError(f"{condition} was never focused")

    await docs.press("Tab")
    assert await docs.evaluate(f"{focused}.textContent") == "Skip to the calls"
    await docs.press("Enter")
    await tab_to(f"matches('#{REGISTRATION} > summary')")
    await docs.press("Enter")
    await eventually(lambda: docs.holds(f"{box(REGISTRATION)}.querySelector('form.try') !== null"), what="it opens")
    await fill(docs, "document", {"#token": ADMIN["X-Auth-Token"], "#uid": ADMIN["X-User-Id"]})
    await tab_to("name === 'id'")
    await docs.evaluate(f"{focused}.select()")
    await docs.type(ADMIN["X-User-Id"])
    await docs.press("Enter")
    line = f"{box(REGISTRATION)}.querySelector('form [role=status]').textContent"
    await eventually(lambda: docs.holds(f"/^[0-9]{{3}} /.test({line})"), what="the response is shown")
    assert re.match("[24]0[04] ", await docs.evaluate(line))
    docs.console = [text for text in docs.console if "404" not in text]


async def test_a_link_to_a_call_opens_it_and_takes_the_focus_there(run: Run, chromium: Browser) -> None:
    async with chromium.page(f"{run.base}/docs#getMe") as page:
        await shown(page)
        await eventually(lambda: page.holds(f"{box('getMe')}.open"), what="the call is open")
        assert await page.evaluate("document.activeElement.parentElement.id") == "getMe"


async def test_every_field_and_button_has_a_name(docs: Page) -> None:
    await opened(docs)
    nameless = (
        "[...document.querySelectorAll('input, textarea, button, select')].filter(each => !(each.labels?.length || "
        "each.textContent.trim() || each.getAttribute('aria-label'))).map(each => each.outerHTML)"
    )
    assert await docs.evaluate(nameless) == []


@pytest.mark.parametrize("path", ["/docs", "/"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (PHONE_WIDTH, "light")])
async def test_axe_finds_no_obstacle(
    run: Run, chromium: Browser, modules: Path, path: str, width: int, scheme: str
) -> None:
    axe = await asyncio.to_thread((modules / "axe-core/axe.min.js").read_text)
    async with chromium.page() as page:
        await page.resize(width)
        await page.prefer(scheme)
        await page.open(run.base + path)
        if path == "/docs":
            await shown(page)
            await opened(page, REGISTRATION, "postConnectorExtensionCreate", "deleteUserByUserId", "getPresenceStream")
        await page.evaluate(f"{axe}; true")
        found = "axe.run().then(told => told.violations.map(each => [each.id, each.nodes.map(node => node.html)]))"
        assert await page.evaluate(found) == []
