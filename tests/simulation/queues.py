"""The model's queues: members, callers in their order, and what held when.

Asterisk tells of a member's changes, of a caller that joins and of one that leaves. It does not tell that those behind
have moved up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.simulation.history import History
from tests.simulation.wire import event

STATUSES = ("UNKNOWN", "NOT_INUSE", "INUSE", "BUSY", "INVALID", "UNAVAILABLE", "RINGING", "RINGINUSE", "ONHOLD")
"""A member's status is the number of its device's state."""
DOWN = "(down)"
"""The caller that waits while Asterisk does not run."""
Headers = list[tuple[str, str]]
Facts = tuple[str, str, bool, int]
"""A member: interface, state, paused, penalty."""


@dataclass
class Member:
    """A member of a queue."""

    interface: str
    state_of: str
    state: str
    penalty: int = 0
    paused: bool = False
    reason: str = ""
    paused_at: int = 0
    added_at: int = 0

    @property
    def facts(self) -> Facts:
        return self.interface, self.state, self.paused, self.penalty


@dataclass
class Caller:
    """A call that waits."""

    unique_id: str
    number: str
    channel: str
    since: int
    joined_at: int


@dataclass
class Queue:
    """A queue; the first of the callers is the next."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    callers: list[Caller] = field(default_factory=list)
    abandoned: int = 0
    member_history: dict[str, History[Facts | None]] = field(default_factory=dict)
    """By interface; None while it is no member."""
    caller_history: History[tuple[str, ...]] = field(default_factory=History)
    """The numbers of the callers in their order."""


class Queues:
    """All queues of one Asterisk. `publish` is called with each event, in order."""

    def __init__(
        self,
        chance: random.Random,
        uptime: Callable[[], float],
        wall: Callable[[], float],
        state_of: Callable[[str], str],
        publish: Callable[[bytes], None],
    ) -> None:
        self._chance = chance
        self._uptime = uptime
        self._wall = wall
        self._state_of = state_of
        self._publish = publish
        self._calls = 0
        self.queues: dict[str, Queue] = {}

    def add_queue(self, name: str) -> None:
        self.queues[name] = Queue(name)
        self._remember_callers(self.queues[name])

    # --- what happens ------------------------------------------------------------------------------------------

    def add_member(self, name: str, interface: str, state_of: str) -> None:
        queue = self.queues[name]
        member = Member(interface, state_of, self._state_of(state_of), added_at=int(self._wall()))
        queue.members[interface] = member
        self._member_changed("QueueMemberAdded", queue, member)

    def remove_member(self, name: str, interface: str) -> None:
        queue = self.queues[name]
        member = queue.members.pop(interface)
        queue.member_history[interface].remember(self._uptime(), None)
        self._publish(event("QueueMemberRemoved", "agent,all", self._member_headers(queue, member)))

    def pause(self, interface: str, paused: bool, reason: str = "") -> None:
        """In all queues, as a supervisor does it."""
        for queue in self.queues.values():
            member = queue.members.get(interface)
            if member is not None and member.paused != paused:
                member.paused, member.reason = paused, reason if paused else ""
                member.paused_at = int(self._wall()) if paused else member.paused_at
                self._member_changed("QueueMemberPause", queue, member)

    def set_penalty(self, name: str, interface: str, penalty: int) -> None:
        queue = self.queues[name]
        member = queue.members[interface]
        if member.penalty != penalty:
            member.penalty = penalty
            self._member_changed("QueueMemberPenalty", queue, member)

    def device_changed(self, device: str) -> None:
        """A device's state was published."""
        state = self._state_of(device)
        for queue in self.queues.values():
            for member in queue.members.values():
                if member.state_of == device and member.state != state:
                    member.state = state
                    self._member_changed("QueueMemberStatus", queue, member)

    def join(self, name: str, number: str, context: str) -> None:
        """A call begins to wait: behind all others."""
        queue = self.queues[name]
        self._calls += 1
        channel = f"Local/{number}@{context}-{2 * self._calls - 2:08x};2"
        unique_id = f"{int(self._wall())}.{2 * self._calls - 1}"
        caller = Caller(unique_id, number, channel, int(self._wall()), len(queue.callers) + 1)
        queue.callers.append(caller)
        self._remember_callers(queue)
        headers = [*_call_headers(caller, context), ("Queue", name), ("Position", str(len(queue.callers)))]
        self._publish(event("QueueCallerJoin", "agent,all", [*headers, ("Count", str(len(queue.callers)))]))

    def leave(self, name: str, number: str, context: str) -> None:
        """A caller hangs up."""
        queue = self.queues[name]
        at = next(at for at, caller in enumerate(queue.callers) if caller.number == number)
        caller = queue.callers.pop(at)
        queue.abandoned += 1
        self._remember_callers(queue)
        headers = [*_call_headers(caller, context), ("Queue", name), ("Position", str(at + 1))]
        waited = int(self._wall()) - caller.since
        abandoned = [*headers, ("OriginalPosition", str(caller.joined_at)), ("HoldTime", str(waited))]
        self._publish(event("QueueCallerAbandon", "agent,all", abandoned))
        self._publish(event("QueueCallerLeave", "agent,all", [*headers, ("Count", str(len(queue.callers)))]))

    def stop(self) -> None:
        """Asterisk ends: nothing holds."""
        for queue in self.queues.values():
            queue.callers.clear()
            queue.caller_history.remember(self._uptime(), (DOWN,))
            for history in queue.member_history.values():
                history.remember(self._uptime(), None)

    def start(self) -> None:
        """Asterisk starts: members are there as they were, and nobody waits."""
        for queue in self.queues.values():
            self._remember_callers(queue)
            for member in queue.members.values():
                member.state = self._state_of(member.state_of)
                queue.member_history[member.interface].remember(self._uptime(), member.facts)

    # --- what holds --------------------------------------------------------------------------------------------

    def listed(self) -> Iterator[list[tuple[str, Headers]]]:
        """The events of a list, queue by queue: each is written with its lock held."""
        for queue in list(self.queues.values()):
            items = [("QueueParams", _params(queue))]
            items += [("QueueMember", self._listed_member(queue, member)) for member in queue.members.values()]
            for position, caller in enumerate(queue.callers, 1):
                items += [("QueueEntry", self._listed_caller(queue, position, caller))]
            yield items

    # --- inside ------------------------------------------------------------------------------------------------

    def _member_changed(self, name: str, queue: Queue, member: Member) -> None:
        history = queue.member_history.setdefault(member.interface, History())
        history.remember(self._uptime(), member.facts)
        self._publish(event(name, "agent,all", self._member_headers(queue, member)))

    def _remember_callers(self, queue: Queue) -> None:
        queue.caller_history.remember(self._uptime(), tuple(caller.number for caller in queue.callers))

    def _member_headers(self, queue: Queue, member: Member) -> Headers:
        first = [("Queue", queue.name), ("MemberName", member.interface), ("Interface", member.interface)]
        *facts, wrapup = _member_facts(member)
        return [*first, *facts, ("Ringinuse", "1"), wrapup]

    def _listed_member(self, queue: Queue, member: Member) -> Headers:
        first = [("Queue", queue.name), ("Name", member.interface), ("Location", member.interface)]
        return [*first, *_member_facts(member)]

    def _listed_caller(self, queue: Queue, position: int, caller: Caller) -> Headers:
        return [
            ("Queue", queue.name), ("Position", str(position)), ("Channel", caller.channel),
            ("Uniqueid", caller.unique_id), ("CallerIDNum", caller.number), ("CallerIDName", "unknown"),
            ("ConnectedLineNum", "unknown"), ("ConnectedLineName", "unknown"),
            ("Wait", str(int(self._wall()) - caller.since)), ("Priority", "0"),
        ]  # fmt: skip


def _member_facts(member: Member) -> Headers:
    return [
        ("StateInterface", member.state_of), ("Membership", "dynamic"), ("Penalty", str(member.penalty)),
        ("CallsTaken", "0"), ("LastCall", "0"), ("LastPause", str(member.paused_at)),
        ("LoginTime", str(member.added_at)), ("InCall", "0"), ("Status", str(STATUSES.index(member.state))),
        ("Paused", str(int(member.paused))), ("PausedReason", member.reason), ("Wrapuptime", "0"),
    ]  # fmt: skip


def _call_headers(caller: Caller, context: str) -> Headers:
    return [
        ("Channel", caller.channel), ("ChannelState", "6"), ("ChannelStateDesc", "Up"),
        ("CallerIDNum", caller.number), ("CallerIDName", "<unknown>"), ("ConnectedLineNum", "<unknown>"),
        ("ConnectedLineName", "<unknown>"), ("Language", "en"), ("AccountCode", ""), ("Context", context),
        ("Exten", caller.number), ("Priority", "3"), ("Uniqueid", caller.unique_id), ("Linkedid", caller.unique_id),
    ]  # fmt: skip


def _params(queue: Queue) -> Headers:
    return [
        ("Queue", queue.name), ("Max", "0"), ("Strategy", "ringall"), ("Calls", str(len(queue.callers))),
        ("Holdtime", "0"), ("TalkTime", "0"), ("Completed", "0"), ("Abandoned", str(queue.abandoned)),
        ("ServiceLevel", "0"), ("ServicelevelPerf", "0.0"), ("ServicelevelPerf2", "0.0"), ("Weight", "0"),
    ]  # fmt: skip
