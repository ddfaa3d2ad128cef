"""Which answers that take long (streams, long-polls) hang on which token, so that they end when it ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import DirectoryUnavailable
from service.live.directory import Directory


class TokenWatch:
    """`sweep` it now and then: a token ends by the passing of time too."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._held: defaultdict[bytes, set[Callable[[], None]]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    @contextmanager
    def holding(self, token_hash: bytes, ended: Callable[[], None]) -> Iterator[None]:
        """While the block lasts, `ended` is called once the token has ended, perhaps more than once."""
        self._held[token_hash].add(ended)
        try:
            yield
        finally:
            self._held[token_hash].discard(ended)
            if not self._held[token_hash]:
                del self._held[token_hash]

    def sweep(self) -> None:
        """Tell whoever hangs on a token that has ended, or that cannot be checked any more."""
        for token_hash, events in self._held.items():
            if not self._valid(token_hash):
                for ended in tuple(events):
                    ended()

    def end_all(self) -> None:
        """End them all: the process stops."""
        for events in self._held.values():
            for ended in tuple(events):
                ended()

    def _valid(self, token_hash: bytes) -> bool:
        try:
            return self._directory.holder(token_hash) is not None
        except DirectoryUnavailable:
            return False
