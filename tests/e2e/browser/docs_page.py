"""The page at /docs, as a browser test handles it."""

from __future__ import annotations

import json

from tests.support.browser import Page
from tests.support.eventually import eventually

OPERATIONS = "document.querySelectorAll('.operation')"
REGISTRATION = "getConnectorExtensionGetRegistrationInfoByUserId"
TOKEN, UID = ("document.getElementById('token').value", "document.getElementById('uid').value")


def box(operation: str) -> str:
    return f"document.getElementById({operation!r})"


async def shown(page: Page) -> None:
    await eventually(lambda: page.holds(f"{OPERATIONS}.length"), 10, "operations are shown")


async def opened(page: Page, *operations: str) -> None:
    """Open these operations, or all, and wait until they are filled."""
    which = f"{json.dumps(operations)}.map(id => document.getElementById(id))" if operations else f"[...{OPERATIONS}]"
    await page.evaluate(f"{which}.forEach(each => {{ each.open = true }})")
    filled = f"{which}.every(each => each.querySelector('form.try') !== null)"
    await eventually(lambda: page.holds(filled), 10, "each operation has its form")


async def fill(page: Page, within: str, values: dict[str, str]) -> None:
    """Fill fields by their selectors, as if they were typed."""
    for selector, value in values.items():
        field = f"{within}.querySelector({selector!r})"
        await page.evaluate(f"{field}.value = {value!r}")
        await page.evaluate(f"{field}.dispatchEvent(new Event('input', {{bubbles: true}}))")


async def send(page: Page, operation: str, status: str) -> None:
    """Send the request, and wait for a response with this status."""
    await page.evaluate(f"{box(operation)}.querySelector('button[type=submit]').click()")
    line = f"{box(operation)}.querySelector('form [role=status]').textContent"
    await eventually(lambda: page.holds(f"{line}.startsWith({status!r})"), 10, f"the response is {status}")
