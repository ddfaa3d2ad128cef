"""Checks whether Asterisk knows the devices of each extension: from one list, and single reads for those not in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from service.ami.client import AmiClient
from service.domain.models import PJSIP, DeviceState, Finding, Verdict
from service.errors import CallServerUnavailable, Invalid

MAX_CONCURRENT_READS = 10
READS_PER_SECOND = 500
"""Rate of single reads: each takes Asterisk and PostgreSQL half a millisecond."""
READ_DEADLINE = 60.0
"""Seconds for all single reads; devices not read by then count as unknown."""
_NONE_KNOWN_REMEDY = (
    "check res_pgsql.conf, extconfig.conf and sorcery.conf, and the password of its role; if they are right, whether "
    "the extensions belong to another call server"
)
_SOME_UNKNOWN_REMEDY = (
    "see Asterisk's log for it; its name may be taken by an object in pjsip.conf, or it is of another call server"
)
_IMPORTED_REMEDY = (
    "Asterisk no longer has the endpoint: python -m service extension import --call-server {name} --from-ami {account} "
    "--apply --remove-gone; or it belongs to another call server"
)
MOST_LOST_REMEDY = (
    "remove nothing: most endpoints are lost. See whether Asterisk still reads its files: modules.conf (res_pjsip), "
    "pjsip.conf, and sorcery.conf, where `config` lines come first (docs/existing-pbx.md); then restart Asterisk"
)
"""Where an imported call server lacks more than half of its endpoints: a fault of Asterisk, and no reason to delete."""
_WITHOUT_DEVICE_REMEDY = "import its phone, or give it a hint in the dialplan: its state stays Unknown"
Devices = Mapping[str, tuple[str, ...]]
"""Devices by extension."""
States = Mapping[str, DeviceState | None]
"""By device; None if it could not be read."""


def is_most(part: int, whole: int) -> bool:
    """Whether it is more than half."""
    return part * 2 > whole


def imported_remedy(name: str, account: str) -> str:
    """What to do about an endpoint that an imported call server no longer has."""
    return _IMPORTED_REMEDY.format(name=name, account=account)


async def read_states(
    connection: AmiClient, listed: Mapping[str, DeviceState], devices: Iterable[str]
) -> dict[str, DeviceState | None]:
    """Each device's state; INVALID if Asterisk does not know it."""
    states: dict[str, DeviceState | None] = {device: listed.get(device) for device in devices}
    unread = iter([device for device, state in states.items() if state in (None, DeviceState.INVALID)])
    try:
        async with asyncio.timeout(READ_DEADLINE), asyncio.TaskGroup() as tasks:
            for _ in range(MAX_CONCURRENT_READS):
                tasks.create_task(_read_each(connection, unread, states))
    except TimeoutError:
        pass
    return states


async def _read_each(connection: AmiClient, unread: Iterator[str], states: dict[str, DeviceState | None]) -> None:
    for device in unread:
        try:
            value = await connection.variable(f"DEVICE_STATE({device})")
            states[device] = DeviceState.__members__.get(value, DeviceState.INVALID)
        except Invalid:
            states[device] = DeviceState.INVALID
        except CallServerUnavailable:
            if connection.why_ended is not None:
                return  # the next action raises it
        await asyncio.sleep(MAX_CONCURRENT_READS / READS_PER_SECOND)


def report_states(part: str, devices: Devices, states: States, imported: str | None) -> Iterator[Finding]:
    """A summary, and a finding per device. `imported` is the remedy where Asterisk owns its endpoints."""
    if not devices:
        yield Finding(part, "has no extension")
        return
    unknown = [number for number, named in devices.items() if DeviceState.INVALID in map(states.get, named)]
    unread = [number for number, named in devices.items() if any(states.get(device) is None for device in named)]
    counts = Counter(state.value for state in states.values() if state is not None)
    summary = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    if imported and is_most(len(unknown), len(devices)):
        imported = MOST_LOST_REMEDY
    remedy = imported or (_NONE_KNOWN_REMEDY if len(unknown) == len(devices) else _SOME_UNKNOWN_REMEDY)
    if unknown:
        yield Finding(part, f"does not know {len(unknown)} of its {len(devices)} extensions", remedy)
    elif unread:
        yield Finding(part, f"was too slow to tell of {len(unread)} extensions", "try again", otherwise=Verdict.UNKNOWN)
    else:
        yield Finding(part, f"knows its {len(devices)} extensions (devices: {summary})")
    if without := sum(not named for named in devices.values()):
        yield Finding(part, f"has no device for {without} of its {len(devices)} extensions", _WITHOUT_DEVICE_REMEDY)
    for number in sorted(devices):
        if not devices[number]:
            yield Finding(part, f"{number} has neither a phone nor a hint", _WITHOUT_DEVICE_REMEDY, detail=True)
        for device in devices[number]:
            yield _report_state(part, _name(number, device), states.get(device), remedy)


def _name(number: str, device: str) -> str:
    """The extension, with its device where that has another name."""
    return number if device == PJSIP + number else f"{number} ({device})"


def _report_state(part: str, name: str, state: DeviceState | None, remedy: str) -> Finding:
    if state is None:
        return Finding(part, f"{name} was not asked for", "try again", otherwise=Verdict.UNKNOWN, detail=True)
    if state is DeviceState.INVALID:
        return Finding(part, f"{name} is not known", remedy, detail=True)
    return Finding(part, f"{name} is {state.value}", detail=True)
