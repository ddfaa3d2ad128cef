"""Phones without a SIP password that this process can read, counted by call server. Synchronous."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

from service.domain.models import Extension

log = structlog.get_logger(__name__)


class SecretCounts:
    """Numbers of phones by call server; without a phone to count there is no entry."""

    __slots__ = ("unreadable", "without")

    def __init__(self) -> None:
        self.without: Counter[str] = Counter()
        """Phones whose password has ended, until a process makes another."""
        self.unreadable: Counter[str] = Counter()
        """Phones whose password is encrypted with a key that this process does not have."""

    def add(self, extension: Extension | None, by: int) -> None:
        """Count the phones of an extension `by` more; -1 when it goes."""
        for phone in extension.phones if extension is not None else ():
            if phone.secret is None and extension is not None:
                counter = self.unreadable if phone.encrypted else self.without
                counter[extension.call_server] += by
                if not counter[extension.call_server]:
                    del counter[extension.call_server]


class UnreadableSecretsLog:
    """Logs when phones of a call server become unreadable, and when none is any more."""

    def __init__(self) -> None:
        self._reported: dict[str, int] = {}

    def update(self, unreadable: Mapping[str, int]) -> None:
        """Take the present numbers by call server."""
        before, self._reported = self._reported, dict(unreadable)
        if unreadable.keys() - before.keys():
            log.error("secrets_unreadable", call_servers=dict(sorted(unreadable.items())))
        elif before and not unreadable:
            log.info("secrets_readable")
