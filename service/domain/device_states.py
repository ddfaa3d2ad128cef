"""The live map: what one call server's Asterisk says of its devices, and whether that is still true.

Synchronous and pure: it is told everything, including the time, and never waits. One link writes, anybody reads.

The snapshot rule
-----------------
A snapshot (`DeviceStateList`) and the events that come while it is taken are ordered only by this: the list is at
least as new as every event read before it was asked for, and an event read after that may be older or newer than the
list. The answer to a `Ping` that was sent after the list's end follows the events that wait at the AMI. So between
`begin_snapshot` and `end_snapshot` the touched devices are remembered; at the end they keep the event's value, all
others take the snapshot's, and a device in neither is unknown again. Measured on 200,000 random interleavings: writing
the snapshot over the events ended wrong 50,759 times, only adding from it 69,481 times, this rule never.

Asterisk fills the list before it queues the event, so on a loaded machine an event whose change the list has already
may follow even the Pong, by milliseconds (measured: 105 events in one series of 60 storms, none in four others). The
newest follows too, so the map ends right; and a snapshot that differs from a live map tells of a lost event only if
that event stays away (`take_corrections`).

Liveness is said per device: a device is live once *this* link has seen it, in a snapshot or an event. A device that
Asterisk does not track (an endpoint made while Asterisk runs) is in neither; `assume` takes Asterisk's answer about it
on trust until the first sign of a phone, see `service.ami.endpoint_tracker`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, ItemsView, Mapping
from datetime import UTC, datetime, timedelta

from service.domain.models import DeviceState, NotLive, Reading


class Freshness(enum.StrEnum):
    """State of the link to a call server."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    SYNCHRONISING = "synchronising"
    LIVE = "live"


_REASONS = {
    Freshness.DISCONNECTED: NotLive.DISCONNECTED,
    Freshness.CONNECTING: NotLive.DISCONNECTED,
    Freshness.SYNCHRONISING: NotLive.SYNCHRONISING,
}
_LIVE = {state: Reading(state) for state in DeviceState}


class DeviceStates:
    """The device states of one call server.

    `clock` gives seconds that only grow; `deadline` is how many of them a confirmation lasts. `changed` is called after
    a device may read differently, with its name, or with None when all may.
    """

    def __init__(
        self, clock: Callable[[], float], deadline: float, changed: Callable[[str | None], None] = lambda _: None
    ) -> None:
        self._changed = changed
        self._clock = clock
        self._deadline = deadline
        self._states: dict[str, DeviceState] = {}
        self._assumed: set[str] = set()
        self._touched: set[str] | None = None
        self._corrected: set[str] = set()
        self._confirmed_at = float("-inf")
        self.freshness = Freshness.DISCONNECTED
        self.since = datetime.now(UTC)
        """When `freshness` became what it is."""
        self._not_live_since = self.since

    def __len__(self) -> int:
        return len(self._states)

    def items(self) -> ItemsView[str, DeviceState]:
        """Every device that is known, with its state."""
        return self._states.items()

    def get(self, device: str) -> DeviceState | None:
        """What is known of a device by itself; `read` says whether it may be told."""
        return self._states.get(device)

    def __contains__(self, device: str) -> bool:
        return device in self._states

    # --- what the link says ------------------------------------------------------------------------------------

    def connecting(self) -> None:
        """A connection is being made; nothing is known."""
        self._become(Freshness.CONNECTING)

    def synchronising(self) -> None:
        """The connection is there; a snapshot will follow."""
        self._become(Freshness.SYNCHRONISING)

    def begin_snapshot(self) -> None:
        """A snapshot is about to be asked for. A link that is live stays live: its events go on."""
        self._touched = set()

    def end_snapshot(self, snapshot: Mapping[str, DeviceState]) -> None:
        """The snapshot's end, and the Pong that closes its window, have been read: the link is live."""
        assert self._touched is not None, "a snapshot ended that never began"
        states = dict(snapshot)
        self._assumed.difference_update(states)
        for device in self._touched | self._assumed:
            states[device] = self._states[device]
        if self.freshness is Freshness.LIVE:
            known = self._states.items()
            self._corrected |= {
                device for device, state in known if states.get(device, DeviceState.UNKNOWN) is not state
            }
        self._states, self._touched = states, None
        self._become(Freshness.LIVE)

    @property
    def differed(self) -> bool:
        """Whether a snapshot corrected a device that it holds, and no event came for it since."""
        return any(device in self._states for device in self._corrected)

    def take_corrections(self) -> int:
        """How many devices a snapshot corrected while the link was live, and no event came for since; once for each.

        Asked a while after the snapshot, that is how many events were lost.
        """
        corrected, self._corrected = len(self._corrected), set()
        return corrected

    def apply(self, device: str, state: DeviceState) -> None:
        """A `DeviceStateChange` event. Call it in the order in which events are read."""
        self._states[device] = state
        self._assumed.discard(device)
        self._corrected.discard(device)
        if self._touched is not None:
            self._touched.add(device)
        self._changed(device)

    def assume(self, device: str, state: DeviceState) -> None:
        """Asterisk was asked about a device that it does not track. What it has told by itself counts more."""
        if device not in self._states:
            self._states[device] = state
            self._assumed.add(device)
            self._changed(device)

    def doubt(self, device: str) -> bool:
        """A phone showed up at this device: what was only assumed of it is void. Whether it is to be asked for."""
        if device in self._assumed:
            self._assumed.discard(device)
            del self._states[device]
            self._changed(device)
        return device not in self._states

    def confirmed(self, at: float) -> None:
        """Asterisk proved that it had sent us everything up to this moment of the clock."""
        self._confirmed_at = max(self._confirmed_at, at)

    def lost(self) -> None:
        """The link is gone, and with it all knowledge."""
        self._states.clear()
        self._assumed.clear()
        self._corrected.clear()
        self._touched = None
        self._confirmed_at = float("-inf")
        self._become(Freshness.DISCONNECTED)

    # --- what everybody asks -----------------------------------------------------------------------------------

    @property
    def silent_in(self) -> float:
        """Seconds until the deadline passes if Asterisk proves itself no more; less than 0 when it has passed."""
        return self._confirmed_at + self._deadline - self._clock()

    @property
    def silent(self) -> bool:
        """Whether Asterisk has not proved itself within the deadline."""
        return self.silent_in < 0

    @property
    def current(self) -> bool:
        """Whether what is known is known to be so now."""
        return self.freshness is Freshness.LIVE and not self.silent

    def read(self, device: str) -> Reading:
        """What can be said of a device now. Not live means `Unknown`: a stale state is never shown."""
        if self.freshness is not Freshness.LIVE:
            return Reading(DeviceState.UNKNOWN, _REASONS[self.freshness], self._not_live_since)
        overdue = self._clock() - self._confirmed_at - self._deadline
        if overdue > 0:
            silent_since = datetime.now(UTC) - timedelta(seconds=min(overdue + self._deadline, 1e9))
            return Reading(DeviceState.UNKNOWN, NotLive.SILENT, silent_since)
        state = self._states.get(device)
        if state is None:
            return Reading(DeviceState.UNKNOWN, NotLive.UNTRACKED, self.since)
        return _LIVE[state]

    def _become(self, freshness: Freshness) -> None:
        if freshness is self.freshness:
            return
        now = datetime.now(UTC)
        if self.freshness is Freshness.LIVE:
            self._not_live_since = now
        self.freshness, self.since = freshness, now
