"""The board in Chromium: until its tiles are painted, and from bytes on the AMI socket to a change on the screen.

A frame of the headless browser is 16.7 ms; "painted" is the second frame after the page was changed. The Asterisk is a
scripted one, as a real one cannot say at which moment its bytes were sent. The browser has this machine's clock.
"""

from __future__ import annotations

import asyncio
import json
import time

from tests.bench.report import Row
from tests.bench.rig import people
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import Stage, stage
from tests.support.browser import Page, browser

FEW, MANY, ROUNDS, CHANGES = 1_000, 10_000, 5, 30
TITLE = f"The board of {FEW:,} and of {MANY:,} extensions"
EVENT = "Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/{}\r\nState: {}\r\n\r\n"
WORDS = {"INUSE": "In a call", "NOT_INUSE": "Free"}
PAINTED = """
  const frame = () => new Promise(requestAnimationFrame);
  const painted = async condition => { while (!condition()) await frame(); await frame(); return performance.now(); };
  const now = () => performance.timeOrigin + performance.now();
"""
FIRST_TILES = "painted(() => document.querySelector('.tile .word')?.textContent)"
"""Milliseconds from the navigation."""


def run(rig: Rig) -> list[Row]:
    """Each size with a service of its own."""
    return [row for count in (FEW, MANY) for row in _measured(rig, count)]


def _measured(rig: Rig, count: int) -> list[Row]:
    with stage(rig, count) as on:
        figures = asyncio.run(_in_browser(on, count))
    goals = {
        "tiles painted, from the navigation": "<= 300 ms" if count == FEW else "",
        "change on the screen": "<= 50 ms",
    }
    return [Row(f"{count:,}: {what}", values, "ms", goals.get(what, "")) for what, values in figures.items()]


async def _in_browser(on: Stage, count: int) -> dict[str, list[float]]:
    async with browser() as made:
        figures: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            async with made.page() as page:
                await _open(page, on.service.url, people.headers_of(people.FIRST))
                figures.setdefault("tiles painted, from the navigation", []).append(await _timed(page, FIRST_TILES))
                figures.setdefault("a filter typed", []).append(
                    await _timed(page, _since(_filter(str(people.FIRST + 77))))
                )
                figures.setdefault("everybody again", []).append(await _timed(page, _since(_filter(""))))
                figures.setdefault("grouped by state", []).append(await _timed(page, _since(GROUPED)))
                figures.setdefault("scrolled to the end", []).append(await _timed(page, _since(_scroll(count))))
        async with made.page() as page:
            await _open(page, on.service.url, people.headers_of(people.FIRST))
            await _timed(page, FIRST_TILES)
            figures["change on the screen"] = [await _change(on, page, turn) for turn in range(CHANGES)]
        return figures


async def _open(page: Page, url: str, headers: dict[str, str]) -> None:
    """The board of somebody who is logged in."""
    kept = {"userId": headers["X-User-Id"], "authToken": headers["X-Auth-Token"], "name": "bench"}
    await page.open(f"{url}/livez")
    await page.evaluate(f"sessionStorage.setItem('connector.session', {json.dumps(json.dumps(kept))})")
    await page.open(f"{url}/board")


async def _timed(page: Page, script: str) -> float:
    return float(await page.evaluate(f"(async () => {{ {PAINTED} return {script}; }})()"))


def _since(script: str) -> str:
    return f"(async () => {{ const began = performance.now(); {script}; return await done - began; }})()"


def _filter(text: str) -> str:
    found = f"document.querySelectorAll('.tile').length {'=== 1' if text else '> 10'}"
    change = f"field.value = '{text}'; field.dispatchEvent(new Event('input'))"
    return f"const field = document.querySelector('[name=text]'); {change}; const done = painted(() => {found})"


GROUPED = (
    "const field = document.querySelector('[name=group]'); field.value = 'state'; "
    "field.dispatchEvent(new Event('change')); const done = painted(() => document.querySelector('.row') !== null)"
)


def _scroll(count: int) -> str:
    last = people.FIRST + count - 1
    return f"scrollTo(0, 1e9); const done = painted(() => document.querySelector('[data-key=\"{last}\"]'))"


async def _change(on: Stage, page: Page, turn: int) -> float:
    """Milliseconds from the bytes on the AMI socket until the tile says so, and the frame after it."""
    state = list(WORDS)[turn % len(WORDS)]
    word = f"document.querySelector('[data-key=\"{people.FIRST + 1}\"] .word').textContent === '{WORDS[state]}'"
    script = f"(async () => {{ {PAINTED} await painted(() => {word}); return now(); }})()"
    waiting = asyncio.create_task(page.evaluate(script))
    await page.evaluate("new Promise(requestAnimationFrame)")  # the script above runs by now
    sent = time.time() * 1000
    on.peer.say(EVENT.format(people.FIRST + 1, state).encode())
    return float(await waiting) - sent
