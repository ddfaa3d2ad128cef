"""Checks the optional accounts: whether each may log in, has the class that it needs, and no other."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, AmiClient, AmiLoginRefused
from service.ami.connection import NullEvents, connect
from service.ami.diagnostics.account_file import check_file
from service.ami.diagnostics.privileges import check_write_class
from service.domain.models import Finding
from service.settings import CallServer

SHOW_FUNCTION_MODULES = "module show like func_"


def refusal_remedy(username: str) -> str:
    """What to do about a refused login."""
    return (
        f"manager.conf: mend the secret of [{username}], or its `permit` or `acl`, which answer alike; "
        "Asterisk's log says which"
    )


def refusal(part: str, account: Account, error: AmiLoginRefused) -> Finding:
    """The finding of a refused login."""
    return Finding(part, str(error), refusal_remedy(account.username))


async def check_presence(part: str, account: Account | None) -> AsyncIterator[Finding]:
    """Check the account `presence`."""
    if account is None:
        remedy = "give PRESENCE_SECRET, if people are to set their presence"
        yield Finding(part, "no presence account", remedy, needed=False)
        return
    async for finding in _check(part, "presence", account):
        yield finding


async def check_credentials(part: str, account: Account | None, monitor: str) -> AsyncIterator[Finding]:
    """Check the account `credentials` of an imported call server, and by it what `monitor` may hear."""
    if account is None:
        remedy = "give CREDENTIALS_SECRET, if endpoints are to be imported by themselves"
        yield Finding(part, "no credentials account", remedy, needed=False)
        return
    try:
        async with connect(account, NullEvents()) as connection:
            yield await check_write_class(part, "credentials", account.username, connection)
            for finding in await check_file(part, monitor, connection):
                yield finding
    except AmiLoginRefused as error:
        yield refusal(part, account, error)


async def _check(part: str, kind: str, account: Account) -> AsyncIterator[Finding]:
    try:
        async with connect(account, NullEvents()) as connection:
            yield await check_write_class(part, kind, account.username, connection)
    except AmiLoginRefused as error:
        yield refusal(part, account, error)


class SyncCheck:
    """The result for the sync account. `connection` is set if the account may run commands."""

    def __init__(self) -> None:
        self.connection: AmiClient | None = None
        self.findings: list[Finding] = []


async def check_sync(part: str, server: CallServer, stack: contextlib.AsyncExitStack) -> SyncCheck:
    """Check the account; its connection stays open as long as `stack`."""
    sync, account = SyncCheck(), Account.sync(server)
    if account is None:
        sync.findings.append(Finding(part, "no sync account, which equals a shell: few need one", detail=True))
        return sync
    try:
        connection = await stack.enter_async_context(connect(account, NullEvents()))
        finding = await check_write_class(part, "sync", account.username, connection)
        await connection.command(SHOW_FUNCTION_MODULES)
        sync.connection = connection
        sync.findings.append(finding)
    except AmiLoginRefused as error:
        sync.findings.append(refusal(part, account, error))
    except ActionNotPermitted as error:
        remedy = f"manager.conf: [{account.username}] needs write = command, or drop SYNC_SECRET"
        sync.findings.append(Finding(part, str(error), remedy))
    return sync
