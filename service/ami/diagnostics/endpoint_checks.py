"""Checks whether Asterisk knows each extension, and its state: from one list, and single reads for those not in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from service.ami.client import AmiClient
from service.domain.models import DeviceState, Finding, Verdict, device_of
from service.errors import CallServerUnavailable, Invalid

MAX_CONCURRENT_READS = 10
READS_PER_SECOND = 500
"""Rate of single reads: each takes Asterisk and PostgreSQL half a millisecond."""
READ_DEADLINE = 60.0
"""Seconds for all single reads; extensions not read by then count as unknown."""
_NONE_KNOWN_REMEDY = (
    "check res_pgsql.conf, extconfig.conf and sorcery.conf, and the password of its role; if they are right, whether "
    "the extensions belong to another call server"
)
_SOME_UNKNOWN_REMEDY = (
    "see Asterisk's log for it; its name may be taken by an object in pjsip.conf, or it is of another call server"
)
States = Mapping[str, DeviceState | None]
"""By extension; None if it could not be read."""


async def read_states(
    connection: AmiClient, listed: Mapping[str, DeviceState], extensions: Collection[str]
) -> dict[str, DeviceState | None]:
    """Each extension's state; INVALID if Asterisk does not know it."""
    states: dict[str, DeviceState | None] = {number: listed.get(device_of(number)) for number in extensions}
    unread = iter([number for number, state in states.items() if state in (None, DeviceState.INVALID)])
    try:
        async with asyncio.timeout(READ_DEADLINE), asyncio.TaskGroup() as tasks:
            for _ in range(MAX_CONCURRENT_READS):
                tasks.create_task(_read_each(connection, unread, states))
    except TimeoutError:
        pass
    return states


async def _read_each(connection: AmiClient, unread: Iterator[str], states: dict[str, DeviceState | None]) -> None:
    for number in unread:
        try:
            value = await connection.variable(f"DEVICE_STATE({device_of(number)})")
            states[number] = DeviceState.__members__.get(value, DeviceState.INVALID)
        except Invalid:
            states[number] = DeviceState.INVALID
        except CallServerUnavailable:
            if connection.why_ended is not None:
                return  # the next action raises it
        await asyncio.sleep(MAX_CONCURRENT_READS / READS_PER_SECOND)


def report_states(part: str, states: States) -> Iterator[Finding]:
    """A summary, and a finding per extension."""
    if not states:
        yield Finding(part, "has no extension")
        return
    unknown = [number for number, state in states.items() if state is DeviceState.INVALID]
    unread = [number for number, state in states.items() if state is None]
    counts = Counter(state.value for state in states.values() if state is not None)
    summary = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    remedy = _NONE_KNOWN_REMEDY if len(unknown) == len(states) else _SOME_UNKNOWN_REMEDY
    if unknown:
        yield Finding(part, f"does not know {len(unknown)} of its {len(states)} extensions", remedy)
    elif unread:
        yield Finding(part, f"was too slow to tell of {len(unread)} extensions", "try again", otherwise=Verdict.UNKNOWN)
    else:
        yield Finding(part, f"knows its {len(states)} extensions ({summary})")
    for number in sorted(states):
        yield _report_state(part, number, states[number], remedy)


def _report_state(part: str, number: str, state: DeviceState | None, remedy: str) -> Finding:
    if state is None:
        return Finding(part, f"{number} was not asked for", "try again", otherwise=Verdict.UNKNOWN, detail=True)
    if state is DeviceState.INVALID:
        return Finding(part, f"{number} is not known", remedy, detail=True)
    return Finding(part, f"{number} is {state.value}", detail=True)
