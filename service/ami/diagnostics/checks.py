"""Checks one Asterisk: whether everything required is present and permitted, and whether too much is permitted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from panoramisk.message import Message

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, AmiClient, AmiLoginRefused
from service.ami.connection import NullEvents, connect
from service.ami.diagnostics import endpoint_checks, function_probes
from service.ami.diagnostics.privileges import check_read_classes, check_write_class
from service.ami.unreachable_reasons import AmiUnreachable
from service.domain.models import PJSIP, DeviceState, Finding
from service.errors import CallServerUnavailable
from service.settings import CallServer

BOOT_EVENT_DEADLINE = 5.0
SHOW_FUNCTION_MODULES = "module show like func_"
_CONTACT_FUNCTIONS_REMEDY = "load func_pjsip_aor.so and func_pjsip_contact.so: without them new phones stay unknown"


class _BootListener(NullEvents):
    """Notes FullyBooted, which only an account with read class `system` receives."""

    def __init__(self) -> None:
        self.booted = asyncio.Event()

    def on_event(self, name: str, message: Message) -> None:
        if name == "FullyBooted":
            self.booted.set()


async def check(name: str, server: CallServer, extensions: Collection[str]) -> AsyncIterator[Finding]:
    """The findings for one call server and its `extensions`."""
    part = f"asterisk {name}"
    try:
        async with contextlib.AsyncExitStack() as stack:
            sync = await _check_sync(part, server, stack)
            for finding in sync.findings:
                yield finding
            async for finding in _check_monitor(part, Account.monitor(server), extensions, sync.connection):
                yield finding
            async for finding in _check_presence(part, Account.presence(server)):
                yield finding
    except AmiUnreachable as error:  # the same for all accounts
        yield Finding(part, str(error), error.reason.value)
    except CallServerUnavailable as error:
        yield Finding(part, str(error), "see whether it runs, and its log")


def _refusal(part: str, account: Account, error: AmiLoginRefused) -> Finding:
    remedy = (
        f"manager.conf: mend the secret of [{account.username}], or its `permit` or `acl`, which answer alike; "
        "Asterisk's log says which"
    )
    return Finding(part, str(error), remedy)


# --- the monitor account -------------------------------------------------------------------------------------------


async def _check_monitor(
    part: str, account: Account, extensions: Collection[str], sync: AmiClient | None
) -> AsyncIterator[Finding]:
    listener = _BootListener()
    try:
        async with connect(account, listener) as connection:
            yield Finding(part, f"AMI at {account.host}:{account.port} lets {account.username!r} in")
            yield await _check_boot_event(part, account.username, listener)
            yield await check_write_class(part, "monitor", account.username, connection)
            async for finding in check_read_classes(part, account.username, sync):
                yield finding
            async for finding in _check_devices(part, account.username, connection, extensions, sync):
                yield finding
            yield await _check_queues(part, connection)
    except AmiLoginRefused as error:
        yield _refusal(part, account, error)


async def _check_boot_event(part: str, username: str, listener: _BootListener) -> Finding:
    try:
        async with asyncio.timeout(BOOT_EVENT_DEADLINE):
            await listener.booted.wait()
    except TimeoutError:
        remedy = f"manager.conf: [{username}] needs read = system,call and FullyBooted in its eventfilter"
        return Finding(part, "does not tell when it has booted", remedy)
    return Finding(part, "tells when it has booted")


async def _check_devices(
    part: str, username: str, connection: AmiClient, extensions: Collection[str], sync: AmiClient | None
) -> AsyncIterator[Finding]:
    """Check devices, the service's and others, and which functions would expose secrets."""
    try:
        devices = await connection.device_states()
        await connection.qualify("none")
    except ActionNotPermitted as error:
        yield Finding(part, str(error), f"manager.conf: [{username}] needs write = reporting")
        return
    yield Finding(part, f"lists its devices ({len(devices)}) and qualifies phones")
    states = await endpoint_checks.read_states(connection, devices, extensions)
    for finding in endpoint_checks.report_states(part, states):
        yield finding
    ours = [number for number, state in states.items() if state not in (None, DeviceState.INVALID)]
    if ours:
        known = await connection.contact_ids(ours[0]) is not None
        yield Finding(part, "tells who is registered", None if known else _CONTACT_FUNCTIONS_REMEDY)
    others = (device.removeprefix(PJSIP) for device in devices if device.startswith(PJSIP))
    samples = function_probes.Samples.choose(
        ours, (endpoint for endpoint in others if endpoint not in states), ours=extensions
    )
    loaded_modules = await sync.command(SHOW_FUNCTION_MODULES) if sync is not None else None
    for finding in await function_probes.probe(part, username, connection, samples, loaded_modules):
        yield finding


async def _check_queues(part: str, connection: AmiClient) -> Finding:
    try:
        queues = await connection.queues()
    except CallServerUnavailable as error:
        return Finding(part, str(error), "load app_queue.so, if there are queues", needed=False)
    return Finding(part, f"lists its queues ({len(queues.averages)})")


# --- the optional accounts -----------------------------------------------------------------------------------------


async def _check_presence(part: str, account: Account | None) -> AsyncIterator[Finding]:
    if account is None:
        remedy = "give PRESENCE_SECRET, if people are to set their presence"
        yield Finding(part, "no presence account", remedy, needed=False)
        return
    try:
        async with connect(account, NullEvents()) as connection:
            yield await check_write_class(part, "presence", account.username, connection)
    except AmiLoginRefused as error:
        yield _refusal(part, account, error)


class _SyncCheck:
    """The result for the sync account. `connection` is set if the account may run commands."""

    def __init__(self) -> None:
        self.connection: AmiClient | None = None
        self.findings: list[Finding] = []


async def _check_sync(part: str, server: CallServer, stack: contextlib.AsyncExitStack) -> _SyncCheck:
    """Check the account; its connection stays open as long as `stack`."""
    sync, account = _SyncCheck(), Account.sync(server)
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
        sync.findings.append(_refusal(part, account, error))
    except ActionNotPermitted as error:
        remedy = f"manager.conf: [{account.username}] needs write = command, or drop SYNC_SECRET"
        sync.findings.append(Finding(part, str(error), remedy))
    return sync
