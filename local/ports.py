"""Finds free ports on this machine, below the kernel's range for outgoing connections."""

import random
import socket
from collections import deque
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20_000, 32_000)
BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)

_last_chosen: deque[int] = deque(maxlen=64)
"""This process's last choices. They are not chosen again: whoever got one binds it later, or needs it unused."""


def is_free(port: int, host: str = LOOPBACK, kinds: Iterable[socket.SocketKind] = BOTH) -> bool:
    """Whether a server could bind `port` now, by default for both TCP and UDP."""
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:  # as servers do: connections in TIME_WAIT do not matter
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port(preferred: int | None = None, *, taken: Iterable[int] = ()) -> int:
    """`preferred` if it is free, else a random port, so that simultaneous runs rarely collide."""
    return free_range(1, preferred, taken=taken).start


def free_range(count: int, preferred: int | None = None, *, taken: Iterable[int] = ()) -> range:
    """`count` consecutive free ports, starting at an even one."""
    refused = set(taken)
    sample = random.sample(CANDIDATES[: -count or None : 2], 200)
    firsts = [first for first in sample if first not in _last_chosen]
    for first in [*([preferred] if preferred else []), *firsts]:
        ports = range(first, first + count)
        if refused.isdisjoint(ports) and all(is_free(port) for port in ports):
            _last_chosen.append(first)
            return ports
    raise OSError(f"no {count} free ports in a row were found on {LOOPBACK}")
