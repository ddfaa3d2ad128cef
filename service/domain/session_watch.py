"""Which answers that take long (streams, long-polls) hang on which token, so that they end when it ends.

They end too when its holder's role is another: what they may see is another then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from service.domain.directory import Directory
from service.domain.models import Role
from service.errors import DirectoryUnavailable

PER_TURN = 20
"""Answers that are ended in one turn of the loop: each then has some work to do, and thousands may end together."""


class SessionWatch:
    """`sweep` it now and then: a token ends by the passing of time too.

    `soon` runs a function in a later turn of the loop.
    """

    def __init__(self, directory: Directory, soon: Callable[[Callable[[], None]], object]) -> None:
        self._directory = directory
        self._soon = soon
        self._ending: dict[Callable[[], None], None] = {}
        self._held: dict[Callable[[], None], tuple[bytes, Role]] = {}
        self._closed = False
        self._seen: tuple[int, bool] | None = None  # what the last sweep saw of the directory
        self._expires_at = 0.0  # when the first of the held tokens expires

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, token_hash: bytes, role: Role, ended: Callable[[], None]) -> None:
        """Until it is released, `ended` is called once the token has ended, perhaps more than once."""
        self._held[ended] = token_hash, role
        self._seen = None
        if self._closed:
            ended()

    def release(self, ended: Callable[[], None]) -> None:
        """It is over."""
        del self._held[ended]
        self._ending.pop(ended, None)

    @contextmanager
    def holding(self, token_hash: bytes, role: Role, ended: Callable[[], None]) -> Iterator[None]:
        """Hold it while the block lasts."""
        self.hold(token_hash, role, ended)
        try:
            yield
        finally:
            self.release(ended)

    def sweep(self) -> None:
        """Tell whoever hangs on a token that has ended, or that cannot be checked any more.

        It looks at all of them, so only when a token can have ended, or was not looked at yet.
        """
        seen = self._directory.version, self._directory.usable
        if seen == self._seen and self._directory.now() < self._expires_at:
            return
        self._seen = seen
        hashes = {token_hash for token_hash, _ in self._held.values()}
        self._expires_at = min(map(self._directory.expires_at, hashes), default=float("inf"))
        roles = {token_hash: self._role(token_hash) for token_hash in hashes}
        self._end(ended for ended, (token_hash, role) in self._held.items() if role is not roles[token_hash])

    def end_all(self) -> None:
        """End them all, and those that begin from now on: the process stops."""
        self._closed = True
        self._end(self._held)

    def _end(self, some: Iterable[Callable[[], None]]) -> None:
        """End these, a few in each turn of the loop."""
        turning = bool(self._ending)
        self._ending.update(dict.fromkeys(some))
        if not turning:
            self._turn()

    def _turn(self) -> None:
        for ended in list(islice(self._ending, PER_TURN)):
            del self._ending[ended]
            ended()
        if self._ending:
            self._soon(self._turn)

    def valid(self, token_hash: bytes, role: Role) -> bool:
        """Whether this token is still held by somebody of this role."""
        return self._role(token_hash) is role

    def _role(self, token_hash: bytes) -> Role | None:
        try:
            holder = self._directory.token_holder(token_hash)
        except DirectoryUnavailable:
            return None
        return holder.role if holder is not None else None
