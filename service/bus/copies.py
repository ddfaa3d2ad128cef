"""A follower's copies of one call server's map, by collector: a bounded number, whoever publishes."""

from __future__ import annotations

from collections.abc import Callable

from service.bus.replica import Replica

MAX_COLLECTORS = 8
"""Collectors of one call server that are followed. Two are enough, and a reload adds one for a moment."""


class Copies:
    """The copies. `forgotten` is called with the name of each collector whose copy is removed.

    One that has sent no echo for `deadline` seconds may be: a collector that ends again and again has new ids.
    """

    def __init__(self, clock: Callable[[], float], deadline: float, forgotten: Callable[[str], None]) -> None:
        self.by_collector: dict[str, Replica] = {}
        self._clock = clock
        self._deadline = deadline
        self._forgotten = forgotten
        self._gaps_of_removed = 0

    @property
    def gaps(self) -> int:
        """Changes that were missing since the start, in copies that are removed too."""
        return self._gaps_of_removed + sum(replica.gaps for replica in self.by_collector.values())

    def find_or_add(self, collector: str, shown: Replica | None) -> Replica | None:
        """Return a collector's copy, a new one if there is room: silent ones other than `shown` make some."""
        if (replica := self.by_collector.get(collector)) is not None:
            return replica
        if len(self.by_collector) >= MAX_COLLECTORS:
            self._remove_silent(shown)
        if len(self.by_collector) >= MAX_COLLECTORS:
            return None
        replica = self.by_collector[collector] = Replica(collector)
        return replica

    def remove(self, collector: str) -> Replica | None:
        """Remove a collector's copy and return it, if there is one."""
        self._forgotten(collector)
        replica = self.by_collector.pop(collector, None)
        if replica is not None:
            self._gaps_of_removed += replica.gaps
        return replica

    def _remove_silent(self, shown: Replica | None) -> None:
        now = self._clock()
        for name, replica in list(self.by_collector.items()):
            if replica is not shown and now - replica.echoed_at > self._deadline:
                self.remove(name)
