"""Which answers that take long (streams, long-polls) hang on which token, so that they end when it ends.

They end too when its holder's role is another: what they may see is another then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time

from service.errors import DirectoryUnavailable
from service.live.directory import Directory
from service.model import Role


class TokenWatch:
    """`sweep` it now and then: a token ends by the passing of time too."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._held: defaultdict[bytes, set[tuple[Callable[[], None], Role]]] = defaultdict(set)
        self._closed = False
        self._seen: tuple[int, bool] | None = None  # what the last sweep saw of the directory
        self._expires_at = 0.0  # when the first of the held tokens expires

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    @contextmanager
    def holding(self, token_hash: bytes, role: Role, ended: Callable[[], None]) -> Iterator[None]:
        """While the block lasts, `ended` is called once the token has ended, perhaps more than once."""
        self._held[token_hash].add((ended, role))
        self._seen = None
        if self._closed:
            ended()
        try:
            yield
        finally:
            self._held[token_hash].discard((ended, role))
            if not self._held[token_hash]:
                del self._held[token_hash]

    def sweep(self) -> None:
        """Tell whoever hangs on a token that has ended, or that cannot be checked any more.

        It looks at all of them, so only when a token can have ended, or was not looked at yet.
        """
        seen = self._directory.version, self._directory.usable
        if seen == self._seen and time() < self._expires_at:
            return
        self._seen = seen
        self._expires_at = min(map(self._directory.expires_at, self._held), default=float("inf"))
        for token_hash, held in self._held.items():
            now = self._role(token_hash)
            for ended, role in held:
                if role is not now:
                    ended()

    def end_all(self) -> None:
        """End them all, and those that begin from now on: the process stops."""
        self._closed = True
        for held in self._held.values():
            for ended, _ in held:
                ended()

    def valid(self, token_hash: bytes, role: Role) -> bool:
        """Whether this token is still held by somebody of this role."""
        return self._role(token_hash) is role

    def _role(self, token_hash: bytes) -> Role | None:
        try:
            holder = self._directory.holder(token_hash)
        except DirectoryUnavailable:
            return None
        return holder.role if holder is not None else None
