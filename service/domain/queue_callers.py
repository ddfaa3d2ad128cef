"""The callers that wait in a call server's queues, in the order in which they are answered.

Synchronous and pure. Asterisk tells at which position a caller joins, and nothing of those behind when one leaves: an
order is what follows from the events that came before. So the events that are read while a list is taken are applied to
the list once more, in their order. One that is older than the list changes nothing then: who joined is in it, or has
left since; who left is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping
from dataclasses import replace

from service.domain.queue_entries import Caller, InQueue


class QueueCallers:
    """The callers of all queues. Positions are those of Asterisk when it told them; the order is kept here."""

    def __init__(self) -> None:
        self._queues: dict[str, dict[str, Caller]] = {}
        self._events: list[tuple[InQueue, Caller | None]] | None = None  # since the snapshot began
        self.queue_set: Callable[[str], None] = lambda _: None
        """Called with each queue whose callers may have changed."""

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __contains__(self, key: InQueue) -> bool:
        return key[1] in self._queues.get(key[0], {})

    def keys(self) -> set[InQueue]:
        """Return the queue and the unique id of all callers."""
        return {(queue, unique_id) for queue, callers in self._queues.items() for unique_id in callers}

    def of(self, queue: str) -> Iterator[Caller]:
        """Return the callers of a queue, the next one first."""
        yield from self._queues.get(queue, {}).values()

    def queues(self) -> KeysView[str]:
        """Return the queues with a caller."""
        return self._queues.keys()

    def ordered(self, queue: str) -> list[tuple[str, Caller]] | None:
        """Return the unique ids and callers of a queue, the next one first; None without any."""
        return self._ordered(self._queues, queue)

    @staticmethod
    def _ordered(queues: Mapping[str, Mapping[str, Caller]], queue: str) -> list[tuple[str, Caller]] | None:
        callers = queues.get(queue)
        return None if callers is None else list(callers.items())

    def begin_snapshot(self) -> None:
        """Begin a snapshot: the list is about to be requested."""
        self._events = []

    def end_snapshot(self, snapshot: Mapping[InQueue, Caller]) -> None:
        """End a snapshot: the list's end, and the Pong that closes its window, have been read."""
        events, self._events = self._events or [], None
        known, self._queues = self._queues, {}
        for (queue, unique_id), caller in sorted(snapshot.items(), key=lambda item: item[1].position):
            self._queues.setdefault(queue, {})[unique_id] = _known_since(known.get(queue, {}).get(unique_id), caller)
        for (queue, unique_id), joined in events:
            if joined is not None:
                self.join(queue, unique_id, _known_since(known.get(queue, {}).get(unique_id), joined))
            else:
                self.leave(queue, unique_id)
        for queue in known.keys() | self._queues.keys():
            if self._ordered(known, queue) != self._ordered(self._queues, queue):
                self.queue_set(queue)

    def put(self, queue: str, callers: Iterable[tuple[str, Caller]] | None) -> None:
        """Set a queue's callers as another process knows them, the next one first; None without any."""
        if callers is None:
            self._queues.pop(queue, None)
        else:
            self._queues[queue] = dict(callers)

    def join(self, queue: str, unique_id: str, caller: Caller) -> None:
        """Apply an event: a caller waits, at its position. One that is known keeps its place."""
        if self._events is not None:
            self._events.append(((queue, unique_id), caller))
        callers = self._queues.setdefault(queue, {})
        if unique_id in callers:
            return
        ahead = list(callers.items())[: max(0, caller.position - 1)]
        self._queues[queue] = {**dict(ahead), unique_id: caller, **dict(list(callers.items())[len(ahead) :])}
        self.queue_set(queue)

    def leave(self, queue: str, unique_id: str) -> None:
        """Apply an event: a caller waits no longer."""
        if self._events is not None:
            self._events.append(((queue, unique_id), None))
        callers = self._queues.get(queue, {})
        callers.pop(unique_id, None)
        if not callers:
            self._queues.pop(queue, None)
        self.queue_set(queue)

    def lost(self) -> None:
        """Forget everything: the link is lost, or the list is unavailable."""
        before, self._queues, self._events = self._queues, {}, None
        for queue in before:
            self.queue_set(queue)


def _known_since(known: Caller | None, caller: Caller) -> Caller:
    """Keep the time since which a caller is known to wait: lists tell it in whole seconds."""
    return caller if known is None else replace(caller, waiting_since=known.waiting_since)
