"""The page at /docs: what a person sees of the description, with no network but ours."""

from __future__ import annotations

import json

from local import demo_data
from tests.e2e.run import ADMIN, Run
from tests.support.browser import Browser
from tests.support.eventually import eventually

OPERATIONS = "document.querySelectorAll('.operation')"


async def test_every_operation_is_shown_and_opens(run: Run, chromium: Browser) -> None:
    described = json.loads(run.request("GET", "/openapi.json").text)
    operations = {each["operationId"] for methods in described["paths"].values() for each in methods.values()}
    async with chromium.page(f"{run.base}/docs") as page:
        await eventually(lambda: page.evaluate(f"{OPERATIONS}.length"), 10, "operations are shown")
        assert set(await page.evaluate(f"[...{OPERATIONS}].map(each => each.id)")) == operations
        await page.evaluate(f"{OPERATIONS}.forEach(each => {{ each.open = true }})")
        filled = f"[...{OPERATIONS}].every(each => /Answers/.test(each.textContent))"
        await eventually(lambda: page.evaluate(filled), 10, "every operation tells what it answers")
        assert page.console == []
        assert [url for url in page.requests if not url.startswith((run.base, "data:"))] == []


async def test_a_call_is_made_from_the_page(run: Run, chromium: Browser) -> None:
    box = "document.getElementById('getConnectorExtensionGetRegistrationInfoByUserId')"
    values = {"#token": ADMIN["X-Auth-Token"], "#uid": ADMIN["X-User-Id"], "input[name=id]": demo_data.AGENT_UID}
    async with chromium.page(f"{run.base}/docs") as page:
        await eventually(lambda: page.evaluate(f"{OPERATIONS}.length"), 10, "operations are shown")
        await page.evaluate(f"{box}.open = true")
        await eventually(lambda: page.evaluate(f"{box}.querySelector('button') !== null"), 10, "there is a button")
        for field, value in values.items():
            await page.evaluate(f"document.querySelector({field!r}).value = {value!r}")
        await page.evaluate(f"{box}.querySelector('button').click()")
        answered = f"{box}.querySelector('[role=status]').textContent.startsWith('200 OK')"
        await eventually(lambda: page.evaluate(answered), 10, "the answer is shown")
        told = await page.evaluate(f"{box}.textContent")
        assert f'"extension": "{demo_data.AGENT_EXTENSION}"' in told
        assert "x-state-live: true" in told
        assert page.console == []
