"""The presence feed behind the link, and what its readers show."""

from __future__ import annotations

import random
from collections.abc import Callable

from service.ami.link import Link
from service.domain.device_states import Freshness
from service.domain.directory import Directory
from service.domain.models import Extension
from service.runtime.presence_composer import CHECK_INTERVAL, PresenceComposer
from tests.simulation.link.readers import Readers
from tests.simulation.world import World

LATE = 0.01
"""Seconds past the deadline up to which an item may be live: the composer wakes a millisecond after it."""
DIFFERS_FOR = 0.6
"""Seconds for which an item may differ from the reading where nobody polls: two checks of the composer."""


class ShownFeed:
    """The presence feed of one link, and readers of it.

    In half of the universes somebody polls all the time, which composes what is due. In the others there are streams
    alone: what they show is what the composer made in its own time.
    """

    def __init__(
        self, world: World, directory: Directory, link: Link, extensions: list[Extension], chance: random.Random
    ) -> None:
        self._world = world
        self._link = link
        self._polled = chance.random() < 0.5
        self._differs_since: dict[str, float] = {}
        self._suspended, self._woke_at = 0.0, float("-inf")
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
        if self._polled:
            self.composer.feed.catch_up()
        if (wrong := self._readers.wrong()) is not None:
            return wrong
        self._note_suspension()
        for extension in extensions:
            if (wrong := self._wrong_item(extension)) is not None:
                return wrong
        return None

    def _note_suspension(self) -> None:
        if self._world.suspended != self._suspended:
            self._suspended, self._woke_at = self._world.suspended, self._world.monotonic()

    def _wrong_item(self, extension: Extension) -> str | None:
        number, now = extension.number, self._world.monotonic()
        item, reading = self.composer.feed.get(number), self._link.read(extension)
        if item is not None and item.live is reading.live and item.state == reading.state.value:
            self._differs_since.pop(number, None)
            return None
        shown = f"the feed shows {item} of {number}, which reads {reading}"
        if self._polled:
            return shown
        states = self._link.states
        awake = now > self._woke_at + CHECK_INTERVAL  # a timer that was set before does not count the suspended time
        if item is not None and item.live and states.freshness is Freshness.LIVE and states.silent_in < -LATE and awake:
            return f"{-states.silent_in:.3f} s past the deadline {shown}"
        since = self._differs_since.setdefault(number, now)
        return f"for {now - since:.3f} s {shown}" if awake and now - since > DIFFERS_FOR else None
