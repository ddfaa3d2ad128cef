"""Feeds the presence feed: composes items from directory and links, and touches extensions that change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from service.domain.call_server import CallServer
from service.domain.device_states import Freshness
from service.domain.directory import Directory
from service.domain.presence.extension_counts import ExtensionCounts
from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import CallServerView, Item, compose_item
from service.domain.session_watch import SessionWatch

CHECK_INTERVAL, MIN_CHECK_INTERVAL = 1.0, 0.25
"""Maximum and minimum seconds between checks for changes by the passage of time, which no event reports."""
PAST_DEADLINE = 0.001
"""Seconds past its deadline at which a link is checked: at the very moment it is still current, and time must move."""


class PresenceComposer:
    """Owns the presence feed and the session watch."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._links: Mapping[str, CallServer] = {}
        self._views: dict[str, CallServerView] = {}
        self._current: dict[str, bool] = {}
        self._check_due = asyncio.Event()
        call_soon = asyncio.get_running_loop().call_soon
        self.watch = SessionWatch(directory, call_soon)
        self.feed = PresenceFeed(self._compose, call_soon, self._check_links)
        self.counts = ExtensionCounts()
        self.feed.observers.append(self.counts.replace)
        self.link_observers: list[Callable[[str, bool], None]] = []
        """Called when a call server's link becomes current, and when it no longer is. They must not wait."""

    def follow(self, links: Mapping[str, CallServer]) -> None:
        """Follow these links."""
        self._links = links
        self._views = {
            name: CallServerView(link.states, link.contacts, link.presences, link.mapping)
            for name, link in links.items()
        }
        for name, link in links.items():
            link.changed = self.listener(name)

    def listener(self, call_server: str) -> Callable[[str | None], None]:
        """Return the callback of a link: it takes a changed extension, or None when all may have changed."""
        touch_one = self.feed.touch_one

        def changed(number: str | None) -> None:
            if number is None:
                self._link_changed(call_server)
            else:
                touch_one(number)

        return changed

    def directory_changed(self, extensions: frozenset[str]) -> None:
        """Take a change of the directory: of these extensions, and perhaps of tokens, which may have ended."""
        self._check_due.set()
        self.feed.touch(extensions)

    async def run(self) -> None:
        """Check for silent links and ended tokens until cancelled."""
        while True:
            self._check_links()
            self.watch.sweep()
            await self._wait_until_due()

    def _check_links(self) -> None:
        """Detect links that have become silent or current again, which no event reports."""
        for name in self._links:
            self._check_link(name)

    def _check_link(self, call_server: str) -> bool:
        """Detect whether one link has; returns whether it has."""
        link = self._links.get(call_server)
        if link is None or self._current.get(call_server) is link.states.current:
            return False
        self._link_changed(call_server)
        return True

    @property
    def due_in(self) -> float:
        """Seconds until the next check, more than 0. Only live links count: one that is down reports its return."""
        silent_in = [link.states.silent_in for link in self._links.values() if link.states.freshness is Freshness.LIVE]
        due = (left + PAST_DEADLINE if left >= 0 else MIN_CHECK_INTERVAL for left in silent_in)
        return min([CHECK_INTERVAL, *due])

    async def _wait_until_due(self) -> None:
        """Wait for the next check or a change of the directory. Changes of a burst are checked together."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.due_in):
                await self._check_due.wait()
            self._check_due.clear()
            await asyncio.sleep(min(began + MIN_CHECK_INTERVAL - loop.time(), self.due_in))

    def _link_changed(self, call_server: str) -> None:
        self._check_due.set()  # its deadline may be nearer than the next check
        self.feed.touch_call_server(call_server)
        current = self._links[call_server].states.current
        if self._current.get(call_server) is not current:
            self._current[call_server] = current
            for observe in self.link_observers:
                observe(call_server, current)
            self.feed.link_changed(call_server, current)

    def _compose(self, number: str) -> Item | None:
        extension = self._directory.extension(number)
        if extension is None:
            return None
        if self._check_link(extension.call_server):  # else items may become live between two checks, and stay so
            self._check_due.set()  # nor may they stay silent until a check that was due later
        person = self._directory.extension_holder(extension)
        return compose_item(extension, person, self._views.get(extension.call_server))
