"""Maps open streams and long-polls to the token that authorises them, so that they close when it ends.

They also close when the role of the token's holder or the scope of the token changes: both change what they may see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from service.domain.directory import Directory
from service.domain.models import Access
from service.errors import DirectoryUnavailable

SLICE_SIZE = 20
"""Requests that are ended in one turn of the loop. Each then has work to do, and thousands may end together."""


class SessionWatch:
    """Call `sweep` regularly, because tokens also expire.

    `call_soon` runs a function in a later turn of the loop.
    """

    def __init__(self, directory: Directory, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._directory = directory
        self._call_soon = call_soon
        self._ending: dict[Callable[[], None], None] = {}
        self._held: dict[Callable[[], None], tuple[bytes, Access]] = {}
        self._closed = False
        self._swept: tuple[int, bool] | None = None  # the directory's version and usability at the last sweep
        self._next_expiry = 0.0

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, token_hash: bytes, access: Access, ended: Callable[[], None]) -> None:
        """Watch a request until it is released. `ended` is called when the token has ended, perhaps repeatedly."""
        self._held[ended] = token_hash, access
        self._swept = None
        if self._closed:
            ended()

    def release(self, ended: Callable[[], None]) -> None:
        """Stop watching a request."""
        del self._held[ended]
        self._ending.pop(ended, None)

    @contextmanager
    def holding(self, token_hash: bytes, access: Access, ended: Callable[[], None]) -> Iterator[None]:
        """Watch a request while the block lasts."""
        self.hold(token_hash, access, ended)
        try:
            yield
        finally:
            self.release(ended)

    def sweep(self) -> None:
        """End the requests whose token has ended or cannot be checked.

        Checks all requests, but only if a token may have ended or a request is new.
        """
        current = self._directory.version, self._directory.usable
        if current == self._swept and self._directory.now() < self._next_expiry:
            return
        self._swept = current
        hashes = {token_hash for token_hash, _ in self._held.values()}
        self._next_expiry = min(map(self._directory.expires_at, hashes), default=float("inf"))
        current_access = {token_hash: self._access(token_hash) for token_hash in hashes}
        self._end(ended for ended, (token_hash, access) in self._held.items() if access != current_access[token_hash])

    def end_all(self) -> None:
        """End all requests, present and future, because the process stops."""
        self._closed = True
        self._end(self._held)

    def _end(self, requests: Iterable[Callable[[], None]]) -> None:
        """End these requests, a slice per turn of the loop."""
        scheduled = bool(self._ending)
        self._ending.update(dict.fromkeys(requests))
        if not scheduled:
            self._end_slice()

    def _end_slice(self) -> None:
        for ended in list(islice(self._ending, SLICE_SIZE)):
            del self._ending[ended]
            ended()
        if self._ending:
            self._call_soon(self._end_slice)

    def valid(self, token_hash: bytes, access: Access) -> bool:
        """Return whether the token is valid and still gives this access."""
        return self._access(token_hash) == access

    def _access(self, token_hash: bytes) -> Access | None:
        try:
            holder = self._directory.token_holder(token_hash)
        except DirectoryUnavailable:
            return None
        return holder.access if holder is not None else None
