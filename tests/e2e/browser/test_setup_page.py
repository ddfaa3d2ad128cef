"""The pages of a set-up link in a real browser: for assistive technology, on small screens, and before a camera."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.domain.phone_kinds import PHONE_KINDS
from tests.e2e.browser.conftest import Site
from tests.e2e.browser.test_softphone import bundled
from tests.e2e.run import Run
from tests.integration.setup.support import PUBLIC_URL, add_phone, new_link, settings
from tests.support.browser import Browser, Page
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import Server, Start

KINDS = [name for name, kind in PHONE_KINDS.items() if kind.set_up]
SCREENS = [(320, "light"), (390, "dark"), (1280, "light"), (1280, "dark")]
HEADING = "(document.querySelector('h1')?.textContent ?? '')"
SECRET = "[...document.querySelectorAll('dd, pre')].map(each => each.textContent).join()"
BUTTON = "document.querySelector('button')"
LARGE = "[...document.querySelectorAll('a, button')].every(each => each.getBoundingClientRect().height >= 44)"


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    return await start(settings(database))


async def page_url(database: TestDatabase, server: Server, kind: str) -> str:
    """The URL of a new link's page, at the service itself instead of a proxy."""
    return f"http://127.0.0.1:{server.port}/p/{await new_link(server, await add_phone(database, kind=kind))}"


async def shows(page: Page, heading: str) -> None:
    await eventually(lambda: page.holds(f"{HEADING}.includes({heading!r})"), what=f"the page says {heading}")


async def pressed(page: Page) -> None:
    """Press the button and wait for what it shows."""
    await page.leaves(f"{BUTTON}.click()")
    await eventually(lambda: page.holds(f"location.pathname.endsWith('/show') && {SECRET} !== ''"))


async def obstacles(page: Page, axe: str) -> list[object]:
    await page.evaluate(f"{axe}; true")
    ran = "axe.run().then(told => told.violations.map(each => [each.id, each.nodes.map(node => node.html)]))"
    found: list[object] = await page.evaluate(ran)
    return found


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", KINDS)
async def test_axe_finds_no_obstacle_and_no_screen_is_too_small(
    database: TestDatabase, server: Server, chromium: Browser, modules: Path, kind: str, language: str
) -> None:
    axe = await asyncio.to_thread((modules / "axe-core/axe.min.js").read_text)
    url = await page_url(database, server, kind)

    async def look(page: Page) -> None:
        for width, scheme in SCREENS:
            await page.resize(width)
            await page.prefer(scheme)
            assert await page.evaluate("document.documentElement.scrollWidth") == width
            assert await page.evaluate(LARGE)
            assert await obstacles(page, axe) == []

    async with chromium.page() as page:
        await page.read_in(language)
        await page.open(url)
        assert await page.evaluate("document.documentElement.lang") == language
        await look(page)
        if kind != "linphone":
            await pressed(page)
            assert await page.evaluate("document.documentElement.lang") == language
            await look(page)
        assert page.console == [], "no breach of its policy either"
        assert {urlsplit(each).path.partition("/p/")[0] for each in page.requests} <= {"", "/favicon.ico"}


@pytest.mark.parametrize("language", ["en", "de"])
async def test_axe_finds_no_obstacle_on_a_refusal(
    server: Server, chromium: Browser, modules: Path, language: str
) -> None:
    axe = await asyncio.to_thread((modules / "axe-core/axe.min.js").read_text)
    async with chromium.page() as page:
        await page.read_in(language)
        await page.resize(320)
        await page.open(f"http://127.0.0.1:{server.port}/p/{'A' * 32}")
        assert await page.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [320, 320]
        assert await obstacles(page, axe) == []


async def test_the_button_works_with_the_keyboard_and_nothing_is_shown_again(
    database: TestDatabase, server: Server, chromium: Browser
) -> None:
    url = await page_url(database, server, "desk")
    async with chromium.page(url) as page:
        await page.press("Tab")
        assert await page.evaluate("document.activeElement.type") == "submit"
        assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        await page.press("Enter")
        await eventually(lambda: page.holds(f"{SECRET} !== ''"), what="the account is shown")
        rows = await database.rows("select secret from phones where endpoint = '12342.k3f9'")
        secret = rows[0]["secret"]
        assert secret in await page.evaluate(SECRET)
        await page.leaves("location.reload()")  # as its user agrees to: the form is sent again
        await shows(page, "does not work")
        await page.leaves("history.back()")
        await eventually(lambda: page.holds("!location.pathname.endsWith('/show')"), what="the page before")
        await shows(page, "does not work")
        await page.open(f"{url}/show")
        await shows(page, "does not work")
        assert await page.evaluate(f"document.body.textContent.includes({secret!r})") is False
    rows = await database.rows("select secret from phones where endpoint = '12342.k3f9'")
    assert rows[0]["secret"] == secret, "one of them made another one"


async def test_a_second_click_gets_a_clear_word_and_tells_nothing_twice(
    database: TestDatabase, server: Server, chromium: Browser
) -> None:
    async with chromium.page(await page_url(database, server, "desk")) as page:
        await page.leaves(f"{BUTTON}.click(); {BUTTON}.click()")
        said = f"['Set up a desk phone', 'This link does not work'].includes({HEADING})"
        await eventually(lambda: page.holds(f"location.pathname.endsWith('/show') && {said}"), what="one clear word")
    rows = await database.rows("select count(*) from audit where action = 'secret.disclosed'")
    assert rows[0]["count"] == 1


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
async def test_a_scanner_reads_the_codes_from_the_screen(
    database: TestDatabase,
    server: Server,
    chromium: Browser,
    modules: Path,
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    reader = await asyncio.to_thread((modules / "jsqr/dist/jsQR.js").read_text)
    token_url = await page_url(database, server, "linphone")
    async with chromium.page() as page:
        await page.resize(width)
        await page.prefer(scheme)
        await page.open(token_url)
        read = [await scanned(chromium, page, reader, tmp_path / "linphone.png")]
        await database.execute("update phones set endpoint = '12342.other' where endpoint = '12342.k3f9'")
        await page.open(await page_url(database, server, "gswave"))
        await pressed(page)
        read.append(await scanned(chromium, page, reader, tmp_path / "gswave.png"))
    assert read[0] == f"{PUBLIC_URL}{urlsplit(token_url).path}/linphone.xml"
    rows = await database.rows("select secret from phones where endpoint = '12342.k3f9'")
    assert re.search(rf"<AuthPass>{rows[0]['secret']}</AuthPass>", str(read[1]))


async def scanned(chromium: Browser, page: Page, reader: str, picture: Path) -> object:
    """What jsQR, a reader of photographs, reads in a picture of the page's code and a little around it."""
    await page.screenshot(picture)
    place = "(({x, y, width, height}) => [x - 12, y - 12, width + 24, height + 24])"
    rectangle = await page.evaluate(f"{place}(document.querySelector('.qr').getBoundingClientRect())")
    data = base64.b64encode(await asyncio.to_thread(picture.read_bytes)).decode()
    read = """async (source, [x, y, width, height]) => {
        const image = new Image(); image.src = source; await image.decode();
        const context = new OffscreenCanvas(width, height).getContext('2d');
        context.drawImage(image, -x, -y);
        const {data} = context.getImageData(0, 0, width, height);
        return jsQR(data, width, height, {inversionAttempts: "dontInvert"})?.data ?? null;
    }"""
    async with chromium.page() as other:
        await other.evaluate(f"{reader}; true")
        return await other.evaluate(f"({read})('data:image/png;base64,{data}', {json.dumps(rectangle)})")


async def test_a_browser_registers_with_the_options_that_were_shown(
    run: Run, chromium: Browser, site: Site, modules: Path, tmp_path: Path
) -> None:
    """JsSIP takes Browser-Phone's options: the values are right. Browser-Phone itself was not run, and wants `wss`."""
    headers = run.login("dnhai", "demo-agent-password")
    made = json.loads(run.request("POST", "/api/v1/phones", body={"kind": "browser-phone"}, headers=headers).text)
    async with chromium.page(made["setup"]["url"]) as page:
        await pressed(page)
        options = await page.evaluate(SECRET)
    program = (
        f"import JsSIP from 'jssip'; const given = {options};"
        + """
        const url = `ws://${given.wssServer}:${given.WebSocketPort}${given.ServerPath}`;
        const phone = new JsSIP.UA({
            sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${given.SipUsername}@${given.SipDomain}`,
            password: given.SipPassword, register_expires: 120,
        });
        phone.on("registrationFailed", ({cause}) => console.log(`failed: ${cause}`));
        phone.on("registered", () => console.log("registered"));
        phone.start();
    """
    )
    script = await asyncio.to_thread(bundled, program, modules, tmp_path)
    async with chromium.page(site.runs("options", script)) as page:
        await page.says("registered")
    run.request("DELETE", f"/api/v1/phones/{made['phone']['id']}", headers=headers)
