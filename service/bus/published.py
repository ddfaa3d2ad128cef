"""One call server's map as a collector publishes it: epochs, numbered changes, and chunks of snapshots.

Whatever writes the call server marks keys; `flush` publishes their newest values. It runs once per turn of the loop,
and before every answer: an answer says that all that was read before is in the numbers that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from service.bus.entries import TABLES, Entries, Key, Table, keys, read
from service.bus.messages import Changes, Chunk, Epoch, encode
from service.bus.port import MAX_BODY
from service.domain.call_server import CallServer
from service.domain.device_states import Freshness

CHUNK = 500
"""Entries of a message at most: about a millisecond to compose."""


class Published:
    """The map of `server`. `publish` sends a body to all followers, and `call_soon` runs `flush` in a later turn.

    It takes the hooks of the call server that report what is written.
    """

    def __init__(
        self,
        server: CallServer,
        publish: Callable[[bytes], None],
        call_soon: Callable[[Callable[[], None]], object],
        new_epoch: Callable[[], str],
    ) -> None:
        self._server = server
        self._publish = publish
        self._call_soon = call_soon
        self._new_epoch = new_epoch
        self.epoch = ""
        self.sequence = 0
        self.queues_known = False
        self._too_long: set[str] = set()
        """Queues whose callers fit into no message. Followers know no queues then: none would be a lie."""
        self._marked: dict[tuple[Table, Key], None] = {}
        self._read: dict[str, None] = {}
        self._scheduled = False
        server.states.freshness_set = self._follow_freshness
        server.states.device_set = partial(self._mark, "devices")
        server.contacts.endpoint_set = self._mark_contacts
        server.presences.key_set = partial(self._mark, "presences")
        server.hints_set = self._mark_hints
        server.all_queues.average_set = partial(self._mark, "averages")
        server.all_queues.members.key_set = partial(self._mark, "members")
        server.all_queues.callers.queue_set = partial(self._mark, "callers")
        server.troubles.device_set = partial(self._mark, "troubles")
        self._follow_freshness()

    def _follow_freshness(self) -> None:
        """Begin an epoch when the link becomes live, and end it when it no longer is."""
        live = self._server.states.freshness is Freshness.LIVE
        if live is not bool(self.epoch):
            self.epoch = self._new_epoch() if live else ""
            self.sequence = 0
            self._marked.clear()
            self._read.clear()
            self._too_long.clear()
            self.announce()

    def announce(self) -> None:
        """Publish the epoch: to followers that have connected since."""
        self._publish(encode(Epoch(self.epoch, self._server.states.freshness)))

    def _mark(self, table: Table, key: Key) -> None:
        if self.epoch:
            self._marked[table, key] = None
            if not self._scheduled:
                self._scheduled = True
                self._call_soon(self._flush_soon)

    def _mark_contacts(self, endpoint: str, read: bool) -> None:
        self._mark("contacts", endpoint)
        if read and self.epoch:
            self._read[endpoint] = None

    def _mark_hints(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            self._mark("hints", number)

    def _flush_soon(self) -> None:
        self._scheduled = False
        self.flush()

    def flush(self) -> None:
        """Publish what has changed."""
        if not self.epoch:
            return
        while self._marked or self._are_queues_known() is not self.queues_known:
            self.queues_known = self._are_queues_known()
            part = list(islice(self._marked, CHUNK))
            for key in part:
                del self._marked[key]
            self._publish_part(part)

    def _are_queues_known(self) -> bool:
        return self._server.all_queues.known and not self._too_long

    def leave_out(self, table: Table, key: Key) -> None:
        """Take that this entry fits into no message: it is unknown to followers."""
        if table == "callers":
            self._too_long.add(key)
            self.queues_known = False

    def _publish_part(self, part: Sequence[tuple[Table, Key]], *, too_long: bool = False) -> None:
        """Publish the newest values of these keys, in several messages if they do not fit into one."""
        endpoints = [key for table, key in part if table == "contacts" and key in self._read]
        for table, key in part:
            if too_long:
                self.leave_out(table, key)
            elif table == "callers":
                self._too_long.discard(key)
        entries = self.entries(part) if not too_long else _absent(part)
        body = encode(Changes(self.epoch, self.sequence + 1, entries, self.queues_known, endpoints))
        if len(body) > MAX_BODY:
            middle = len(part) // 2
            for some in (part[:middle], part[middle:]) if middle else (part,):
                self._publish_part(some, too_long=not middle)  # what never fits is unknown to followers
            return
        self.sequence += 1
        for endpoint in endpoints:
            del self._read[endpoint]
        self._publish(body)

    def entries(self, part: Iterable[tuple[Table, Key]]) -> Entries:
        """Return the present values of these keys; None for one that is not in the map."""
        tables: dict[Table, dict[Key, Any]] = {}
        for table, key in part:
            tables.setdefault(table, {})[key] = read(self._server, table, key)
        return Entries(**tables)

    def keys(self) -> Iterator[tuple[Table, Key]]:
        """Iterate over all keys that are in the map now."""
        listed = [(table, keys(self._server, table)) for table in TABLES]
        return ((table, key) for table, of_table in listed for key in of_table)


def _absent(part: Iterable[tuple[Table, Key]]) -> Entries:
    tables: dict[Table, dict[Key, Any]] = {table: {key: None} for table, key in part}
    return Entries(**tables)


class Snapshot:
    """The chunks of one snapshot for one follower, composed one by one as it asks for them. The last one is empty."""

    def __init__(self, published: Published, number: int) -> None:
        self.number = number
        self.epoch = published.epoch
        self.next_chunk = 0
        self._published = published
        self._keys = published.keys()
        self._pending = list(islice(self._keys, CHUNK))
        self._ended = False

    @property
    def finished(self) -> bool:
        """Whether the last chunk is composed, or the epoch has ended."""
        return self._ended or self.epoch != self._published.epoch

    def compose(self) -> bytes:
        """Return the next chunk. A value that is newer than its number is published with a higher one as well."""
        part = self._pending
        while len(body := self._encode(part)) > MAX_BODY:
            if len(part) == 1:
                self._published.leave_out(*part[0])
                body = self._encode(())
                break
            part = part[: len(part) // 2]
        self._ended = not self._pending
        self.next_chunk += 1
        self._pending = self._following(part)
        return body

    def _following(self, part: list[tuple[Table, Key]]) -> list[tuple[Table, Key]]:
        return self._pending[len(part) :] or list(islice(self._keys, CHUNK))

    def _encode(self, composed: Sequence[tuple[Table, Key]]) -> bytes:
        published = self._published
        return encode(
            Chunk(
                self.epoch,
                self.number,
                self.next_chunk,
                published.sequence,
                published.entries(composed),
                published.queues_known,
                last=not self._pending,
            )
        )
