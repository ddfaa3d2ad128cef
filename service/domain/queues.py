"""The queues of one call server: members, waiting callers, and Asterisk's averages.

Synchronous and pure; the link of the device states writes it. `QueueStatus` lists all queues, and by the snapshot rule
concurrent queue events win over the list. Members and callers are kept by name, not as counters, so that a late or
duplicate event cannot make a number permanently wrong.

No event reports the averages. They come from the list, which the link requests again soon after a call has left a queue
or ended. The order of the callers is that of `queue_callers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter

from service.domain.hints import normalise_device
from service.domain.queue_callers import QueueCallers
from service.domain.queue_entries import Averages, Caller, InQueue, Member, QueueContents, QueueSnapshot, Summary
from service.domain.queue_members import number_of
from service.domain.snapshot_map import SnapshotMap


@dataclass(frozen=True, slots=True)
class _MemberIndex:
    """The queues of each device, and of each number that a member stands for."""

    by_device: dict[str, set[str]]
    by_number: dict[str, set[str]]


class Queues:
    """The queues of one call server."""

    def __init__(self) -> None:
        self._averages: dict[str, Averages] = {}
        self._members = SnapshotMap[InQueue, Member]()
        self._callers = QueueCallers()
        self._queues_by_member: _MemberIndex | None = None  # computed on demand, as the contents are
        self._contents: dict[str, QueueContents] | None = None
        self._unchanged: dict[str, QueueContents] = {}
        self.average_set: Callable[[str], None] | None = None
        """Called with each queue whose averages may have been set or removed."""
        self.known = False
        """Whether a list was read on this link; the link knows whether it is current."""

    def __len__(self) -> int:
        return len(self._averages)

    @property
    def waiting(self) -> int:
        """Number of waiting callers."""
        return len(self._callers)

    # --- writing: the link -------------------------------------------------------------------------------------

    def begin_snapshot(self) -> None:
        """Begin a snapshot: the list is about to be requested."""
        self._members.begin_snapshot()
        self._callers.begin_snapshot()

    def end_snapshot(self, snapshot: QueueSnapshot) -> None:
        """End a snapshot: the list's end, and the Pong that closes its window, have been read."""
        before, self._averages = self._averages, dict(snapshot.averages)
        self._report_averages(before)
        self._members.end_snapshot(snapshot.members)
        self._callers.end_snapshot(snapshot.callers)
        self._queues_by_member = self._contents = None
        self.known = True

    def member(self, queue: str, member: Member) -> None:
        """Add or change a member."""
        key = (queue, member.interface)
        before = self._members.get(key)
        if before is None or before.state_of != member.state_of:
            self._queues_by_member = None
        self._contents = None
        self._members.apply(key, member)

    def member_gone(self, queue: str, interface: str) -> None:
        """Remove a member."""
        self._queues_by_member = self._contents = None
        self._members.apply((queue, interface), None)

    def caller_joined(self, queue: str, unique_id: str, caller: Caller) -> None:
        """Add a waiting caller at its position."""
        self._contents = None
        self._callers.join(queue, unique_id, caller)

    def caller_left(self, queue: str, unique_id: str) -> None:
        """Remove a caller that was answered, hung up or left the queue."""
        self._contents = None
        self._callers.leave(queue, unique_id)

    def lost(self) -> None:
        """Forget everything: the link is lost, or the list is unavailable."""
        before, self._averages = self._averages, {}
        self._report_averages(before)
        self._members.lost()
        self._callers.lost()
        self._queues_by_member = self._contents = None
        self.known = False

    def _report_averages(self, before: Mapping[str, Averages]) -> None:
        if self.average_set is not None:
            for queue in before.keys() | self._averages.keys():
                if before.get(queue) != self._averages.get(queue):
                    self.average_set(queue)

    # --- copying: what another process knows ---------------------------------------------------------------------

    @property
    def averages(self) -> dict[str, Averages]:
        """The averages by queue."""
        return self._averages

    @property
    def members(self) -> SnapshotMap[InQueue, Member]:
        """The members of all queues."""
        return self._members

    @property
    def callers(self) -> QueueCallers:
        """The waiting callers of all queues."""
        return self._callers

    def put(
        self,
        averages: Mapping[str, Averages | None],
        members: Mapping[InQueue, Member | None],
        callers: Mapping[str, Sequence[tuple[str, Caller]] | None],
    ) -> None:
        """Set what another process knows of these queues, members and callers; None removes."""
        self._queues_by_member = self._contents = None
        for queue, average in averages.items():
            if average is None:
                self._averages.pop(queue, None)
            else:
                self._averages[queue] = average
        for key, member in members.items():
            self._members.apply(key, member)
        for queue, waiting in callers.items():
            self._callers.put(queue, waiting)

    # --- reading -----------------------------------------------------------------------------------------------

    def __contains__(self, queue: str) -> bool:
        return queue in self._averages

    def has_member(self, queue: str, interface: str) -> bool:
        """Return whether this interface is a member of the queue."""
        return (queue, interface) in self._members

    def differs(self, snapshot: QueueSnapshot) -> bool:
        """Return whether a list has a change that an event should have reported: a member's state, or other callers."""
        members = dict(self._members.items())
        changed = any(
            (member.state, member.paused) != (snapshot.members[key].state, snapshot.members[key].paused)
            for key, member in members.items()
            if key in snapshot.members
        )
        return changed or self._callers.keys() != set(snapshot.callers)

    def contents(self) -> Mapping[str, QueueContents]:
        """Return all queues with their members and callers, sorted by name. An unchanged queue keeps its object."""
        if self._contents is None:
            self._contents = self._unchanged = {
                name: before if (before := self._unchanged.get(name)) is not None and before == contents else contents
                for name, contents in self._collect().items()
            }
        return self._contents

    def summaries(self) -> Mapping[str, Summary]:
        """Return the summaries of all queues, sorted by name."""
        return {name: contents.summary for name, contents in self.contents().items()}

    def of_extension(self, number: str, devices: Iterable[str]) -> Set[str]:
        """Return the names of the queues with an extension as a member: by its number or by one of its devices.

        Names are compared whole; the technology of a device in any case, as in Asterisk.
        """
        if self._queues_by_member is None:
            self._queues_by_member = self._index_members()
        found = set(self._queues_by_member.by_number.get(number, ()))
        for device in devices:
            found.update(self._queues_by_member.by_device.get(device, ()))
        return found

    def _index_members(self) -> _MemberIndex:
        index = _MemberIndex({}, {})
        for (queue, _), member in self._members.items():
            if queue in self:
                for interface in {member.interface, member.state_of}:
                    index.by_device.setdefault(normalise_device(interface), set()).add(queue)
                    if (number := number_of(interface)) is not None:
                        index.by_number.setdefault(number, set()).add(queue)
        return index

    def _collect(self) -> dict[str, QueueContents]:
        members: dict[str, list[Member]] = {queue: [] for queue in sorted(self._averages)}
        for (queue, _), member in self._members.items():
            if queue in members:
                members[queue].append(member)
        return {queue: self._contents_of(queue, called) for queue, called in members.items()}

    def _contents_of(self, queue: str, members: list[Member]) -> QueueContents:
        callers = tuple(self._callers.of(queue))
        logged_in = sum(member.logged_in for member in members)
        available = sum(member.available for member in members)
        return QueueContents(
            Summary(queue, logged_in, available, len(callers), self._averages[queue]),
            tuple(sorted(members, key=attrgetter("interface"))),
            callers,
        )
