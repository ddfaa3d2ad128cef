"""The network between a driver and a server: messages in order, each after its latency, or never."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Message = tuple[Any, ...]
Deliver = Callable[[Message], None]


@dataclass
class Network:
    """What all wires between the two machines have in common."""

    latency: Callable[[], float] = lambda: 0.0
    """Seconds that the next message takes."""
    held: dict[str, bool] = field(default_factory=lambda: {"up": False, "down": False})
    """Whether nothing arrives, at the server (`up`) and at the client (`down`)."""
    wires: dict[Wire, None] = field(default_factory=dict)
    lost: dict[Wire, None] = field(default_factory=dict)
    """Wires that were lost silently, and that the client has not given up."""

    def hold(self, *, up: bool, down: bool) -> None:
        """Begin or end a partition. What was sent arrives when it ends."""
        self.held = {"up": up, "down": down}
        for wire in list(self.wires):
            for lane in (wire.up, wire.down):
                lane.deliver_due()


class Lane:
    """One direction."""

    def __init__(self, network: Network, name: str, deliver: Deliver) -> None:
        self._network = network
        self._name = name
        self.deliver = deliver
        self._queue: deque[tuple[float, Message]] = deque()
        self._loop = asyncio.get_running_loop()
        self._last = 0.0
        self.dead = False
        """Whether messages are lost."""
        self.ended: Callable[[], None] = lambda: None
        """Called once a side is told of the end."""

    def send(self, message: Message) -> None:
        if self.dead:
            return
        self._last = max(self._last, self._loop.time() + self._network.latency())
        self._queue.append((self._last, message))
        self._loop.call_at(self._last, self.deliver_due)

    def deliver_due(self) -> None:
        """Deliver what has arrived, in order."""
        while self._queue and not self.dead and not self._network.held[self._name]:
            at, message = self._queue[0]
            if at > self._loop.time():
                return
            self._queue.popleft()
            if message[0] == "lost":
                self.ended()
            self.deliver(message)

    def die(self) -> None:
        self.dead = True
        self._queue.clear()


class Wire:
    """A connection. Each side is told of its end by the message `("lost", error)`, unless it ends silently."""

    def __init__(self, network: Network, to_server: Deliver, to_client: Deliver) -> None:
        self._network = network
        self._closed = False
        self.up, self.down = Lane(network, "up", to_server), Lane(network, "down", to_client)
        self.up.ended = self.down.ended = lambda: network.wires.pop(self, None)
        network.wires[self] = None

    def close(self, *, by_client: bool, error: BaseException | None = None) -> None:
        """Close it after what was sent."""
        (self.up if by_client else self.down).send(("lost", error))
        (self.down if by_client else self.up).die()
        if by_client:
            self._closed = True
            self._network.lost.pop(self, None)

    def reset(self) -> None:
        """Both sides are told at once; what was under way is lost."""
        for lane in (self.up, self.down):
            if not lane.dead:
                lane.die()
                lane.deliver(("lost", ConnectionResetError(104, "Connection reset by peer")))
        self._network.wires.pop(self, None)

    def lose(self) -> None:
        """A router forgets it: neither side is told."""
        self.up.die()
        self.down.die()
        if self._network.wires.pop(self, self) is None and not self._closed:
            self._network.lost[self] = None
