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
from local.demo_data import AGENT_EXTENSION, AGENT_UID, REGISTRATION_PATH
from service.cli.demo import SECOND_SIP_PASSWORD
from tests.e2e.browser.conftest import Site
from tests.e2e.browser.test_softphone import bundled
from tests.e2e.run import ADMIN, Run
from tests.support.browser import Browser, Page
from tests.support.eventually import wait_until

CALLER = "12343"
AGENT, PASSWORD = "dnhai", "demo-agent-password"
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
class Person:
    """The person, logged in, and the ids and endpoints of their phones, by label."""

    run: Run
    headers: dict[str, str]
    phones: dict[str, tuple[int, str]]

    def info(self, label: str) -> dict[str, Any]:
        """What a phone registers with, and its own state."""
        path = f"{REGISTRATION_PATH}?id={AGENT_UID}&phone={self.phones[label][0]}"
        return ask(self.run, "GET", path, self.headers)

    async def shows(self, extension: str, **phones: str) -> None:
        """Wait for these states of the extension, as presence shows it, and of phones, by label."""

        def there() -> bool:
            presence = ask(self.run, "GET", f"/api/v1/presence/{AGENT_EXTENSION}", self.headers)["presence"]
            if (presence["state"], presence["live"]) != (extension, True):
                return False
            return all(self.info(label)["extensionDetails"]["state"] == state for label, state in phones.items())

        await asyncio.to_thread(wait_until, there, 30, f"the extension is {extension}, the phones are {phones}")


def ask(run: Run, method: str, path: str, headers: dict[str, str], body: Any = None) -> dict[str, Any]:
    answer = run.request(method, path, headers=headers, body=body)
    assert answer.status == HTTPStatus.OK, answer.text
    return dict(json.loads(answer.text))


@pytest.fixture
def person(run: Run) -> Iterator[Person]:
    """They make the phones themselves, with a token of their own: requests are limited by token."""
    made = Person(run, run.login(AGENT, PASSWORD), {})
    for label, kind in {"office": "browser", "home": "browser", "desk": "desk"}.items():
        phone = ask(run, "POST", "/api/v1/phones", made.headers, {"kind": kind, "label": label})["phone"]
        made.phones[label] = phone["id"], phone["endpoint"]
    yield made
    for phone_id, _ in made.phones.values():
        run.request("DELETE", f"/api/v1/phones/{phone_id}", headers=ADMIN)


@pytest.fixture
async def browsers(
    person: Person, chromium: Browser, site: Site, modules: Path, tmp_path: Path
) -> AsyncIterator[tuple[Page, Page]]:
    """The phones in the office's browser and in that at home, registered."""
    async with AsyncExitStack() as stack:
        pages = []
        for label in ("office", "home"):
            program = bundled(PROGRAM % json.dumps(person.info(label)), modules, tmp_path)
            page = await stack.enter_async_context(chromium.page(site.runs(label, program)))
            await page.says("registered")
            pages.append(page)
        yield pages[0], pages[1]


@pytest.fixture
def desk(run: Run, person: Person) -> Iterator[Phone]:
    with run.phone(person.phones["desk"][1], person.info("desk")["extensionDetails"]["password"]) as phone:
        phone.wait_registered()
        yield phone


@pytest.fixture
def caller(run: Run) -> Iterator[Phone]:
    with run.phone(CALLER, SECOND_SIP_PASSWORD) as phone:
        phone.wait_registered()
        yield phone


async def test_two_browsers_and_a_desk_phone_ring_together_and_one_that_is_revoked_in_its_call_rings_no_more(
    run: Run, person: Person, browsers: tuple[Page, Page], desk: Phone, caller: Phone
) -> None:
    office, home = browsers
    idle, rings, talks = "Not in use", "Ringing", "In use"
    await person.shows(idle, office=idle, home=idle, desk=idle)

    caller.dial(AGENT_EXTENSION)
    seen = {page: await page.says("rings") for page in browsers}
    await asyncio.to_thread(desk.wait_for, "CALL_INCOMING")
    await person.shows(rings, office=rings, home=rings, desk=rings)

    await office.evaluate(ANSWER)
    seen[office] = await office.says("talks", after=seen[office])
    seen[home] = await home.says("rings no more", after=seen[home])
    await asyncio.to_thread(desk.wait_for, "CALL_CLOSED")
    await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
    await person.shows(talks, office=talks, home=idle, desk=idle)

    ask(run, "DELETE", f"/api/v1/phones/{person.phones['office'][0]}", person.headers)
    await person.shows(idle, home=idle, desk=idle)
    await office.evaluate("phone.register()")
    seen[office] = await office.says("refused", after=seen[office])
    caller.hangup()
    seen[office] = await office.says("the call is over", after=seen[office])

    desk.forget()
    caller.forget()
    caller.dial(AGENT_EXTENSION)
    await asyncio.to_thread(desk.wait_for, "CALL_INCOMING")
    await home.says("rings", after=seen[home])
    await person.shows(rings, home=rings, desk=rings)
    desk.answer()
    await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
    await person.shows(talks, home=idle, desk=talks)
    assert not [line for line in office.console[seen[office] :] if "rings" in line]
    caller.hangup()
    await person.shows(idle, home=idle, desk=idle)
    assert not [line for page in browsers for line in page.console if line.startswith("uncaught")]
