"""The messages of the bus, in msgpack behind one byte of version. Whatever is not one of them raises `NoMessage`.

A *collector* holds the link to a call server and publishes its map. An *epoch* is a random id, new each time the link
becomes live; within it, changes are numbered from 1. Nothing in a message compares the clocks of two machines: times of
day are for people, and `ping_age` is a duration.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from service.bus.entries import Entries
from service.bus.port import MAX_BODY
from service.domain.call_server import LinkFacts
from service.domain.custom_presence import Presence
from service.domain.device_states import Freshness
from service.domain.imports.status import ImportStatus
from service.domain.status.facts import LinkFailure

VERSION = b"\x01"
"""Grows with every change that another version would misread. Both sides of a call server need the same."""


class NoMessage(Exception):
    """The bytes are no message of this version, or too many."""


class PresenceFacts(msgspec.Struct, frozen=True):
    """The collector's connection of the account `presence`."""

    connected: bool
    since: datetime
    why_down: str | None
    failure: LinkFailure | None
    remedy: str | None
    opened: int


class CollectorFacts(msgspec.Struct, frozen=True):
    """What a collector knows of its link beside the map: for operators."""

    link: LinkFacts
    refused_accounts: dict[str, str]
    hint_differences: int
    presence: PresenceFacts | None = None
    """None without such an account."""
    imports: ImportStatus | None = None


# --- from a collector ------------------------------------------------------------------------------------------------


class Epoch(msgspec.Struct, frozen=True, tag=True):
    """Published when an epoch begins or ends: all that was said in another one is void."""

    epoch: str
    """Empty while the link is not live."""
    freshness: Freshness
    """Of the link."""


class Changes(msgspec.Struct, frozen=True, tag=True):
    """Published: the newest value of each entry that changed."""

    epoch: str
    sequence: int
    entries: Entries
    queues_known: bool
    read: list[str] = []
    """Endpoints whose contacts were read with their details."""


class Chunk(msgspec.Struct, frozen=True, tag=True):
    """A part of a snapshot. Its entries are as of `sequence`: later changes win over them, earlier ones lose."""

    epoch: str
    snapshot: int
    """The follower's number of the snapshot."""
    number: int
    """From 0."""
    sequence: int
    entries: Entries
    queues_known: bool
    last: bool


class Echo(msgspec.Struct, frozen=True, tag=True):
    """The answer to a nonce."""

    nonce: int
    epoch: str
    sequence: int
    """Of the last change. All that was read from Asterisk until `ping_age` seconds ago is in it or an earlier one."""
    ping_age: float
    """Age in seconds of the last Ping that Asterisk has answered, from when it was sent; infinite without one."""
    freshness: Freshness
    since: datetime
    """Time of the last change of `freshness`."""
    facts: CollectorFacts


class Reply(msgspec.Struct, frozen=True, tag=True):
    """The result of an act."""

    act: int
    failure: str | None
    """Why it failed; None if it did not."""


# --- from a follower -------------------------------------------------------------------------------------------------


class Nonce(msgspec.Struct, frozen=True, tag=True):
    """Asks for an echo."""

    nonce: int


class PullChunk(msgspec.Struct, frozen=True, tag=True):
    """Asks for a snapshot's next chunk. Number 0 begins the snapshot."""

    epoch: str
    snapshot: int
    number: int


class ReadContacts(msgspec.Struct, frozen=True, tag=True):
    """Asks to read an endpoint's contacts soon. Changes report the result."""

    endpoint: str


class SetPresence(msgspec.Struct, frozen=True, tag=True):
    """Asks to set a custom presence."""

    act: int
    presence_id: str
    presence: Presence


FromCollector = Epoch | Changes | Chunk | Echo | Reply
FromFollower = Nonce | PullChunk | ReadContacts | SetPresence

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_from_collector: msgspec.msgpack.Decoder[FromCollector] = msgspec.msgpack.Decoder(FromCollector)
_from_follower: msgspec.msgpack.Decoder[FromFollower] = msgspec.msgpack.Decoder(FromFollower)


def encode(message: FromCollector | FromFollower) -> bytes:
    """Return a message's bytes, which may be more than MAX_BODY."""
    return VERSION + _encoder.encode(message)


def decode_from_collector(body: bytes) -> FromCollector:
    """Parse a collector's message. Raises NoMessage."""
    return _decode(body, _from_collector)


def decode_from_follower(body: bytes) -> FromFollower:
    """Parse a follower's message. Raises NoMessage."""
    return _decode(body, _from_follower)


def _decode(body: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T:
    if len(body) > MAX_BODY:
        raise NoMessage(f"{len(body)} bytes")
    if not body.startswith(VERSION):
        raise NoMessage(f"version {body[:1].hex() or 'missing'}")
    try:
        return decoder.decode(memoryview(body)[len(VERSION) :])
    except (msgspec.DecodeError, RecursionError) as error:
        raise NoMessage(str(error)) from None
