"""One person's two browsers and desk phone: they ring together, one answers, and one is revoked in a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from local.baresip import Phone
from local.demo_data import AGENT_EXTENSION
from service.cli.demo import SECOND_SIP_PASSWORD
from tests.e2e.browser.conftest import Site
from tests.e2e.browser.test_softphone import bundled
from tests.e2e.run import ADMIN, Run
from tests.support.browser import Browser, Page
from tests.support.eventually import eventually

CALLER = "12343"
PERSON = "dnhai"
BY_EXTENSION = "/api/v1/connector.extension.getRegistrationInfoByExtension"
PROGRAM = """
import JsSIP from "jssip";

const { host, callServerConfig, extensionDetails: { extension, password } } = %s;
const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(callServerConfig.websocketPath)],
  uri: `sip:${extension}@${host}`,
  password,
});
phone.on("registered", () => console.log("registered"));
phone.on("registrationFailed", () => console.log("refused"));
phone.on("newRTCSession", ({ session }) => {
  console.log("rings");
  window.call = session;
  session.on("failed", () => console.log("rings no more"));
  session.on("confirmed", () => console.log("talks"));
  session.on("ended", () => console.log("the call is over"));
});
window.phone = phone;
phone.start();
"""
ANSWER = "call.answer({ mediaConstraints: { audio: true, video: false } })"


@dataclass(frozen=True)
class Made:
    """A phone of the person."""

    phone_id: int
    endpoint: str


def ask(run: Run, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = run.request(method, path, headers=ADMIN, body=body)
    assert answer.status == HTTPStatus.OK, answer.text
    return dict(json.loads(answer.text))


@pytest.fixture
def made(run: Run) -> Iterator[dict[str, Made]]:
    """The person's phones, by label."""
    phones = {}
    for label, kind in {"office": "browser", "home": "browser", "desk": "desk"}.items():
        phone = ask(run, "POST", "/api/v1/phones", {"username": PERSON, "kind": kind, "label": label})["phone"]
        phones[label] = Made(phone["id"], phone["endpoint"])
    yield phones
    for phone in phones.values():
        run.request("DELETE", f"/api/v1/phones/{phone.phone_id}", headers=ADMIN)


def info(run: Run, phone: Made) -> dict[str, Any]:
    """What the phone registers with, and its own state."""
    return ask(run, "GET", f"{BY_EXTENSION}?extension={AGENT_EXTENSION}&phone={phone.phone_id}")


async def shows(run: Run, extension: str, made: dict[str, Made], **phones: str) -> None:
    """Wait for these states of the extension, as presence shows it, and of the phones, by label."""

    def states() -> dict[str, str]:
        presence = ask(run, "GET", f"/api/v1/presence/{AGENT_EXTENSION}")["presence"]
        found = {label: str(info(run, made[label])["extensionDetails"]["state"]) for label in phones}
        return {"extension": presence["state"] if presence["live"] else "not live", **found}

    wanted = {"extension": extension, **phones}
    seen: list[dict[str, str]] = []

    def there() -> bool:
        seen.append(states())
        return seen[-1] == wanted

    try:
        await eventually(there)
    except AssertionError:
        pytest.fail(f"{seen[-1]} is not {wanted}")


@pytest.fixture
async def browsers(
    run: Run, made: dict[str, Made], chromium: Browser, site: Site, modules: Path, tmp_path: Path
) -> AsyncIterator[tuple[Page, Page]]:
    """The phones in the office's browser and in that at home, registered."""
    async with AsyncExitStack() as stack:
        pages = []
        for label in ("office", "home"):
            program = bundled(PROGRAM % json.dumps(info(run, made[label])), modules, tmp_path)
            page = await stack.enter_async_context(chromium.page(site.runs(label, program)))
            await page.says("registered")
            pages.append(page)
        yield pages[0], pages[1]


@pytest.fixture
def desk(run: Run, made: dict[str, Made]) -> Iterator[Phone]:
    with run.phone(made["desk"].endpoint, info(run, made["desk"])["extensionDetails"]["password"]) as phone:
        phone.wait_registered()
        yield phone


@pytest.fixture
def caller(run: Run) -> Iterator[Phone]:
    with run.phone(CALLER, SECOND_SIP_PASSWORD) as phone:
        phone.wait_registered()
        yield phone


async def test_two_browsers_and_a_desk_phone_ring_together_and_one_that_is_revoked_in_its_call_rings_no_more(
    run: Run, made: dict[str, Made], browsers: tuple[Page, Page], desk: Phone, caller: Phone
) -> None:
    office, home = browsers
    idle, rings, talks = "Not in use", "Ringing", "In use"
    await shows(run, idle, made, office=idle, home=idle, desk=idle)

    caller.dial(AGENT_EXTENSION)
    seen = {page: await page.says("rings") for page in browsers}
    await asyncio.to_thread(desk.wait_for, "CALL_INCOMING")
    await shows(run, rings, made, office=rings, home=rings, desk=rings)

    await office.evaluate(ANSWER)
    seen[office] = await office.says("talks", after=seen[office])
    seen[home] = await home.says("rings no more", after=seen[home])
    await asyncio.to_thread(desk.wait_for, "CALL_CLOSED")
    await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
    await shows(run, talks, made, office=talks, home=idle, desk=idle)

    ask(run, "DELETE", f"/api/v1/phones/{made['office'].phone_id}")
    await shows(run, idle, made, home=idle, desk=idle)
    await office.evaluate("phone.register()")
    seen[office] = await office.says("refused", after=seen[office])
    caller.hangup()
    seen[office] = await office.says("the call is over", after=seen[office])

    desk.forget()
    caller.forget()
    caller.dial(AGENT_EXTENSION)
    await asyncio.to_thread(desk.wait_for, "CALL_INCOMING")
    await home.says("rings", after=seen[home])
    await shows(run, rings, made, home=rings, desk=rings)
    desk.answer()
    await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
    await shows(run, talks, made, home=idle, desk=talks)
    assert not [line for line in office.console[seen[office] :] if "rings" in line]
    caller.hangup()
    await shows(run, idle, made, home=idle, desk=idle)
    assert not [line for page in browsers for line in page.console if line.startswith("uncaught")]
