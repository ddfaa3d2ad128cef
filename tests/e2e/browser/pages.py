"""What tests of the pages do in a browser: log in, read, and look for obstacles."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.support.browser import Page
from tests.support.eventually import eventually

LOGIN = "document.querySelector('dialog.login[open]')"
AGENT = ("dnhai", "demo-agent-password")


async def text(page: Page, selector: str) -> str:
    """The text of an element as it is shown; empty if there is none."""
    return str(await page.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))


async def shows(page: Page, selector: str, words: str, within: float = 30.0) -> None:
    """Wait until an element shows these words."""

    told = f"(document.querySelector({json.dumps(selector)})?.innerText ?? '').includes({json.dumps(words)})"
    await eventually(lambda: page.holds(told), within, f"{selector} shows {words!r}")


async def holds(page: Page, condition: str, within: float = 30.0) -> None:
    """Wait for a condition in the page's own words."""
    await eventually(lambda: page.holds(condition), within, condition)


async def log_in(page: Page, name: str, password: str, *, stay: bool = False) -> None:
    """Fill in the form of the login, as soon as it is there, and send it."""
    await holds(page, LOGIN)
    values = {"login-user": name, "login-password": password}
    for field, value in values.items():
        await page.evaluate(f"document.getElementById('{field}').value = {json.dumps(value)}")
    await page.evaluate(f"document.getElementById('login-stay').checked = {json.dumps(stay)}")
    await page.evaluate(f"{LOGIN}.querySelector('button').click()")


async def obstacles(page: Page, modules: Path) -> list[object]:
    """What axe finds."""
    axe = await asyncio.to_thread((modules / "axe-core/axe.min.js").read_text)
    await page.evaluate(f"{axe}; true")
    ran = "axe.run().then(told => told.violations.map(each => [each.id, each.nodes.map(node => node.html)]))"
    found: list[object] = await page.evaluate(ran)
    return found
