"""Tells each link which extensions are its own, as the directory has it; many at once in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from service.ami.link import Link
from service.domain.directory import Directory

SLICE = 1_000
"""Extensions that links are told of in one turn of the loop: a few milliseconds."""


class ExtensionFeed:
    """`soon` runs a function in a later turn of the loop; `follow` hears of all, those without a link among them."""

    def __init__(
        self,
        directory: Directory,
        links: Mapping[str, Link],
        soon: Callable[[Callable[[], None]], object],
        follow: Callable[[Mapping[str, str | None]], None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._links = links
        self._soon = soon
        self._follow = follow
        self._changed: set[str] = set()
        self._turning = False

    def directory_changed(self, extensions: Iterable[str]) -> None:
        """These were read anew."""
        self._changed.update(extensions)
        if self._changed and not self._turning:
            self._turn()

    def _turn(self) -> None:
        changed = [self._changed.pop() for _ in range(min(SLICE, len(self._changed)))]
        belongs = {number: self._directory.call_server_of(number) for number in changed}
        self._follow(belongs)
        for name, link in self._links.items():
            wanted = {number for number, call_server in belongs.items() if call_server == name}
            link.follow(wanted, belongs.keys() - wanted)
        self._turning = bool(self._changed)
        if self._turning:
            self._soon(self._turn)
