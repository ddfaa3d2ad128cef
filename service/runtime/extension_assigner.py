"""Passes the directory's extensions to their links, many at once in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from service.domain.call_server import CallServer
from service.domain.directory import Directory

SLICE_SIZE = 1_000
"""Extensions that are passed on in one turn of the loop, which takes a few milliseconds."""


class ExtensionAssigner:
    """`call_soon` runs a function in a later turn of the loop. `observe` also gets extensions without a link."""

    def __init__(
        self,
        directory: Directory,
        links: Mapping[str, CallServer],
        call_soon: Callable[[Callable[[], None]], object],
        observe: Callable[[Mapping[str, str | None]], None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._links = links
        self._call_soon = call_soon
        self._observe = observe
        self._changed: set[str] = set()
        self._scheduled = False

    def directory_changed(self, extensions: Iterable[str]) -> None:
        """Take extensions that the directory has read again."""
        self._changed.update(extensions)
        if self._changed and not self._scheduled:
            self._pass_slice()

    def _pass_slice(self) -> None:
        changed = [self._changed.pop() for _ in range(min(SLICE_SIZE, len(self._changed)))]
        extensions = {number: self._directory.extension(number) for number in changed}
        self._observe({number: found.call_server if found else None for number, found in extensions.items()})
        for name, link in self._links.items():
            own = [found for found in extensions.values() if found is not None and found.call_server == name]
            link.follow(own, extensions.keys() - {extension.number for extension in own})
        self._scheduled = bool(self._changed)
        if self._scheduled:
            self._call_soon(self._pass_slice)
