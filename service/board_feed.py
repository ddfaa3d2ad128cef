"""Keeps the board: whoever learns something new touches it, and items are composed of directory and links."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from service.asterisk.link import Link
from service.live.board import Board
from service.live.directory import Directory
from service.live.presence import CallServerView, Item, item
from service.live.token_watch import TokenWatch

SILENCE_CHECKED_EVERY = 0.25
"""Seconds. A link falls silent by the passing of time, which nobody tells."""


class BoardFeed:
    """Owns the board. `listener` gives each link what to call when a device of it may read differently."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._links: Mapping[str, Link] = {}
        self._views: dict[str, CallServerView] = {}
        self._current: dict[str, bool] = {}
        self.watch = TokenWatch(directory)
        self.board = Board(self._compose, asyncio.get_running_loop().call_soon)

    def follow(self, links: Mapping[str, Link]) -> None:
        """These are the links."""
        self._links = links
        self._views = {name: CallServerView(link.states, link.contacts, link.presences) for name, link in links.items()}
        for name, link in links.items():
            link.changed = self.listener(name)

    def listener(self, call_server: str) -> Callable[[str | None], None]:
        """What a link calls with an endpoint, or with None when everything of it may have changed."""
        touch_one = self.board.touch_one

        def changed(endpoint: str | None) -> None:
            if endpoint is None:
                self.board.touch(self._directory.of_call_server(call_server))
                self._tell_link(call_server)
            else:
                touch_one(endpoint)

        return changed

    def directory_changed(self, extensions: frozenset[str] | None) -> None:
        """The directory was read anew: these extensions, or all when None."""
        if extensions is None:
            self.board.touch_all(self._directory.numbers())
        else:
            self.board.touch(extensions)

    async def run(self) -> None:
        """Watch for links that fall silent, or are heard of again, until cancelled."""
        while True:
            for name, link in self._links.items():
                if self._current.get(name) is not link.states.current:
                    self.listener(name)(None)
            self.watch.sweep()
            await asyncio.sleep(SILENCE_CHECKED_EVERY)

    def _tell_link(self, call_server: str) -> None:
        now = self._links[call_server].states.current
        if self._current.get(call_server) is not now:
            self._current[call_server] = now
            self.board.link_changed(call_server, now)

    def _compose(self, number: str) -> Item | None:
        extension = self._directory.extension(number)
        if extension is None:
            return None
        person = self._directory.holder_of(extension)
        return item(extension, person, self._views.get(extension.call_server))
