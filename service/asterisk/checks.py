"""What `check` asks an Asterisk: is everything there, and permitted? And is too much permitted?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

from panoramisk.message import Message

from service.asterisk.connection import Account, Connection, LoginRefused, NotPermitted, connected
from service.errors import CallServerUnavailable
from service.model import DeviceState, Finding
from service.settings import CallServer

BOOTED_WITHIN = 5.0
TELLTALE = {
    "func_sorcery": "AST_SORCERY(res_pjsip,system,system,object_type)",
    "func_config": "AST_CONFIG(asterisk.conf,directories,astetcdir)",
    "func_env": "ENV(PATH)",
}
"""Modules with which the monitor account reads secrets, and a harmless expression that tells whether they are there."""

_READ = re.compile(r"read perm: (\S*)")


class _Booted:
    """Waits for FullyBooted, which only an account with read class `system` hears."""

    def __init__(self) -> None:
        self.booted = asyncio.Event()

    def device_state(self, device: str, state: DeviceState) -> None: ...

    def event(self, name: str, message: Message) -> None:
        if name == "FullyBooted":
            self.booted.set()

    def lost(self, why: str) -> None: ...


async def check(name: str, server: CallServer, sample: str | None) -> AsyncIterator[Finding]:
    """The findings for one call server; `sample` is one of its extensions."""
    part = f"asterisk {name}"
    listener = _Booted()
    account = Account.monitor(server)
    try:
        async with connected(account, listener) as connection:
            yield Finding(part, f"AMI at {account.host}:{account.port} lets {account.username!r} in")
            try:
                async with asyncio.timeout(BOOTED_WITHIN):
                    await listener.booted.wait()
                yield Finding(part, "tells when it has booted")
            except TimeoutError:
                remedy = (
                    f"manager.conf: [{account.username}] needs read = system,call and FullyBooted in its eventfilter"
                )
                yield Finding(part, "tells when it has booted", remedy)
            async for finding in _permissions(part, account.username, connection):
                yield finding
            yield await _queues(part, connection)
            if sample is not None:
                state = await connection.variable(f"DEVICE_STATE(PJSIP/{sample})")
                known = await connection.contact_ids(sample) is not None
                remedy = "load func_pjsip_aor.so and func_pjsip_contact.so: without them new phones stay unknown"
                yield Finding(part, "tells who is registered", None if known else remedy)
                remedy = "check res_pgsql.conf, extconfig.conf and sorcery.conf, and its role's password"
                yield Finding(
                    part, f"reads its extensions ({sample} is {state})", remedy if state in ("", "INVALID") else None
                )
    except LoginRefused as error:
        remedy = f"check secret and permit of [{account.username}] in manager.conf"
        yield Finding(part, str(error), remedy)
    except CallServerUnavailable as error:
        yield Finding(part, str(error), "start it, or mend AMI_HOST and AMI_PORT")
    async for finding in _sync(part, server):
        yield finding


async def _permissions(part: str, username: str, connection: Connection) -> AsyncIterator[Finding]:
    try:
        devices = await connection.device_states()
        await connection.qualify("none")
        yield Finding(part, f"lists its devices ({len(devices)}) and qualifies phones")
    except NotPermitted as error:
        yield Finding(part, str(error), f"manager.conf: [{username}] needs write = reporting")
        return
    for module, expression in TELLTALE.items():
        try:
            readable = bool(await connection.variable(expression))
        except CallServerUnavailable:
            readable = False
        remedy = f"do not load {module}.so: with it this account reads SIP secrets"
        yield Finding(part, f"{module} is not there", remedy if readable else None)


async def _queues(part: str, connection: Connection) -> Finding:
    try:
        found = await connection.queues()
    except CallServerUnavailable as error:
        return Finding(part, str(error), "load app_queue.so, if there are queues", needed=False)
    return Finding(part, f"lists its queues ({len(found.averages)})")


async def _sync(part: str, server: CallServer) -> AsyncIterator[Finding]:
    account = Account.sync(server)
    if account is None:
        remedy = "give SYNC_SECRET, if phones must be found after Asterisk booted without PostgreSQL"
        yield Finding(part, "no sync account", remedy, needed=False)
        return
    try:
        async with connected(account, _Booted()) as connection:
            shown = await connection.command(f"manager show user {server.monitor_username}")
    except CallServerUnavailable as error:
        yield Finding(
            part, str(error), f"manager.conf: [{account.username}] needs write = command, or drop SYNC_SECRET"
        )
        return
    yield Finding(part, f"lets {account.username!r} run commands")
    # Nobody else can tell before a queue changes: an account is not told which events it may hear.
    classes = _READ.search(shown)
    hears = classes is not None and not {"agent", "all"}.isdisjoint(classes[1].split(","))
    remedy = f"manager.conf: [{server.monitor_username}] needs read = system,call,agent for queues to be known"
    yield Finding(part, "tells of changes in queues", None if hears else remedy, needed=False)
