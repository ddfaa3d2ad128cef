"""What `check` asks an Asterisk: is everything there, and permitted? And is too much permitted?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

from panoramisk.message import Message

from service.ami.client import Account, ActionNotPermitted, AmiClient, AmiLoginRefused, NullEvents, connected
from service.ami.diagnostics import endpoint_checks, function_probes
from service.ami.diagnostics.privileges import read_classes, write_class
from service.ami.reachability import OutOfReach
from service.domain.models import PJSIP, DeviceState, Finding
from service.errors import CallServerUnavailable
from service.settings import CallServer

BOOTED_WITHIN = 5.0
MODULES = "module show like func_"
_CONTACTS = "load func_pjsip_aor.so and func_pjsip_contact.so: without them new phones stay unknown"


class _Booted(NullEvents):
    """Waits for FullyBooted, which only an account with read class `system` hears."""

    def __init__(self) -> None:
        self.booted = asyncio.Event()

    def event(self, name: str, message: Message) -> None:
        if name == "FullyBooted":
            self.booted.set()


async def check(name: str, server: CallServer, extensions: Collection[str]) -> AsyncIterator[Finding]:
    """The findings for one call server, whose extensions are these."""
    part = f"asterisk {name}"
    try:
        async with contextlib.AsyncExitStack() as stack:
            sync = await _sync(part, server, stack)
            for finding in sync.findings:
                yield finding
            async for finding in _monitor(part, Account.monitor(server), extensions, sync.connection):
                yield finding
            async for finding in _presence(part, Account.presence(server)):
                yield finding
    except OutOfReach as error:  # the same for all accounts
        yield Finding(part, str(error), error.trouble.value)
    except CallServerUnavailable as error:
        yield Finding(part, str(error), "see whether it runs, and its log")


def _refused(part: str, account: Account, error: AmiLoginRefused) -> Finding:
    remedy = (
        f"manager.conf: mend the secret of [{account.username}], or its `permit` or `acl`, which answer alike; "
        "Asterisk's log says which"
    )
    return Finding(part, str(error), remedy)


# --- the account that watches --------------------------------------------------------------------------------------


async def _monitor(
    part: str, account: Account, extensions: Collection[str], sync: AmiClient | None
) -> AsyncIterator[Finding]:
    listener = _Booted()
    try:
        async with connected(account, listener) as connection:
            yield Finding(part, f"AMI at {account.host}:{account.port} lets {account.username!r} in")
            yield await _boots(part, account.username, listener)
            yield await write_class(part, "monitor", account.username, connection)
            async for finding in read_classes(part, account.username, sync):
                yield finding
            async for finding in _known(part, account.username, connection, extensions, sync):
                yield finding
            yield await _queues(part, connection)
    except AmiLoginRefused as error:
        yield _refused(part, account, error)


async def _boots(part: str, username: str, listener: _Booted) -> Finding:
    try:
        async with asyncio.timeout(BOOTED_WITHIN):
            await listener.booted.wait()
    except TimeoutError:
        remedy = f"manager.conf: [{username}] needs read = system,call and FullyBooted in its eventfilter"
        return Finding(part, "does not tell when it has booted", remedy)
    return Finding(part, "tells when it has booted")


async def _known(
    part: str, username: str, connection: AmiClient, extensions: Collection[str], sync: AmiClient | None
) -> AsyncIterator[Finding]:
    """What it knows of devices, ours and others, and what a thief could make of them."""
    try:
        devices = await connection.device_states()
        await connection.qualify("none")
    except ActionNotPermitted as error:
        yield Finding(part, str(error), f"manager.conf: [{username}] needs write = reporting")
        return
    yield Finding(part, f"lists its devices ({len(devices)}) and qualifies phones")
    found = await endpoint_checks.states(connection, devices, extensions)
    for finding in endpoint_checks.findings(part, found):
        yield finding
    ours = [number for number, state in found.items() if state not in (None, DeviceState.INVALID)]
    if ours:
        known = await connection.contact_ids(ours[0]) is not None
        yield Finding(part, "tells who is registered", None if known else _CONTACTS)
    others = (device.removeprefix(PJSIP) for device in devices if device.startswith(PJSIP))
    samples = function_probes.Samples.of(ours, (other for other in others if other not in found), ours=extensions)
    listed = await sync.command(MODULES) if sync is not None else None
    for finding in await function_probes.probe(part, username, connection, samples, listed):
        yield finding


async def _queues(part: str, connection: AmiClient) -> Finding:
    try:
        found = await connection.queues()
    except CallServerUnavailable as error:
        return Finding(part, str(error), "load app_queue.so, if there are queues", needed=False)
    return Finding(part, f"lists its queues ({len(found.averages)})")


# --- the accounts that not everybody has ---------------------------------------------------------------------------


async def _presence(part: str, account: Account | None) -> AsyncIterator[Finding]:
    if account is None:
        remedy = "give PRESENCE_SECRET, if people are to set their presence"
        yield Finding(part, "no presence account", remedy, needed=False)
        return
    try:
        async with connected(account, NullEvents()) as connection:
            yield await write_class(part, "presence", account.username, connection)
    except AmiLoginRefused as error:
        yield _refused(part, account, error)


class _Sync:
    """The account that may run commands, if there is one: `connection` is there when it may."""

    def __init__(self) -> None:
        self.connection: AmiClient | None = None
        self.findings: list[Finding] = []


async def _sync(part: str, server: CallServer, stack: contextlib.AsyncExitStack) -> _Sync:
    """Log in, for as long as `stack` lasts."""
    sync, account = _Sync(), Account.sync(server)
    if account is None:
        sync.findings.append(Finding(part, "no sync account, which equals a shell: few need one", detail=True))
        return sync
    try:
        connection = await stack.enter_async_context(connected(account, NullEvents()))
        finding = await write_class(part, "sync", account.username, connection)
        await connection.command(MODULES)
        sync.connection = connection
        sync.findings.append(finding)
    except AmiLoginRefused as error:
        sync.findings.append(_refused(part, account, error))
    except ActionNotPermitted as error:
        remedy = f"manager.conf: [{account.username}] needs write = command, or drop SYNC_SECRET"
        sync.findings.append(Finding(part, str(error), remedy))
    return sync
