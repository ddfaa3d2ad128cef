"""Keeps the board: whoever learns something new touches it, and items are composed of directory and links."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from service.ami.link import Link
from service.domain.device_states import Freshness
from service.domain.directory import Directory
from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import CallServerView, Item, compose_item
from service.domain.session_watch import SessionWatch

LOOK_EVERY, LOOK_AFTER = 1.0, 0.25
"""Seconds between two looks at what the passing of time changes, which nobody tells; and at least between any two."""


class PresenceComposer:
    """Owns the board. `listener` gives each link what to call when a device of it may read differently."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._links: Mapping[str, Link] = {}
        self._views: dict[str, CallServerView] = {}
        self._current: dict[str, bool] = {}
        self._directory_changed = asyncio.Event()
        soon = asyncio.get_running_loop().call_soon
        self.watch = SessionWatch(directory, soon)
        self.feed = PresenceFeed(self._compose, soon, self._look)

    def follow(self, links: Mapping[str, Link]) -> None:
        """These are the links."""
        self._links = links
        self._views = {name: CallServerView(link.states, link.contacts, link.presences) for name, link in links.items()}
        for name, link in links.items():
            link.changed = self.listener(name)

    def listener(self, call_server: str) -> Callable[[str | None], None]:
        """What a link calls with an endpoint, or with None when everything of it may have changed."""
        touch_one = self.feed.touch_one

        def changed(endpoint: str | None) -> None:
            if endpoint is None:
                self._link_changed(call_server)
            else:
                touch_one(endpoint)

        return changed

    def directory_changed(self, extensions: frozenset[str]) -> None:
        """The directory was read anew: of these extensions, and perhaps of tokens, which may have ended."""
        self._directory_changed.set()
        self.feed.touch(extensions)

    async def run(self) -> None:
        """Watch for links that fall silent or are heard of again, and for tokens that end, until cancelled."""
        while True:
            self._look()
            self.watch.sweep()
            await self._until_due()

    def _look(self) -> None:
        """Notice links that have fallen silent, or are heard of again: nobody tells of that."""
        for name, link in self._links.items():
            if self._current.get(name) is not link.states.current:
                self._link_changed(name)

    @property
    def due_in(self) -> float:
        """Seconds until the next look. A link that is down cannot fall silent, and says itself when it is back."""
        up = (link.states.silent_in for link in self._links.values() if link.states.freshness is Freshness.LIVE)
        return min(max(min(up, default=LOOK_EVERY), LOOK_AFTER), LOOK_EVERY)

    async def _until_due(self) -> None:
        """A change of the directory after a rest is looked at at once; those of a burst together."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.due_in):
                await self._directory_changed.wait()
            self._directory_changed.clear()
            await asyncio.sleep(began + LOOK_AFTER - loop.time())

    def _link_changed(self, call_server: str) -> None:
        self.feed.touch_call_server(call_server)
        now = self._links[call_server].states.current
        if self._current.get(call_server) is not now:
            self._current[call_server] = now
            self.feed.link_changed(call_server, now)

    def _compose(self, number: str) -> Item | None:
        extension = self._directory.extension(number)
        if extension is None:
            return None
        person = self._directory.extension_holder(extension)
        return compose_item(extension, person, self._views.get(extension.call_server))
