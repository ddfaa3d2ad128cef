"""A real browser without a screen: Chromium, told what to do in the Chrome DevTools Protocol.

The few of its methods that are needed have been stable for years: so there is no library between, whose version would
have to follow that of the browser.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import re
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from local import chromium
from local.child_process import parent_death_signal
from tests.support.eventually import eventually

START_WITHIN_S = 30.0
ANSWER_WITHIN_S = 30.0
STOP_WITHIN_S = 5.0
FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    "--no-sandbox",  # it sees no page but ours, and containers and root cannot have the sandbox
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have a small one
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",  # it talks to nobody but us
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # as when a real one agrees
)


KEYS = {
    "Tab": ("", 9),
    "Enter": ("\r", 13),
    "Escape": ("", 27),
    "PageUp": ("", 33),
    "PageDown": ("", 34),
    "End": ("", 35),
    "Home": ("", 36),
    "ArrowLeft": ("", 37),
    "ArrowUp": ("", 38),
    "ArrowRight": ("", 39),
    "ArrowDown": ("", 40),
}
"""The text and the virtual key code of each key."""


NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
"""Why Chromium drops what it is loading when the machine gets a network or loses one, as Docker makes them."""
_NAVIGATED = ("Inspected target navigated or closed", "Cannot find context with specified id")


class PageError(Exception):
    """The page's own script, or the browser, refused; the message says why."""


class PageChanged(PageError):
    """The page went elsewhere while its script ran."""


class Page:
    """One page, with cookies and caches of its own."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self.console: list[str] = []
        """What it said: `log: …`, `error: …`, and what was never caught as `uncaught: …`."""
        self.requests: list[str] = []
        """The URLs that it has asked for."""
        self.network_changes = 0
        """How often something did not load since the machine's networks changed. It is not on the console."""
        self.context = context
        """The browser's id of its profile: pages of one profile share what they store."""
        self._browser = browser
        self._session = session

    async def open(self, url: str) -> None:
        """Go there, and wait until it is loaded; once more if the machine's networks changed meanwhile."""
        while True:
            changes = self.network_changes
            done = await self._call("Page.navigate", url=url)
            failed = done.get("errorText")
            if failed and failed != NETWORK_CHANGED:
                raise PageError(f"{url}: {failed}")
            if not failed:
                await self._loaded()
                if changes == self.network_changes:
                    return

    async def _loaded(self) -> None:
        ready = "document.readyState === 'complete' || new Promise(done => addEventListener('load', () => done()))"
        while True:
            with contextlib.suppress(PageChanged):  # it goes on to another page by itself
                await self.evaluate(ready)
                return

    async def holds(self, condition: str) -> bool:
        """Whether an expression of the page is true. A page that goes elsewhere meanwhile has none."""
        try:
            return bool(await self.evaluate(f"Boolean({condition})"))
        except PageChanged:
            return False

    async def first(self, script: str) -> None:
        """Run a script in each document before its own."""
        await self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def permit(self, origin: str, permission: str, setting: str) -> None:
        """Have the user answer `granted` or `denied` when a page of an origin asks for something."""
        await self._browser.call(
            "Browser.setPermission",
            permission={"name": permission},
            setting=setting,
            origin=origin,
            browserContextId=self.context,
        )

    async def evaluate(self, script: str, *, gesture: bool = False) -> Any:
        """The value of an expression, as JSON; a promise is waited for. Raises PageError with what it throws.

        `gesture`: as if the user had done it, which lets a page make a sound.
        """
        done = await self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=gesture
        )
        if failed := done.get("exceptionDetails"):
            raise PageError(_thrown(failed))
        return done["result"].get("value")

    async def block(self, *patterns: str) -> None:
        """Have every request fail from now on whose URL matches one of these patterns; without any, none."""
        await self._call("Network.setBlockedURLs", urls=patterns)

    async def leaves(self, script: str) -> None:
        """Run a script that makes the page go elsewhere."""
        with contextlib.suppress(PageChanged):
            await self.evaluate(f"{script}; true")

    async def says(self, text: str, within: float = 30.0, *, after: int = 0) -> int:
        """Wait for a line on the console that holds `text`, behind the first `after`; how many lines it then is."""

        def line() -> int:
            return next((n for n, said in enumerate(self.console, 1) if n > after and text in said), 0)

        return int(await eventually(line, within, f"the page says {text!r}, not {self.console}"))

    async def resize(self, width: int, height: int = 844) -> None:
        """Give the page a viewport of this size, in CSS pixels, as on a phone."""
        await self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True
        )

    async def prefer(self, scheme: str) -> None:
        """Have the user prefer a `light` or a `dark` page."""
        await self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def read_in(self, language: str) -> None:
        """Have the user read pages in this language."""
        await self._call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})

    async def press(self, key: str) -> None:
        """Press a key of `KEYS` on the real keyboard's way."""
        text, code = KEYS[key]
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        await self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def type(self, text: str) -> None:
        """Type into the focused element."""
        await self._call("Input.insertText", text=text)

    async def screenshot(self, path: Path) -> None:
        """All of the page, as a PNG."""
        done = await self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(done["data"]))  # noqa: ASYNC240 - it takes a millisecond

    def hear(self, method: str, told: dict[str, Any]) -> None:
        """What the browser tells of this page."""
        if method == "Runtime.consoleAPICalled":
            words = (str(word.get("value", word.get("description", ""))) for word in told["args"])
            self.console.append(f"{told['type']}: {' '.join(words)}")
        elif method == "Runtime.exceptionThrown":
            self.console.append(f"uncaught: {_thrown(told['exceptionDetails'])}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Log.entryAdded" and NETWORK_CHANGED in told["entry"]["text"]:
            self.network_changes += 1
        elif method == "Log.entryAdded" and (entry := told["entry"])["level"] != "verbose":
            self.console.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}".strip())

    async def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **parameters)


class Browser:
    """One Chromium. `browser()` starts it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """One command of the protocol. Raises PageError when it is refused."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        await self._socket.send_json(message)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await future
        finally:
            del self._waiting[number]
        if "error" in answer:
            said = answer["error"]["message"]
            raise (PageChanged if said.startswith(_NAVIGATED) else PageError)(f"{method}: {said}")
        return dict(answer["result"])

    async def read(self) -> None:
        """Take what it answers and tells, until it ends."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                if (future := self._waiting.get(told["id"])) and not future.done():
                    future.set_result(told)
            elif page := self._pages.get(told.get("sessionId", "")):
                page.hear(told["method"], told["params"])
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PageError("the browser has ended"))

    @contextlib.asynccontextmanager
    async def page(self, url: str | None = None) -> AsyncIterator[Page]:
        """A new page, as of somebody who was never here."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        try:
            async with self.tab(context) as page:
                if url is not None:
                    await page.open(url)
                yield page
        finally:
            await self.call("Target.disposeBrowserContext", browserContextId=context)

    @contextlib.asynccontextmanager
    async def tab(self, context: str) -> AsyncIterator[Page]:
        """A further page in the profile of another one, closed at the end as its user closes a tab."""
        target = (await self.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable", session)
        yield page
        await self.call("Target.closeTarget", targetId=target)


@contextlib.asynccontextmanager
async def browser(*flags: str, microphone: bool = True) -> AsyncIterator[Browser]:
    """A Chromium of its own, that remembers nothing, and whose user allows the microphone or refuses it.

    `flags` win over FLAGS.
    """
    found = await asyncio.to_thread(chromium.find)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            found.program,
            *FLAGS,
            "--use-fake-ui-for-media-stream" + ("" if microphone else "=deny"),  # its user agrees, or does not
            *flags,
            f"--user-data-dir={profile}",
            env=os.environ | found.environment | {"HOME": profile},
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
            preexec_fn=parent_death_signal(signal.SIGKILL),
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(_end, process)
            address, drain = await _address(process)
            stack.callback(drain.cancel)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            socket = await stack.enter_async_context(session.ws_connect(address, max_msg_size=0))
            made = Browser(socket)
            reader = asyncio.create_task(made.read())
            stack.callback(reader.cancel)
            yield made


async def _address(process: Process) -> tuple[str, asyncio.Task[bytes]]:
    """Where it listens, by its own word; and the task that reads on, so that it never waits for a reader."""
    assert process.stderr is not None
    said = b""
    async with asyncio.timeout(START_WITHIN_S):
        while line := await process.stderr.readline():
            said += line
            if found := re.match(rb"DevTools listening on (\S+)", line):
                return found[1].decode(), asyncio.create_task(process.stderr.read())
    raise PageError(f"Chromium ended while it was starting: {said.decode(errors='replace')}")


async def _end(process: Process) -> None:
    """With all its processes: they are one group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_WITHIN_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _thrown(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description") or details["text"])
