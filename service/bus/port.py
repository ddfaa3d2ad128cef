"""The transports of the bus, as its core sees them: messages in, messages out, and nothing to wait for.

Unix sockets, NATS and the simulation implement the same two protocols. The core needs none of a transport's promises:
a message may be lost, repeated, late, or overtake another. Sequence numbers find that out, and a follower then takes a
snapshot. A transport must keep two promises only. A body arrives whole or not at all, and memory is bounded: what does
not fit into a queue is dropped, oldest or newest, and the sender is not told.

All methods and callbacks belong to one event loop. The core sets the callbacks before `run`; they return at once, never
raise, and may call `send` and `publish`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

MAX_BODY = 256 * 1024
"""Bytes of a message at most. A transport drops a longer one that it receives; the core sends none."""


class FollowerPort(Protocol):
    """A follower's end: it hears all collectors of the call servers that it follows."""

    received: Callable[[str, str, bytes], None]
    """Called with the call server, the collector's id and the body: of a publication, or of a message to this follower.
    The transport knows both names from the address that the message came by; it does not read the body."""
    lost: Callable[[str | None], None]
    """Called when messages of this collector, or with None of all of them, can no longer arrive: the connection has
    ended. It may be called too often, and need not be called at all: then the echoes stop."""

    def send(self, call_server: str, body: bytes, to: str | None = None) -> None:
        """Send to one collector of a call server, or with None to all of them. It never waits, and never raises."""
        ...

    async def run(self) -> None:
        """Connect, and connect again whenever the connection ends, until cancelled."""
        ...


class CollectorPort(Protocol):
    """A collector's end."""

    received: Callable[[str, str, bytes], None]
    """Called with the call server, the follower's address and the body. The address is the transport's own: good for
    `send` until that follower goes."""

    def publish(self, call_server: str, body: bytes) -> None:
        """Send to all followers of a call server. It never waits, and never raises."""
        ...

    def send(self, to: str, call_server: str, body: bytes) -> None:
        """Send to one follower, by its address; nothing happens if it is gone. It never waits, and never raises."""
        ...

    async def run(self) -> None:
        """Accept followers, or keep a connection to the broker, until cancelled."""
        ...
