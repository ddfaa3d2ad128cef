"""Checks one Asterisk: whether everything required is present and permitted, and whether too much is permitted."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, ActionUnknown, AmiClient, AmiLoginRefused
from service.ami.connection import connect
from service.ami.diagnostics import device_checks, function_probes, hint_devices, inventory_checks
from service.ami.diagnostics.account_checks import (
    SHOW_FUNCTION_MODULES,
    check_credentials,
    check_presence,
    check_sync,
    refusal,
)
from service.ami.diagnostics.event_watch import EventWatch, watch
from service.ami.diagnostics.privileges import check_read_classes, check_write_class
from service.ami.unreachable_reasons import AmiUnreachable
from service.domain.checked_extension import CheckedExtension
from service.domain.clear_text import find_readable
from service.domain.extension_hints import ExtensionHints
from service.domain.models import PJSIP, Credentials, DeviceState, Finding
from service.errors import CallServerUnavailable
from service.settings import CallServer

BOOT_EVENT_DEADLINE = 5.0
_CONTACT_FUNCTIONS_REMEDY = "load func_pjsip_aor.so and func_pjsip_contact.so: without them new phones stay unknown"


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What an operator asks of one run."""

    watch: float = 0.0
    """Seconds to watch for events."""
    expected_endpoints: int | None = None
    """The least number of PJSIP endpoints that Asterisk must have."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """The call server that is checked."""

    part: str
    name: str
    server: CallServer
    extensions: Collection[CheckedExtension]
    options: CheckOptions

    @property
    def is_imported(self) -> bool:
        return self.server.credentials is Credentials.IMPORTED


async def check(
    name: str, server: CallServer, extensions: Collection[CheckedExtension], options: CheckOptions | None = None
) -> AsyncIterator[Finding]:
    """The findings for one call server and its `extensions`."""
    subject = _Subject(f"asterisk {name}", name, server, extensions, options or CheckOptions())
    part = subject.part
    try:
        async with contextlib.AsyncExitStack() as stack:
            sync = await check_sync(part, server, stack)
            for finding in sync.findings:
                yield finding
            async for finding in _check_monitor(subject, Account.monitor(server), sync.connection):
                yield finding
            async for finding in check_presence(part, Account.presence(server)):
                yield finding
            if subject.is_imported:
                async for finding in check_credentials(part, Account.credentials(server), server.monitor_username):
                    yield finding
    except AmiUnreachable as error:  # the same for all accounts
        yield Finding(part, str(error), error.reason.value)
    except CallServerUnavailable as error:
        yield Finding(part, str(error), "see whether it runs, and its log")


async def _check_monitor(subject: _Subject, account: Account, sync: AmiClient | None) -> AsyncIterator[Finding]:
    part, handler = subject.part, EventWatch()
    try:
        async with connect(account, handler) as connection:
            yield Finding(part, f"AMI at {account.host}:{account.port} lets {account.username!r} in")
            if subject.server.ami_tls:
                yield Finding(part, "AMI is encrypted, and Asterisk's certificate is verified")
            elif readable := find_readable(part, "AMI", account.host, "set AMI_TLS=true and Asterisk's tlsenable"):
                yield readable
            yield await _check_boot_event(part, account.username, handler)
            yield await check_write_class(part, "monitor", account.username, connection)
            async for finding in check_read_classes(part, account.username, sync):
                yield finding
            async for finding in _check_devices(subject, account.username, connection, sync):
                yield finding
            yield await _check_queues(part, connection)
            if seconds := subject.options.watch:
                pause = functools.partial(asyncio.sleep, seconds)
                for finding in await watch(part, account.username, connection, handler, pause):
                    yield finding
    except AmiLoginRefused as error:
        yield refusal(part, account, error)


async def _check_boot_event(part: str, username: str, handler: EventWatch) -> Finding:
    try:
        async with asyncio.timeout(BOOT_EVENT_DEADLINE):
            await handler.booted.wait()
    except TimeoutError:
        remedy = f"manager.conf: [{username}] needs read = system,call and FullyBooted in its eventfilter"
        return Finding(part, "does not tell when it has booted", remedy)
    return Finding(part, "tells when it has booted")


async def _check_devices(
    subject: _Subject, username: str, connection: AmiClient, sync: AmiClient | None
) -> AsyncIterator[Finding]:
    """Check devices, the service's and others, and which functions would expose secrets."""
    part = subject.part
    try:
        listed = await connection.device_states()
        await connection.qualify("none")
        hints = await hint_devices.read_hints(
            connection, subject.server.hint_context, is_managed=not subject.is_imported
        )
    except ActionNotPermitted as error:
        yield Finding(part, str(error), f"manager.conf: [{username}] needs write = reporting")
        return
    except ActionUnknown as error:
        yield Finding(part, str(error), "modules.conf: load = res_manager_devicestate.so")
        return
    yield Finding(part, f"lists its devices ({len(listed)}) and qualifies phones")
    devices = {
        extension.number: hint_devices.devices_of(extension, hints, is_managed=not subject.is_imported)
        for extension in subject.extensions
    }
    wanted = {device for named in devices.values() for device in named}
    states = await device_checks.read_states(connection, listed, wanted)
    for finding in _report_inventory(subject, listed, hints, devices, states):
        yield finding
    ours = [device.removeprefix(PJSIP) for device, state in states.items() if _is_endpoint(device, state)]
    if ours:
        known = await connection.contact_ids(ours[0]) is not None
        yield Finding(part, "tells who is registered", None if known else _CONTACT_FUNCTIONS_REMEDY)
    others = (device.removeprefix(PJSIP) for device in listed if device.startswith(PJSIP) and device not in states)
    samples = function_probes.Samples.choose(ours, others, ours=_endpoints(subject))
    loaded_modules = await sync.command(SHOW_FUNCTION_MODULES) if sync is not None else None
    accepted = subject.server.accepted_modules
    for finding in await function_probes.probe(part, username, connection, samples, loaded_modules, accepted):
        yield finding


def _report_inventory(
    subject: _Subject,
    listed: Mapping[str, DeviceState],
    hints: ExtensionHints,
    devices: device_checks.Devices,
    states: device_checks.States,
) -> Iterator[Finding]:
    """Compare what Asterisk has with what is stored."""
    part, name, extensions = subject.part, subject.name, subject.extensions
    count = inventory_checks.count_endpoints(listed)
    yield inventory_checks.report_count(part, count, subject.options.expected_endpoints)
    yield from hint_devices.report_context(part, name, hints, subject.server.hint_context)
    yield from hint_devices.report_ambiguous(part, name, extensions, hints)
    yield from device_checks.report_states(part, devices, states, _imported_remedy(subject))
    if subject.is_imported:
        dialled = hint_devices.dialled_devices(hints)
        account = subject.server.credentials_username
        yield from inventory_checks.report_import(part, name, account, extensions, dialled)


def _endpoints(subject: _Subject) -> list[str]:
    return [endpoint for extension in subject.extensions for endpoint in extension.endpoints]


def _is_endpoint(device: str, state: DeviceState | None) -> bool:
    return device.startswith(PJSIP) and state not in (None, DeviceState.INVALID)


def _imported_remedy(subject: _Subject) -> str | None:
    if not subject.is_imported:
        return None
    return device_checks.imported_remedy(subject.name, subject.server.credentials_username)


async def _check_queues(part: str, connection: AmiClient) -> Finding:
    try:
        queues = await connection.queues()
    except CallServerUnavailable as error:
        return Finding(part, str(error), "load app_queue.so, if there are queues", needed=False)
    return Finding(part, f"lists its queues ({len(queues.averages)})")
