"""What a queue holds: its members, its waiting callers, and Asterisk's averages. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.models import DeviceState

LOGGED_OUT_STATES = frozenset({DeviceState.UNAVAILABLE, DeviceState.INVALID})
FREE_STATES = frozenset({DeviceState.NOT_INUSE, DeviceState.UNKNOWN})

InQueue = tuple[str, str]
"""A queue's name, and a member's interface or a caller's unique id."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a queue. `state` is the queue's own view of the device `state_of`.

    Times are in seconds since the epoch by Asterisk's clock; 0: never.
    """

    interface: str
    """The interface that the queue calls, such as `PJSIP/12342` or `Local/12342@agents`; unique within a queue."""
    state_of: str
    """The device whose state counts: the interface, unless the queue's configuration names another."""
    state: DeviceState
    paused: bool
    name: str = ""
    """The name in the queue's configuration; by default the interface."""
    paused_reason: str = ""
    paused_at: int = 0
    """The time of the last pause, which may have ended."""
    penalty: int = 0
    """Members with a lower penalty are called first."""
    in_call: bool = False
    """Whether the member is in a call of this queue."""
    calls_taken: int = 0
    last_call_at: int = 0
    """The end of the last call of this queue."""

    @property
    def logged_in(self) -> bool:
        """As Asterisk's `QueueSummary` counts it."""
        return self.state not in LOGGED_OUT_STATES

    @property
    def available(self) -> bool:
        """As Asterisk's `QueueSummary` counts it."""
        return self.state in FREE_STATES and not self.paused


@dataclass(frozen=True, slots=True)
class Caller:
    """A call that waits in a queue."""

    position: int = 0
    """The position that Asterisk told when it told of the caller, from 1. `QueueCallers` keeps the order."""
    waiting_since: float = 0.0
    """In seconds since the epoch, by this machine's clock, to about a second."""
    caller_id: str | None = None
    """The caller's number; None if it is withheld."""


@dataclass(frozen=True, slots=True)
class Averages:
    """Average times in seconds, rounded by Asterisk."""

    hold: int
    talk: int


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The content of one `QueueStatus` list."""

    averages: dict[str, Averages]
    """By queue; every queue has an entry."""
    members: dict[InQueue, Member]
    callers: dict[InQueue, Caller]


@dataclass(frozen=True, slots=True)
class Summary:
    """A queue's numbers of members and callers."""

    name: str
    logged_in: int
    available: int
    callers: int
    averages: Averages


@dataclass(frozen=True, slots=True)
class QueueContents:
    """A queue with its members in the order of their interfaces, and its callers, the next one first."""

    summary: Summary
    members: tuple[Member, ...]
    callers: tuple[Caller, ...]
