"""Free ports on this machine, below the range that the kernel gives to outgoing connections."""

import random
import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20_000, 32_000)


BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


def is_free(port: int, host: str = LOOPBACK, kinds: Iterable[socket.SocketKind] = BOTH) -> bool:
    """Whether a server could bind `port` now, by default for TCP and for UDP."""
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:  # as servers do: connections in TIME_WAIT are no hindrance
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def free_port(preferred: int | None = None, *, taken: Iterable[int] = ()) -> int:
    """`preferred` where it is free, else one at random, so that programs that choose at once seldom meet."""
    return free_range(1, preferred, taken=taken).start


def free_range(count: int, preferred: int | None = None, *, taken: Iterable[int] = ()) -> range:
    """`count` free ports in a row, starting at an even one."""
    refused = set(taken)
    firsts = random.sample(CANDIDATES[: -count or None : 2], 200)
    for first in [*([preferred] if preferred else []), *firsts]:
        ports = range(first, first + count)
        if refused.isdisjoint(ports) and all(is_free(port) for port in ports):
            return ports
    raise OSError(f"no {count} free ports in a row were found on {LOOPBACK}")
