"""Extensions whose call server is missing from the settings. They cannot register, so the log reports them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import structlog

log = structlog.get_logger(__name__)


class UnknownCallServers:
    """Counts such extensions by call server, in `counts`."""

    def __init__(self, known: Collection[str]) -> None:
        self.counts: dict[str, int] = {}
        self._known = frozenset(known)
        self._extensions: dict[str, str] = {}

    def update(self, call_servers: Mapping[str, str | None]) -> None:
        """Take changed extensions with their call servers; None if the extension may not register.

        Logs newly missing call servers, and when none is missing any more.
        """
        unknown = {
            number: name for number, name in call_servers.items() if name is not None and name not in self._known
        }
        resolved = self._extensions.keys() & (call_servers.keys() - unknown.keys())
        if not unknown and not resolved:
            return
        for number in resolved:
            del self._extensions[number]
        self._extensions |= unknown
        before, self.counts = self.counts, dict(sorted(Counter(self._extensions.values()).items()))
        if self.counts.keys() - before.keys():
            log.error("unknown_call_servers", call_servers=self.counts)
        elif before and not self.counts:
            log.info("unknown_call_servers_resolved")
