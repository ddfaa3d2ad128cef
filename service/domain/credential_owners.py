"""Who owns the endpoints and SIP passwords of each call server: this service, or Asterisk. Synchronous.

The settings say it, and `migrate` copies it to PostgreSQL, where triggers and views obey. Until `migrate` has run the
two may differ. A call server then counts as imported if either says so: what Asterisk owns may not be invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from service.domain.models import Credentials, Extension

log = structlog.get_logger(__name__)

MAX_NAMED = 20
"""Endpoints that a report names; an import may give an extension any number of them."""


class CredentialOwners:
    """`configured`: the owners by the settings."""

    def __init__(self, configured: Mapping[str, Credentials]) -> None:
        self._configured = dict(configured)
        self._stored: dict[str, str] = {}
        self.imported = self._find_imported()
        """The call servers whose endpoints Asterisk owns."""
        self.differing: dict[str, str] = {}
        """By call server: the owner in PostgreSQL, if the settings name another."""

    def update(self, stored: Mapping[str, str]) -> None:
        """Take the owners that PostgreSQL has. Logs a new difference from the settings, and the end of all."""
        self._stored = dict(stored)
        self.imported = self._find_imported()
        before, self.differing = (
            self.differing,
            {name: stored[name] for name, owner in self._configured.items() if stored.get(name, owner) != owner},
        )
        if self.differing.keys() - before.keys():
            log.error("credential_owners_differ", call_servers=self.differing)
        elif before and not self.differing:
            log.info("credential_owners_agree")

    def unrevoked_endpoints(self, extensions: Iterable[Extension]) -> list[str]:
        """Return the endpoints of these extensions that Asterisk lets register, whatever becomes of them here."""
        return [
            phone.endpoint
            for extension in extensions
            if extension.call_server in self.imported
            for phone in extension.phones
            if not phone.missing
        ][:MAX_NAMED]

    def _find_imported(self) -> frozenset[str]:
        stored = {name for name, owner in self._stored.items() if owner != Credentials.MANAGED}
        return frozenset(stored.union(name for name, owner in self._configured.items() if owner != Credentials.MANAGED))
