"""Chunks of a snapshot and changes, in every order that a network may bring them in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

from service.bus.entries import Entries
from service.bus.messages import Changes, Chunk, CollectorFacts, Echo
from service.bus.replica import NEVER, Replica
from service.domain.call_server import LinkFacts
from service.domain.device_states import Freshness
from service.domain.models import DeviceState

FREE, BUSY, RINGING = DeviceState.NOT_INUSE, DeviceState.INUSE, DeviceState.RINGING


def change(sequence: int, device: str, state: DeviceState | None) -> Changes:
    return Changes("e", sequence, Entries(devices={device: state}), queues_known=False)


def chunk(number: int, sequence: int, states: dict[str, DeviceState | None], *, last: bool = False) -> Chunk:
    return Chunk("e", 1, number, sequence, Entries(devices=states), queues_known=False, last=last)


def loading() -> Replica:
    replica = Replica("a")
    replica.begin_epoch("e")
    replica.begin_snapshot(1)
    return replica


def take(replica: Replica, message: Changes | Chunk) -> bool:
    return replica.change(message) if isinstance(message, Changes) else replica.take_chunk(message)


def test_whatever_order_brings_them_the_newest_value_is_kept() -> None:
    changes = [change(4, "1", FREE), change(5, "1", BUSY), change(6, "2", None), change(7, "1", RINGING)]
    chunks = [chunk(0, 5, {"1": BUSY, "3": FREE}), chunk(1, 6, {"2": None, "4": BUSY}, last=True)]
    for positions in itertools.combinations(range(6), 2):
        left: tuple[Iterator[Changes | Chunk], ...] = iter(chunks), iter(changes)
        ordered = [next(left[position not in positions]) for position in range(6)]
        replica = loading()
        for message in ordered:
            assert take(replica, message), positions
        assert replica.complete
        assert replica.tables["devices"] == {"1": RINGING, "3": FREE, "4": BUSY}, positions


def test_a_copy_is_not_complete_before_the_changes_that_its_last_chunk_names() -> None:
    replica = loading()
    take(replica, change(1, "1", FREE))
    take(replica, chunk(0, 3, {"1": RINGING}, last=True))
    assert not replica.complete
    take(replica, change(2, "1", BUSY))
    assert not replica.complete
    take(replica, change(3, "1", RINGING))
    assert replica.complete


def test_changes_that_were_missed_between_a_chunk_and_the_first_change_void_it() -> None:
    replica = loading()
    assert take(replica, change(7, "1", FREE))
    assert not take(replica, chunk(0, 5, {"2": BUSY}, last=True))
    assert not replica.complete
    assert replica.awaited == 0


def test_a_repeated_change_is_ignored() -> None:
    replica = loading()
    take(replica, chunk(0, 5, {"1": FREE}, last=True))
    for sequence, state in ((6, BUSY), (7, RINGING), (6, BUSY)):
        assert take(replica, change(sequence, "1", state))
    assert replica.tables["devices"] == {"1": RINGING}


def test_an_echo_counts_once_all_changes_that_it_names_are_applied() -> None:
    replica = loading()
    take(replica, chunk(0, 5, {"1": FREE}, last=True))
    facts = CollectorFacts(LinkFacts(), {}, 0)
    since = datetime.now(UTC)
    replica.take_echo(Echo(1, "e", 6, 0.5, Freshness.LIVE, since, facts), sent_at=100.0)
    assert (replica.confirmed_at, replica.unproven_since) == (NEVER, 100.0)
    take(replica, change(6, "1", BUSY))
    assert (replica.confirmed_at, replica.unproven_since) == (99.5, None)
    replica.take_echo(Echo(2, "another", 6, 0.5, Freshness.LIVE, since, facts), sent_at=101.0)
    assert replica.confirmed_at == 99.5
