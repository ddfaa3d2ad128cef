"""Which accounts beside `monitor` Asterisk refuses. Those without a kept connection are checked regularly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from service.ami.accounts import Account
from service.ami.connection import NullEvents, connect
from service.ami.diagnostics.privileges import check_write_class
from service.ami.link_failures import is_refusal
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

CHECK_INTERVAL = 300.0
"""Seconds between two checks while no account is refused."""
REFUSED_CHECK_INTERVAL = 30.0
"""Seconds between two checks while an account is refused."""


class AccountChecks:
    """Logs in with each account once the link is live, and at intervals. `refused` maps kinds of account to reasons.

    The owner of an account's kept connection reports for itself.
    """

    def __init__(self, call_server: str, accounts: Mapping[str, Account | None]) -> None:
        self.refused: dict[str, str] = {}
        self.on_live: Callable[[], None] = lambda: None
        """Called when the link has become live. The owner of a kept connection sets it."""
        self._accounts = {kind: account for kind, account in accounts.items() if account is not None}
        self._live = asyncio.Event()
        self._log = log.bind(call_server=call_server)

    def on_link_live(self) -> None:
        """Start checking: Asterisk accepts logins, so a refusal concerns the account."""
        self._live.set()
        self.on_live()

    async def run(self) -> None:
        """Check until cancelled."""
        self._live.clear()
        await self._live.wait()
        while self._accounts:
            for kind, account in self._accounts.items():
                await self._check(kind, account)
            await asyncio.sleep(REFUSED_CHECK_INTERVAL if self.refused else CHECK_INTERVAL)

    async def _check(self, kind: str, account: Account) -> None:
        try:
            async with connect(account, NullEvents()) as connection:
                finding = await check_write_class("", kind, account.username, connection)
        except CallServerUnavailable as error:
            if is_refusal(error):
                self.report(kind, str(error))
            return
        self.report(kind, f"{finding.what}: {finding.remedy}" if finding.fails and finding.otherwise is None else None)

    def report(self, kind: str, why: str | None) -> None:
        """Log each reason once, and the end of the refusal."""
        before = self.refused.pop(kind, None)
        if why is not None:
            self.refused[kind] = why
        if why is not None and why != before:
            self._log.error("ami_account_refused", account=kind, error=why)
        elif why is None and before is not None:
            self._log.info("ami_account_accepted", account=kind)
