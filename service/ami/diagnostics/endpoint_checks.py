"""Whether Asterisk knows each extension, and how it is: one list for all, and few questions for those not in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from service.ami.client import AmiClient
from service.domain.models import DeviceState, Finding, Verdict, device_of
from service.errors import CallServerUnavailable, Invalid

CONCURRENCY = 10
PER_SECOND = 500
"""Extensions asked for by themselves: each takes Asterisk and PostgreSQL half a millisecond."""
WITHIN = 60.0
"""Seconds that asking may take; what is not asked by then is said not to be known."""
NOT_ONE = (
    "check res_pgsql.conf, extconfig.conf and sorcery.conf, and the password of its role; if they are right, whether "
    "the extensions belong to another call server"
)
SOME = "see Asterisk's log for it; its name may be taken by an object in pjsip.conf, or it is of another call server"
States = Mapping[str, DeviceState | None]
"""By extension; None where it could not be asked."""


async def states(
    connection: AmiClient, listed: Mapping[str, DeviceState], extensions: Collection[str]
) -> dict[str, DeviceState | None]:
    """Each extension's state. INVALID is one that Asterisk does not know."""
    found: dict[str, DeviceState | None] = {number: listed.get(device_of(number)) for number in extensions}
    left = iter([number for number, state in found.items() if state in (None, DeviceState.INVALID)])
    try:
        async with asyncio.timeout(WITHIN), asyncio.TaskGroup() as tasks:
            for _ in range(CONCURRENCY):
                tasks.create_task(_ask(connection, left, found))
    except TimeoutError:
        pass
    return found


async def _ask(connection: AmiClient, left: Iterator[str], found: dict[str, DeviceState | None]) -> None:
    for number in left:
        try:
            answer = await connection.variable(f"DEVICE_STATE({device_of(number)})")
            found[number] = DeviceState.__members__.get(answer, DeviceState.INVALID)
        except Invalid:
            found[number] = DeviceState.INVALID
        except CallServerUnavailable:
            if connection.why_ended is not None:
                return  # whoever asks next meets it, and says so
        await asyncio.sleep(CONCURRENCY / PER_SECOND)


def findings(part: str, found: States) -> Iterator[Finding]:
    """One for all, and one each."""
    if not found:
        yield Finding(part, "has no extension")
        return
    unknown = [number for number, state in found.items() if state is DeviceState.INVALID]
    unasked = [number for number, state in found.items() if state is None]
    counts = Counter(state.value for state in found.values() if state is not None)
    told = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    remedy = NOT_ONE if len(unknown) == len(found) else SOME
    if unknown:
        yield Finding(part, f"does not know {len(unknown)} of its {len(found)} extensions", remedy)
    elif unasked:
        yield Finding(
            part, f"was too slow to tell of {len(unasked)} extensions", "try again", otherwise=Verdict.UNKNOWN
        )
    else:
        yield Finding(part, f"knows its {len(found)} extensions ({told})")
    for number in sorted(found):
        yield _verdict(part, number, found[number], remedy)


def _verdict(part: str, number: str, state: DeviceState | None, remedy: str) -> Finding:
    if state is None:
        return Finding(part, f"{number} was not asked for", "try again", otherwise=Verdict.UNKNOWN, detail=True)
    if state is DeviceState.INVALID:
        return Finding(part, f"{number} is not known", remedy, detail=True)
    return Finding(part, f"{number} is {state.value}", detail=True)
