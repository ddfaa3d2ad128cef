"""Extensions of call servers that the settings do not name: nobody can register those, so somebody must be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import structlog

log = structlog.get_logger(__name__)


class UnknownCallServers:
    """Follows the directory. `counts` says how many extensions there are of each."""

    def __init__(self, known: Collection[str]) -> None:
        self.counts: dict[str, int] = {}
        self._known = frozenset(known)
        self._extensions: dict[str, str] = {}

    def follow(self, belongs: Mapping[str, str | None]) -> None:
        """These extensions are of these call servers, or may not register (None).

        One line names what is new, or says that it is over.
        """
        strange = {number: name for number, name in belongs.items() if name is not None and name not in self._known}
        gone = self._extensions.keys() & (belongs.keys() - strange.keys())
        if not strange and not gone:
            return
        for number in gone:
            del self._extensions[number]
        self._extensions |= strange
        before, self.counts = self.counts, dict(sorted(Counter(self._extensions.values()).items()))
        if self.counts.keys() - before.keys():
            log.error("unknown_call_servers", call_servers=self.counts)
        elif before and not self.counts:
            log.info("unknown_call_servers_resolved")
