"""The queues of one call server: who is a member, who waits, and Asterisk's own averages.

Synchronous and pure, and fed by the same link as the device states. `QueueStatus` lists all queues; what queue events
tell while it is taken counts more, by the snapshot rule. Members and callers are facts by name, never counters that go
up and down: so an event that comes late, or twice, cannot make a number wrong for good.

No event tells the averages, so they are the list's: the link takes a new one soon after each call that left a queue or
ended. What no event tells and nobody shows is not kept: the calls that a member took, a caller's position.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from service.domain.models import PJSIP, DeviceState
from service.domain.snapshot import SnapshotMap

GONE = frozenset({DeviceState.UNAVAILABLE, DeviceState.INVALID})
FREE = frozenset({DeviceState.NOT_INUSE, DeviceState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody whom a queue calls. `state` is the queue's own view of the device `state_of`."""

    interface: str
    """What is called, such as `PJSIP/12342` or `Local/12342@agents`: a queue has each once."""
    state_of: str
    """The device whose state counts; the interface itself, unless the queue's configuration says otherwise."""
    state: DeviceState
    paused: bool

    @property
    def logged_in(self) -> bool:
        """As Asterisk's `QueueSummary` counts it."""
        return self.state not in GONE

    @property
    def available(self) -> bool:
        """As Asterisk's `QueueSummary` counts it."""
        return self.state in FREE and not self.paused


@dataclass(frozen=True, slots=True)
class Averages:
    """Seconds, as Asterisk rounds them."""

    hold: int
    talk: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A queue in numbers."""

    name: str
    logged_in: int
    available: int
    callers: int
    averages: Averages


InQueue = tuple[str, str]
"""A queue's name, and a member's interface or a caller's unique id."""


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """What one `QueueStatus` told."""

    averages: dict[str, Averages]
    """By queue: one for each that there is."""
    members: dict[InQueue, Member]
    callers: dict[InQueue, bool]
    """Each is true."""


class Queues:
    """The queues of one call server."""

    def __init__(self) -> None:
        self._averages: dict[str, Averages] = {}
        self._members = SnapshotMap[InQueue, Member]()
        self._callers = SnapshotMap[InQueue, bool]()
        self._by_device: dict[str, set[str]] | None = None  # made when somebody asks, as the next one is
        self._summaries: dict[str, Summary] | None = None
        self.known = False
        """Whether a list was taken since the link is there; the link says whether it is current."""

    def __len__(self) -> int:
        return len(self._averages)

    # --- what the link says ------------------------------------------------------------------------------------

    def begin_snapshot(self) -> None:
        """The list is about to be asked for."""
        self._members.begin_snapshot()
        self._callers.begin_snapshot()

    def end_snapshot(self, listed: QueueSnapshot) -> None:
        """The list's end, and the Pong that closes its window, have been read."""
        self._averages = dict(listed.averages)
        self._members.end_snapshot(listed.members)
        self._callers.end_snapshot(listed.callers)
        self._by_device = self._summaries = None
        self.known = True

    def member(self, queue: str, member: Member) -> None:
        """Somebody is a member now, or another one than before."""
        key = (queue, member.interface)
        before = self._members.get(key)
        if before is None or before.state_of != member.state_of:
            self._by_device = None
        self._summaries = None
        self._members.apply(key, member)

    def member_gone(self, queue: str, interface: str) -> None:
        """Somebody is no member any more."""
        self._by_device = self._summaries = None
        self._members.apply((queue, interface), None)

    def caller_joined(self, queue: str, unique_id: str) -> None:
        """A call waits."""
        self._summaries = None
        self._callers.apply((queue, unique_id), True)

    def caller_left(self, queue: str, unique_id: str) -> None:
        """A call waits no more: it was answered, given up, or sent on."""
        self._summaries = None
        self._callers.apply((queue, unique_id), None)

    def lost(self) -> None:
        """The link is gone, or the list cannot be had: nothing is known."""
        self._averages.clear()
        self._members.lost()
        self._callers.lost()
        self._by_device = self._summaries = None
        self.known = False

    # --- what everybody asks -----------------------------------------------------------------------------------

    def __contains__(self, queue: str) -> bool:
        return queue in self._averages

    def has_member(self, queue: str, interface: str) -> bool:
        """Whether the queue calls this interface."""
        return (queue, interface) in self._members

    def differs(self, listed: QueueSnapshot) -> bool:
        """Whether a list shows what an event should have told: another state of a member, or other callers."""
        members = dict(self._members.items())
        changed = any(
            (member.state, member.paused) != (listed.members[key].state, listed.members[key].paused)
            for key, member in members.items()
            if key in listed.members
        )
        return changed or dict(self._callers.items()) != dict(listed.callers)

    def summaries(self) -> Mapping[str, Summary]:
        """All queues, in the order of their names."""
        if self._summaries is None:
            self._summaries = self._counted()
        return self._summaries

    def of_member(self, device: str) -> Set[str]:
        """The names of the queues that this device is a member of.

        No part or end of a name is enough. The technology may be in any case, as Asterisk takes it.
        """
        if self._by_device is None:
            self._by_device = {}
            for (queue, _), member in self._members.items():
                if queue in self:
                    for name in (member.interface, member.state_of):
                        self._by_device.setdefault(_device(name), set()).add(queue)
        return self._by_device.get(device, frozenset())

    def _counted(self) -> dict[str, Summary]:
        members: dict[str, list[Member]] = {queue: [] for queue in sorted(self._averages)}
        callers = dict.fromkeys(members, 0)
        for (queue, _), member in self._members.items():
            if queue in members:
                members[queue].append(member)
        for queue, _ in self._callers:
            if queue in callers:
                callers[queue] += 1
        return {
            queue: Summary(
                queue,
                sum(member.logged_in for member in called),
                sum(member.available for member in called),
                callers[queue],
                self._averages[queue],
            )
            for queue, called in members.items()
        }


def _device(interface: str) -> str:
    """The name of the device as its events spell it: Asterisk finds a channel driver by its name in any case."""
    technology, endpoint = interface[: len(PJSIP)], interface[len(PJSIP) :]
    return PJSIP + endpoint if technology.upper() == PJSIP else interface
