"""Whether the accounts that a call server's settings give beside `monitor` are let in: nobody may find out in need."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from service.ami.client import Account, NullEvents, connected
from service.ami.diagnostics.privileges import write_class
from service.ami.link_failures import is_refusal
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

EVERY = 300.0
"""Seconds between two looks at an account that was let in."""
REFUSED_EVERY = 30.0
"""Seconds until one that was refused is tried again."""


class AccountChecks:
    """Logs in with each account when the link is live, and now and then. `refused` says why, by kind of account."""

    def __init__(self, call_server: str, accounts: Mapping[str, Account | None]) -> None:
        self.refused: dict[str, str] = {}
        self._accounts = {kind: account for kind, account in accounts.items() if account is not None}
        self._live = asyncio.Event()
        self._log = log.bind(call_server=call_server)

    def begin(self) -> None:
        """The link is live, so Asterisk lets somebody in: now a refusal means something."""
        self._live.set()

    async def run(self) -> None:
        """Look until cancelled."""
        self._live.clear()
        await self._live.wait()
        while self._accounts:
            for kind, account in self._accounts.items():
                await self._look(kind, account)
            await asyncio.sleep(REFUSED_EVERY if self.refused else EVERY)

    async def _look(self, kind: str, account: Account) -> None:
        try:
            async with connected(account, NullEvents()) as connection:
                finding = await write_class("", kind, account.username, connection)
        except CallServerUnavailable as error:
            if is_refusal(error):
                self._tell(kind, str(error))
            return
        self._tell(kind, f"{finding.what}: {finding.remedy}" if finding.fails and finding.otherwise is None else None)

    def _tell(self, kind: str, why: str | None) -> None:
        """Once for each reason, and once when it is over."""
        before = self.refused.pop(kind, None)
        if why is not None:
            self.refused[kind] = why
        if why is not None and why != before:
            self._log.error("ami_account_refused", account=kind, error=why)
        elif why is None and before is not None:
            self._log.info("ami_account_accepted", account=kind)
