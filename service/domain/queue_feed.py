"""The queue feed: the queues of all call servers whose queues are known, with numbered changes.

Synchronous and pure. Links call `touch`; the feed compares the queues of a touched call server when somebody reads, and
in a later turn of the loop if somebody is subscribed. As in the presence feed, a subscription is a position in the
feed's own order and no log: its size does not grow, however slow its reader is.

A queue is removed when its Asterisk no longer has it, and when it is unknown: its call server is not live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.domain.device_mapping import DeviceMapping
from service.domain.directory import Directory
from service.domain.models import Extension
from service.domain.presence.change_numbers import ChangeNumbers
from service.domain.queue_entries import Member, QueueContents
from service.domain.queue_members import extension_of
from service.domain.queue_subscriptions import QueueSubscription, QueueSubscriptions
from service.domain.queues import Queues

PAUSE_FACTOR = 4
"""A comparison is followed by a pause of so many times its duration, as thousands of members take milliseconds."""

Owner = tuple[str | None, str | None]
"""A member's extension and the uid of the person to whom it is assigned."""
QueueKey = tuple[str, str]
"""Call server and name of a queue."""


class QueueSource(Protocol):
    """The part of a link that the feed reads."""

    @property
    def queues(self) -> Queues | None: ...

    @property
    def mapping(self) -> DeviceMapping: ...

    def queues_of(self, extension: Extension) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One queue as clients see it."""

    call_server: str
    contents: QueueContents
    owners: tuple[Owner, ...]
    """In the order of the members."""

    @property
    def key(self) -> QueueKey:
        return self.call_server, self.contents.summary.name

    def shows_same(self, other: QueueItem) -> bool:
        """Return whether no client can tell the items apart. Clients see neither averages nor Asterisk's positions."""
        return self.owners == other.owners and _shown(self.contents) == _shown(other.contents)


@dataclass(frozen=True, slots=True)
class QueueChange:
    """The newest change of a queue."""

    number: int
    key: QueueKey
    item: QueueItem | None
    """None if the queue is removed."""
    live: bool
    """Whether the queues of the call server are known."""


@dataclass(slots=True)
class _Compared:
    """An item, and what it was last compared with."""

    item: QueueItem
    contents: QueueContents
    mapping_version: int


class QueueFeed:
    """`call_later` runs a function after so many seconds, in a later turn of the loop."""

    def __init__(
        self,
        sources: Mapping[str, QueueSource],
        directory: Directory,
        instance: str,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.instance = instance
        """The name of this process in cursors."""
        self._sources = dict(sorted(sources.items()))
        self._directory = directory
        self._clock, self._call_later = clock, call_later
        self._compared: dict[str, dict[str, _Compared]] = {name: {} for name in self._sources}
        self._known = dict.fromkeys(self._sources, False)
        self._unknown: dict[str, set[str]] = {}  # removed while their call server was not live
        self._numbers = ChangeNumbers[QueueKey](self)
        self._touched: set[str] = set(self._sources)
        self._scheduled = False
        self._paused_until = 0.0
        self.subscriptions = QueueSubscriptions()

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and key[1] in self._compared.get(key[0], ())

    def __len__(self) -> int:
        return sum(map(len, self._compared.values()))

    # --- writing -----------------------------------------------------------------------------------------------

    def touch(self, call_server: str) -> None:
        """Mark a call server whose queues, members or their owners may have changed."""
        self._touched.add(call_server)
        if not self._scheduled and self.subscriptions:
            self._scheduled = True
            self._call_later(max(0.0, self._paused_until - self._clock()), self._compare_for_subscribers)

    def _compare_for_subscribers(self) -> None:
        self._scheduled = False
        began = self._clock()
        self.catch_up()
        ended = self._clock()
        self._paused_until = ended + PAUSE_FACTOR * (ended - began)

    def _compare(self, call_server: str) -> tuple[set[str], bool]:
        """Number the changed queues of a call server. Returns their names, and whether memberships may have changed."""
        source = self._sources[call_server]
        queues, version = source.queues, source.mapping.version
        contents = queues.contents() if queues is not None else {}
        before, now, changed = self._compared[call_server], {}, set[str]()
        remapped = any(compared.mapping_version != version for compared in before.values())
        for name, content in contents.items():
            now[name] = compared = self._compare_one(call_server, content, source, before.get(name))
            if name not in before or compared.item is not before[name].item:
                changed.add(name)
        self._compared[call_server] = now
        self._known[call_server] = queues is not None
        removed = before.keys() - now.keys()
        for name in [*sorted(removed), *sorted(changed)]:
            self._numbers.record((call_server, name), created=name not in before, deleted=name in removed)
        changed |= removed | self._settle_unknown(call_server, removed)
        return changed, remapped

    def _compare_one(
        self, call_server: str, contents: QueueContents, source: QueueSource, before: _Compared | None
    ) -> _Compared:
        version = source.mapping.version
        if before is not None and before.contents is contents and before.mapping_version == version:
            return before
        owners = tuple(self._owner(member, source.mapping) for member in contents.members)
        item = QueueItem(call_server, contents, owners)
        if before is not None and item.shows_same(before.item):
            item = before.item
        return _Compared(item, contents, version)

    def _settle_unknown(self, call_server: str, removed: Iterable[str]) -> set[str]:
        """Number the queues again that turn out to be gone: until now they were only unknown. Returns their names."""
        unknown = self._unknown.setdefault(call_server, set())
        if not self._known[call_server]:
            unknown.update(removed)
            return set()
        gone = unknown - self._compared[call_server].keys()
        unknown.clear()
        for name in sorted(gone):
            self._numbers.record((call_server, name), created=False, deleted=False)
        return gone

    def _owner(self, member: Member, mapping: DeviceMapping) -> Owner:
        number = extension_of(member, mapping)
        extension = self._directory.extension(number) if number is not None else None
        holder = self._directory.extension_holder(extension) if extension is not None else None
        return number, holder.uid if holder is not None else None

    # --- reading -----------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Compare what was touched, and what has become known or unknown by the passage of time."""
        for name, source in self._sources.items():
            if self._known[name] is (source.queues is None):
                self._touched.add(name)
        if not self._touched:
            return
        touched, self._touched = self._touched, set()
        for call_server in sorted(touched):
            names, remapped = self._compare(call_server)
            self.subscriptions.notify(names, remapped=remapped)

    @property
    def known(self) -> bool:
        """Whether the queues of any call server are known, as of the last `catch_up`."""
        return any(self._known.values())

    @property
    def version(self) -> int:
        """The number of the newest change."""
        return self._numbers.newest

    @property
    def forgotten(self) -> int:
        """The number of the newest change that is no longer remembered."""
        return self._numbers.forgotten

    def items(self, names: frozenset[str] | None = None) -> list[QueueItem]:
        """Return the queues of these names, all if None, sorted by call server and name."""
        return [
            compared.item
            for queues in self._compared.values()
            for name, compared in queues.items()
            if names is None or name in names
        ]

    def changes_since(self, number: int, names: frozenset[str] | None = None) -> list[QueueChange]:
        """Return the newest change of each queue of these names that changed after `number`, oldest first."""
        return [
            QueueChange(at, key, self._item(key), self._known[key[0]])
            for at, key in self._numbers.since(number)
            if names is None or key[1] in names
        ]

    def _item(self, key: QueueKey) -> QueueItem | None:
        compared = self._compared[key[0]].get(key[1])
        return compared.item if compared is not None else None

    def memberships(self, extension: Extension | None) -> frozenset[QueueKey]:
        """Return the queues that an extension is a member of; none if unknown."""
        source = self._sources.get(extension.call_server) if extension is not None else None
        if extension is None or source is None:
            return frozenset()
        return frozenset((extension.call_server, name) for name in source.queues_of(extension))

    def subscribe(
        self, names: frozenset[str] | None, notify: Callable[[], None], *, by_membership: bool
    ) -> QueueSubscription:
        """Subscribe to changes of these queues, all if None. Take the snapshot in the same turn of the loop.

        `notify` is called when there is a change, and must not wait. `by_membership`: the reader's memberships count.
        """
        self.catch_up()
        return self.subscriptions.add(QueueSubscription(names, notify, by_membership))


def _shown(contents: QueueContents) -> tuple[object, ...]:
    summary = contents.summary
    callers = [(caller.waiting_since, caller.caller_id) for caller in contents.callers]
    return summary.logged_in, summary.available, contents.members, callers
