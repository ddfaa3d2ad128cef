"""Whether an AMI account may do what it is for, and no more: `ListCommands` shows each account what it may send."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator

from service.ami.client import AmiClient
from service.domain.models import Finding, Verdict

WRITE = {"monitor": "reporting", "presence": "call", "sync": "command"}
"""The one write class that each kind of account needs."""
READ = frozenset({"system", "call", "agent"})
"""The read classes of `monitor`; without `agent` only queues are not known."""
_PERMISSION = re.compile(r"(read|write) perm: (\S*)")
_NO_CLASSES = frozenset({"all", "<none>", ""})


def classes(synopsis: str) -> frozenset[str]:
    """The classes of which one is enough for an action, as `(Priv: call,reporting,all)` at the end of its synopsis."""
    _, there, told = synopsis.rpartition("(Priv: ")
    return frozenset(told.rstrip(")").split(",")) - _NO_CLASSES if there else frozenset()


async def write_class(part: str, kind: str, username: str, connection: AmiClient) -> Finding:
    """Whether an account's write classes are what its kind needs. What needs no class at all everybody may do."""
    needed = WRITE[kind]
    allowed = {action: classes(synopsis) for action, synopsis in (await connection.actions()).items()}
    if not any(needed in each for each in allowed.values()):
        remedy = f"manager.conf: [{username}] needs write = {needed}"
        return Finding(part, f"{username!r} may not do what it is for", remedy)
    more = {each for each in allowed.values() if each and needed not in each}
    if not more:
        return Finding(part, f"{username!r} may write no class but {needed}")
    told = ", ".join(sorted(_explaining(more)))
    remedy = f"manager.conf: [{username}] needs write = {needed} and nothing else"
    return Finding(part, f"{username!r} may write more: {told}", remedy, otherwise=Verdict.TOO_MUCH)


def _explaining(allowed: set[frozenset[str]]) -> set[str]:
    """The fewest classes, or nearly, that explain all this: one of each set is enough for an action."""
    found = {next(iter(each)) for each in allowed if len(each) == 1}
    while left := [each for each in allowed if each.isdisjoint(found)]:
        counts = Counter(class_ for each in left for class_ in sorted(each))
        found.add(counts.most_common(1)[0][0])
    return found


async def read_classes(part: str, username: str, sync: AmiClient | None) -> AsyncIterator[Finding]:
    """What `monitor` may hear. No account is told that of itself; the command line shows it of any."""
    if sync is None:
        remedy = f"on its machine: asterisk -rx 'manager show user {username}'; it needs read = system,call,agent"
        what = f"which events {username!r} may hear cannot be asked without a sync account"
        yield Finding(part, what, remedy, otherwise=Verdict.UNKNOWN, detail=True)
        return
    shown = dict(_PERMISSION.findall(await sync.command(f"manager show user {username}")))
    may = frozenset(shown.get("read", "").split(",")) - {"<none>", ""}
    needs = f"manager.conf: [{username}] needs read = system,call,agent"
    yield Finding(part, "tells of changes of states", None if may & {"call", "all"} else needs)
    heard = None if may & {"agent", "all"} else f"{needs} for queues to be known"
    yield Finding(part, "tells of changes in queues", heard, needed=False)
    if more := may - READ:
        what = f"{username!r} may hear more: {'all' if 'all' in more else ', '.join(sorted(more))}"
        yield Finding(part, what, f"{needs} and nothing else", otherwise=Verdict.TOO_MUCH)
