"""The login of the pages: where the token is kept, and what happens when it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.browser.pages import AGENT, LOGIN, holds, log_in, obstacles, shows
from tests.e2e.run import Run
from tests.support.browser import Browser

KEPT = "[sessionStorage, localStorage].map(store => store.getItem('connector.session') !== null)"
ASK = """(async () => {
  const link = document.querySelector('link[rel="modulepreload"][href*="session."]');
  const { ask } = await import(link.href);
  return (await (await ask('me')).json()).username;
})()"""


@pytest.mark.parametrize(("stay", "kept"), [(False, "true,false"), (True, "false,true")])
async def test_the_token_is_kept_where_the_person_wants_it_and_no_cookie_is_set(
    run: Run, chromium: Browser, stay: bool, kept: str
) -> None:
    async with chromium.page(f"{run.base}/board") as page:
        await log_in(page, *AGENT, stay=stay)
        await shows(page, "#account", AGENT[0])
        await holds(page, f"String({KEPT}) === '{kept}'")
        await holds(page, "document.cookie === ''")
        await page.open(f"{run.base}/board")
        await shows(page, "#account", AGENT[0])
        await page.leaves("document.querySelector('#account button').click()")
        await holds(page, LOGIN)
        await holds(page, f"String({KEPT}) === 'false,false'")
        assert [line for line in page.console if not line.startswith("log: ")] == []
        assert [url for url in page.requests if not url.startswith(run.base)] == []


@pytest.mark.parametrize("path", ["board", "phone"])
async def test_a_page_of_which_a_part_did_not_arrive_says_so_and_is_loaded_again(
    run: Run, chromium: Browser, path: str
) -> None:
    async with chromium.page() as page:
        await page.block("*/assets/session.*")
        await page.open(f"{run.base}/{path}")
        await shows(page, "#not-loaded", "A part of this page did not arrive.")
        await holds(page, "Number(sessionStorage.getItem('loads')) > 1")
        await page.block()
        await holds(page, LOGIN)
        assert await page.evaluate("document.querySelector('#not-loaded')") is None
        await holds(page, "sessionStorage.getItem('loads') === null")


async def test_a_wrong_password_is_said_and_a_right_one_goes_on(run: Run, chromium: Browser) -> None:
    async with chromium.page(f"{run.base}/board") as page:
        await log_in(page, AGENT[0], "wrong-password")
        await shows(page, ".login .error", "The name or the password is wrong.")
        await log_in(page, *AGENT)
        await shows(page, "#account", AGENT[0])


async def test_a_token_that_ends_leads_to_the_login_and_back_to_the_same_request(run: Run, chromium: Browser) -> None:
    async with chromium.page(f"{run.base}/board") as page:
        await log_in(page, *AGENT)
        await shows(page, "#account", AGENT[0])
        run.cli("token", "revoke", "--user", AGENT[0])
        await page.evaluate(f"window.asked = {ASK}; true")
        await shows(page, ".login .reason", "Your session has ended. Log in to go on.")
        await log_in(page, *AGENT)
        assert await page.evaluate("asked") == AGENT[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_obstacle_at_the_login(run: Run, chromium: Browser, modules: Path, scheme: str) -> None:
    async with chromium.page() as page:
        await page.resize(320)
        await page.prefer(scheme)
        await page.open(f"{run.base}/board")
        await holds(page, LOGIN)
        assert await obstacles(page, modules) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
