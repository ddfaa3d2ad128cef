"""Checks the read classes and event filters of `monitor` in manager.conf, which the account `credentials` may read.

Over AMI no account can ask for its own. `GetConfig` returns the section with includes and templates resolved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from service.ami.client import AmiClient
from service.domain.models import Finding
from service.errors import CallServerUnavailable

READ_CLASSES = ("system", "call", "agent")
"""The read classes that `monitor` needs; without `agent` only queues are unknown."""
EVENTS = {
    "DeviceStateChange": "DeviceStateChange",
    "ExtensionStatus": "ExtensionStatus",
    "PresenceStateChange": "PresenceStateChange",
    "ContactStatus": "ContactStatus",
    "FullyBooted": "FullyBooted",
    "Reload": "Reload",
    "Shutdown": "Shutdown",
    "QueueMember": "QueueMemberStatus",
    "QueueCaller": "QueueCallerJoin",
    "AgentComplete": "AgentComplete",
}
"""By filter: an event that it selects."""
_OF_QUEUES = frozenset({"QueueMember", "QueueCaller", "AgentComplete"})
_BY_NAME = re.compile(r"!?\^?Event: \^?(?P<name>[A-Za-z]+)\$?")
"""A filter that selects by the beginning of an event's name. Other filters are not judged."""
_APPLY = "then asterisk -rx 'manager reload'"
Line = tuple[str, str]


async def check_file(part: str, username: str, connection: AmiClient) -> list[Finding]:
    """Check the section of `username`; no finding if it is not in manager.conf."""
    try:
        lines = await connection.config_section("manager.conf", username)
    except CallServerUnavailable:
        if connection.why_ended is not None:
            raise
        return []
    return [*report_classes(part, username, lines), *report_filters(part, username, lines)]


def report_classes(part: str, username: str, lines: Sequence[Line]) -> Iterator[Finding]:
    """A finding about the read classes. Asterisk uses the last line."""
    value = next((value for name, value in reversed(lines) if name.lower() == "read"), "")
    allowed = {word.strip().lower() for word in value.split(",")}
    missing = [] if "all" in allowed else [word for word in READ_CLASSES if word not in allowed]
    if not missing:
        yield Finding(part, f"{username!r} has the read classes it needs")
        return
    remedy = f"manager.conf: [{username}] needs read = {','.join(READ_CLASSES)}; {_APPLY}"
    yield Finding(part, f"{username!r} lacks read = {','.join(missing)}", remedy, needed=missing != ["agent"])


def report_filters(part: str, username: str, lines: Sequence[Line]) -> Iterator[Finding]:
    """A finding about the filters, if each selects by an event's name."""
    filters = [(name, value) for name, value in lines if name.lower().startswith("eventfilter")]
    matched = [_BY_NAME.fullmatch(value) if name.lower() == "eventfilter" else None for name, value in filters]
    names = [(found["name"], found[0].startswith("!")) for found in matched if found is not None]
    if len(names) < len(filters):
        return
    included = [name for name, excludes in names if not excludes]
    excluded = [name for name, excludes in names if excludes]
    missing = [
        name
        for name, event in EVENTS.items()
        if (included and not event.startswith(tuple(included))) or event.startswith(tuple(excluded))
    ]
    if not missing:
        return
    needed = ", ".join(f"eventfilter = ^Event: {name}" for name in missing)
    remedy = f"manager.conf: [{username}] needs {needed}, and no eventfilter = ! for them; {_APPLY}"
    what = f"the filters of {username!r} lack {', '.join(missing)}"
    yield Finding(part, what, remedy, needed=not _OF_QUEUES.issuperset(missing))
