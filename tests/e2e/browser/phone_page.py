"""A person at the page `/phone`: what they press, and what they see and hear."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.e2e.browser.pages import holds, log_in, shows, text
from tests.e2e.run import Run
from tests.support.browser import Browser, Page
from tests.support.eventually import eventually

SPY = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) { super(...given); window.connections.push(this); }
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target instanceof AudioDestinationNode) {
    window.speaker = new AnalyserNode(target.context, { fftSize: 8192 });
    connect.call(this, window.speaker);
  }
  return connect.call(this, target, ...rest);
};
"""
"""Keeps the connections of the calls, and listens to what the page itself plays."""
PLAYED = """(() => {
  if (!window.speaker) return 0;
  const samples = new Float32Array(window.speaker.fftSize);
  window.speaker.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
})()"""
ENERGY = """(async () => {
  const energy = async () => {
    const open = window.connections.filter(each => each.connectionState === "connected");
    const reports = (await Promise.all(open.map(each => each.getStats()))).flatMap(report => [...report.values()]);
    return reports.filter(each => each.type === "inbound-rtp").reduce((sum, each) => sum + each.totalAudioEnergy, 0);
  };
  const before = await energy();
  await new Promise(done => setTimeout(done, 1500));
  return await energy() - before;
})()"""
HEARD = 1e-5


@dataclass
class PhonePage:
    """The page of one person."""

    page: Page
    run: Run

    async def open(self, name: str, password: str, path: str = "/phone") -> None:
        await self.page.first(SPY)
        await self.page.open(self.run.base + path)
        try:
            await log_in(self.page, name, password)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.page.console} {self.page.requests}") from None

    async def set_up(self) -> None:
        """Make this browser's phone, and wait until it is registered."""
        await holds(self.page, "!document.querySelector('#set-up').hidden")
        await self.click("#set-up-button")
        await self.ready()

    async def ready(self, within: float = 30.0) -> None:
        await shows(self.page, "#line-word", "Ready", within)

    async def says(self, words: str, within: float = 30.0) -> None:
        """Wait until the page shows these words, wherever."""
        await shows(self.page, "main", words, within)

    async def dial(self, number: str) -> None:
        await self.page.evaluate(f"document.querySelector('#number').value = {json.dumps(number)}")
        await self.click("#call")

    async def press(self, label: str, within: float = 30.0) -> None:
        """Press the button with this label, once there is one."""
        found = f"[...document.querySelectorAll('main button')].find(b => b.textContent === {json.dumps(label)})"
        await holds(self.page, f"{found}?.checkVisibility() && !{found}.disabled", within)
        await self.page.evaluate(f"{found}.click()", gesture=True)

    async def remove(self) -> None:
        """Remove this browser's phone."""
        await self.click("#remove")
        await shows(self.page, "#line-word", "No phone")

    async def press_key(self, key: str) -> None:
        """Press a key of the dial pad."""
        await self.page.evaluate(f"document.querySelector('#pad [data-key={json.dumps(key)}]').click()", gesture=True)

    async def click(self, selector: str) -> None:
        await self.page.evaluate(f"document.querySelector({json.dumps(selector)}).click()", gesture=True)

    async def cards(self) -> list[str]:
        """What each call's card shows, without its buttons."""
        shown = "[...document.querySelectorAll('.call')].map(c => [...c.querySelectorAll('h2, .doing')]"
        return list(await self.page.evaluate(f"{shown}.map(e => e.innerText.replaceAll('\\n', ' ')).join(': '))"))

    async def shows_call(self, *words: str, within: float = 30.0) -> None:
        """Wait until one card shows all of these."""

        async def there() -> bool:
            return any(all(word in card for word in words) for card in await self.cards())

        try:
            await eventually(there, within)
        except AssertionError:
            seen = f"{await text(self.page, 'main')} {self.page.console[-9:]}"
            raise AssertionError(f"no call shows {words}: {seen}") from None

    async def shows_no_call(self, within: float = 30.0) -> None:
        async def there() -> bool:
            return not await self.cards()

        await eventually(there, within, "no call is shown")

    async def hears(self, within: float = 30.0) -> None:
        """Wait until sound arrives from the other side."""

        async def sound() -> bool:
            return float(await self.page.evaluate(ENERGY)) > HEARD

        await eventually(sound, within, "there is sound")

    async def hears_nothing(self, within: float = 30.0) -> None:
        """Wait until a while passes without sound from the other side."""

        async def silence() -> bool:
            return float(await self.page.evaluate(ENERGY)) <= HEARD

        await eventually(silence, within, "there is silence")

    async def plays(self, within: float = 30.0) -> None:
        """Wait until the page itself plays a sound, such as a ring."""

        async def sound() -> bool:
            return float(await self.page.evaluate(PLAYED)) > 0.01

        await eventually(sound, within, "the page plays a sound")

    async def line(self) -> str:
        return await text(self.page, "#line")


@asynccontextmanager
async def phone_page(run: Run, chromium: Browser, name: str, password: str) -> AsyncIterator[PhonePage]:
    """A browser of this person, whose phone is registered. At the end the phone is removed."""
    async with chromium.page() as page:
        made = PhonePage(page, run)
        await made.open(name, password)
        await made.set_up()
        yield made
        await made.remove()
        assert [line for line in page.console if line.startswith("uncaught")] == []
