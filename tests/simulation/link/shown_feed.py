"""The presence feed behind the link, and what its readers show."""

from __future__ import annotations

import random
from collections.abc import Callable

from service.ami.link import Link
from service.domain.directory import Directory
from service.domain.models import Extension
from service.runtime.presence_composer import PresenceComposer
from tests.simulation.link.readers import Readers


class ShownFeed:
    """The presence feed of one link, and readers of it."""

    def __init__(self, directory: Directory, link: Link, extensions: list[Extension], chance: random.Random) -> None:
        self._link = link
        self.composer = PresenceComposer(directory)
        self.composer.follow({"main": link})
        self.on_changed: Callable[[str | None], None] = lambda _number: None
        """Called with each extension that has changed, None for all, once the feed knows."""
        touch = link.changed

        def changed(number: str | None) -> None:
            touch(number)
            self.on_changed(number)

        link.changed = changed
        numbers = [extension.number for extension in extensions]
        self.composer.feed.touch(numbers)
        self.composer.feed.flush()
        self._readers = Readers(self.composer.feed, chance, numbers)

    def wrong(self, extensions: list[Extension]) -> str | None:
        """Each reader that catches up shows the feed's items, and these are what the link reads now; None if so."""
        if (wrong := self._readers.wrong()) is not None:
            return wrong
        for extension in extensions:
            item, reading = self.composer.feed.get(extension.number), self._link.read(extension)
            if item is None or item.live is not reading.live or item.state != reading.state.value:
                return f"the feed shows {item} of {extension.number}, which reads {reading}"
        return None
