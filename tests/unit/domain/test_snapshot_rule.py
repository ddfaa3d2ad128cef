"""The snapshot rule under every interleaving that Asterisk can make.

The true Asterisk is modelled as what it is on the wire (docs/architecture, `asterisk/`): a change happens now, its
event joins a queue; the queue is written whenever Asterisk gets to it; a list is written device by device while further
changes happen, and is not interleaved with events; queued events, older than the list or newer, follow it; before it
answers a Ping, Asterisk writes everything that was queued. A device that goes leaves no event but a `Reload`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from service.domain.device_states import DeviceStates, Freshness
from service.domain.models import DeviceState
from tests.support.ami_wire import AmiWire

DEVICES = st.sampled_from(["PJSIP/1", "PJSIP/2", "PJSIP/3"])
STATES = st.sampled_from([DeviceState.NOT_INUSE, DeviceState.INUSE, DeviceState.UNAVAILABLE, DeviceState.RINGING])
RELOAD, PONG = "reload", "pong"


class Interleavings(AmiWire):
    """Asterisk, the wire, and the link that reads it. The map under test is `kind`."""

    kind: type[DeviceStates] = DeviceStates

    def __init__(self) -> None:
        super().__init__()
        self.snapshot: dict[str, DeviceState] | None = None
        self.merging: deque[str] | None = None
        self.asked = self.stale = False
        self.map = self.kind(lambda: 0.0, 1e9)
        self._connect()

    def _connect(self) -> None:
        """A new connection: boot is over, so FullyBooted comes at once and a snapshot is due."""
        self.queue.clear()
        self.wire.clear()
        self.listing = self.snapshot = self.merging = None
        self.asked, self.stale = False, True
        self.map.synchronising()

    # --- what happens in Asterisk ------------------------------------------------------------------------------

    @rule(device=DEVICES, state=STATES)
    def a_state_changes(self, device: str, state: DeviceState) -> None:
        self.truth[device] = state
        self.queue.append((device, state))

    @precondition(lambda self: self.truth)
    @rule(device=DEVICES)
    def a_device_goes(self, device: str) -> None:
        self.truth.pop(device, None)
        self.queue.append(RELOAD)

    # --- what the link does ------------------------------------------------------------------------------------

    @precondition(lambda self: self.stale and not self.asked)
    @rule()
    def the_link_asks_for_a_snapshot(self) -> None:
        self.stale, self.asked = False, True
        self.map.begin_snapshot()
        self.listing, self.listed = deque(sorted(self.truth)), {}

    @precondition(lambda self: self.wire)
    @rule(many=st.integers(1, 3))
    def the_link_reads(self, many: int) -> None:
        for _ in range(min(many, len(self.wire))):
            match self.wire.popleft():
                case "reload":
                    self.stale = True
                case "pong":
                    assert self.snapshot is not None
                    if self.map.freshness is Freshness.LIVE:
                        self.merging = deque([*self.snapshot, *self.map.devices()])
                    else:
                        self._end_snapshot(self.snapshot)
                case ("list end", snapshot):
                    self.snapshot = snapshot
                    self.wire.extend(self.queue)  # it asks for a Pong now; all that is queued comes before it
                    self.queue.clear()
                    self.wire.append(PONG)
                case (device, state):
                    self.map.apply(device, state)

    @precondition(lambda self: self.merging is not None)
    @rule(many=st.integers(1, 3))
    def the_link_merges_a_slice(self, many: int) -> None:
        assert self.merging is not None
        assert self.snapshot is not None
        slice_ = [self.merging.popleft() for _ in range(min(many, len(self.merging)))]
        self.map.merge_snapshot(slice_, self.snapshot)
        if not self.merging:
            self._end_snapshot(None)

    def _end_snapshot(self, snapshot: dict[str, DeviceState] | None) -> None:
        self.map.end_snapshot(snapshot)
        self.snapshot, self.asked, self.merging = None, False, None
        self.map.confirm(0)

    @rule()
    def the_line_is_cut_and_made_again(self) -> None:
        self.map.lost()
        assert all(not self.map.read(device).live for device in self.truth)
        self._connect()

    # --- the property ------------------------------------------------------------------------------------------

    @rule()
    def once_all_is_read_the_map_is_the_truth(self) -> None:
        while self.wire or self.queue or self.listing is not None or self.stale or self.merging is not None:
            if self.merging is not None:
                self.the_link_merges_a_slice(1)
            elif self.wire:
                self.the_link_reads(1)
            elif self.listing is not None:
                self.some_of_the_list_is_written(1)
            elif self.queue:
                self.queued_events_are_written(1)
            elif not self.asked:
                self.the_link_asks_for_a_snapshot()
        assert self.map.freshness is Freshness.LIVE
        assert dict(self.map.items()) == self.truth


class Overwriting(DeviceStates):
    """Naive: the snapshot is written over whatever events said meanwhile."""

    def merge_snapshot(self, devices: Iterable[str], snapshot: Mapping[str, DeviceState]) -> list[str]:
        self._touched = set()
        return super().merge_snapshot(devices, snapshot)

    def end_snapshot(self, snapshot: Mapping[str, DeviceState] | None = None) -> None:
        self._touched = set()
        super().end_snapshot(snapshot)


class Merging(DeviceStates):
    """Naive: the snapshot only adds and changes; nothing ever goes."""

    def merge_snapshot(self, devices: Iterable[str], snapshot: Mapping[str, DeviceState]) -> list[str]:
        return super().merge_snapshot([device for device in devices if device in snapshot], snapshot)


class Adding(DeviceStates):
    """Naive: what is known already is taken for newer."""

    def merge_snapshot(self, devices: Iterable[str], snapshot: Mapping[str, DeviceState]) -> list[str]:
        return super().merge_snapshot([device for device in devices if device not in self], snapshot)


def interleaved(kind: type[DeviceStates], **values: Any) -> None:
    machine = type(kind.__name__, (Interleavings,), {"kind": kind})
    run_state_machine_as_test(machine, settings=settings(deadline=None, database=None, **values))


def test_the_rule_ends_at_the_truth_under_every_interleaving() -> None:
    interleaved(DeviceStates, max_examples=400, stateful_step_count=40)


@pytest.mark.parametrize("kind", [Overwriting, Merging, Adding])
def test_a_naive_rule_fails_the_same_property(kind: type[DeviceStates]) -> None:
    """So the property can fail at all. Nobody needs the smallest example of it: that would take seconds."""
    with pytest.raises(AssertionError):
        interleaved(kind, max_examples=2000, stateful_step_count=40, phases=[Phase.generate], derandomize=True)
