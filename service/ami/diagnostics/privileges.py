"""Checks that an AMI account has the classes it needs and no more. `ListCommands` lists what an account may send."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Collection

from service.ami.client import AmiClient
from service.domain.models import Finding, Verdict

NEEDED_WRITE_CLASS = {"monitor": "reporting", "presence": "call", "sync": "command", "credentials": "system"}
"""The only write class that each kind of account needs."""
MONITOR_READ_CLASSES = frozenset({"system", "call", "agent"})
"""The read classes of `monitor`; without `agent` only queues are unknown."""
_WITH_OWN_ACTIONS = frozenset({"call", "command", "system"})
"""Classes with actions that no other class permits, whatever modules are loaded; `reporting` has none."""
_PERMISSION = re.compile(r"(read|write) perm: (\S*)")
_NOT_CLASSES = frozenset({"all", "<none>", ""})


def parse_classes(synopsis: str) -> frozenset[str]:
    """The classes that permit an action, each by itself: `(Priv: call,reporting,all)` at the end of its synopsis."""
    _, found, listed = synopsis.rpartition("(Priv: ")
    return frozenset(listed.rstrip(")").split(",")) - _NOT_CLASSES if found else frozenset()


async def check_write_class(part: str, kind: str, username: str, connection: AmiClient) -> Finding:
    """Check an account's write classes against its kind's. Actions without a class are open to every account."""
    needed = NEEDED_WRITE_CLASS[kind]
    allowed = {action: parse_classes(synopsis) for action, synopsis in (await connection.actions()).items()}
    if not _has_class(needed, allowed.values()):
        remedy = f"manager.conf: [{username}] needs write = {needed}"
        return Finding(part, f"{username!r} may not do what it is for", remedy)
    excess = {classes for classes in allowed.values() if classes and needed not in classes}
    if not excess:
        return Finding(part, f"{username!r} may write no class but {needed}")
    excess_classes = ", ".join(sorted(_covering_classes(excess)))
    remedy = (
        f"manager.conf: [{username}] needs write = {needed} and nothing else; "
        "if somebody else uses it, leave it as it is and create another account"
    )
    return Finding(part, f"{username!r} may write more: {excess_classes}", remedy, otherwise=Verdict.TOO_MUCH)


def _has_class(needed: str, allowed: Collection[frozenset[str]]) -> bool:
    """Whether the account has this class. Most actions are permitted by several, and prove none of them."""
    if needed in _WITH_OWN_ACTIONS:
        return frozenset({needed}) in allowed
    return any(needed in classes for classes in allowed)


def _covering_classes(allowed: set[frozenset[str]]) -> set[str]:
    """A small set of classes that permits all these actions (greedy): one class of each set permits its action."""
    chosen = {next(iter(classes)) for classes in allowed if len(classes) == 1}
    while uncovered := [classes for classes in allowed if classes.isdisjoint(chosen)]:
        counts = Counter(class_ for classes in uncovered for class_ in sorted(classes))
        chosen.add(counts.most_common(1)[0][0])
    return chosen


async def check_read_classes(part: str, username: str, sync: AmiClient | None) -> AsyncIterator[Finding]:
    """Check the read classes of `monitor`. An account cannot read its own; the CLI shows those of every account."""
    if sync is None:
        remedy = (
            f"on its machine: asterisk -rx 'manager show user {username}'; it needs read = system,call,agent; "
            "or make a call while `check --watch 60` runs"
        )
        what = f"which events {username!r} may hear cannot be asked without a sync account"
        yield Finding(part, what, remedy, otherwise=Verdict.UNKNOWN, detail=True)
        return
    shown = dict(_PERMISSION.findall(await sync.command(f"manager show user {username}")))
    allowed = frozenset(shown.get("read", "").split(",")) - {"<none>", ""}
    needs = f"manager.conf: [{username}] needs read = system,call,agent"
    yield Finding(part, "tells of changes of states", None if allowed & {"call", "all"} else needs)
    queues_remedy = None if allowed & {"agent", "all"} else f"{needs} for queues to be known"
    yield Finding(part, "tells of changes in queues", queues_remedy, needed=False)
    if excess := allowed - MONITOR_READ_CLASSES:
        what = f"{username!r} may hear more: {'all' if 'all' in excess else ', '.join(sorted(excess))}"
        yield Finding(part, what, f"{needs} and nothing else", otherwise=Verdict.TOO_MUCH)
