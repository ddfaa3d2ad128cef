"""The subjects of the bus in NATS. A message's subject names its call server, its sender and its receiver.

| subject | from | to |
| --- | --- | --- |
| `PREFIX.change.SERVER.COLLECTOR` | a collector | all followers of the call server |
| `PREFIX.reply.FOLLOWER.SERVER.COLLECTOR` | a collector | one follower |
| `PREFIX.ask.SERVER.all.FOLLOWER` | a follower | all collectors of the call server |
| `PREFIX.ask.SERVER.one.COLLECTOR.FOLLOWER` | a follower | one collector |

So a broker can permit collectors only `change` and `reply`, and followers only `ask`: see `deploy/nats/`.
"""

from __future__ import annotations

import re

PREFIX = "asterisk-connector.v1"
"""The name of the protocol and its version: another version does not hear this one."""
_PREFIX_TOKENS = len(PREFIX.split("."))
_ESCAPED = re.compile(r"[^A-Za-z0-9_-]")
_ESCAPE = re.compile(r"=([0-9a-f]{6})")
_TOKEN = re.compile(r"(?:[A-Za-z0-9_-]|=(?:0[0-9a-f]|10)[0-9a-f]{4})+")


def token(name: str) -> str:
    """Encode any name as one token of a subject, without the characters that mean something to NATS."""
    return _ESCAPED.sub(lambda found: f"={ord(found[0]):06x}", name) or "="


def name_of(encoded: str) -> str | None:
    """Decode a token; None if it is not one of ours."""
    if encoded == "=":
        return ""
    if _TOKEN.fullmatch(encoded) is None:
        return None
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), encoded)


def change(call_server: str, collector: str) -> str:
    """The subject of a publication."""
    return f"{PREFIX}.change.{token(call_server)}.{token(collector)}"


def reply(follower: str, call_server: str, collector: str) -> str:
    """The subject of a message to one follower."""
    return f"{PREFIX}.reply.{token(follower)}.{token(call_server)}.{token(collector)}"


def ask(call_server: str, collector: str | None, follower: str) -> str:
    """The subject of a message to one collector of a call server, or with None to all of them."""
    to = "all" if collector is None else f"one.{token(collector)}"
    return f"{PREFIX}.ask.{token(call_server)}.{to}.{token(follower)}"


def heard_by_follower(call_servers: list[str], follower: str) -> list[str]:
    """What a follower subscribes to."""
    return [*(f"{PREFIX}.change.{token(name)}.*" for name in call_servers), f"{PREFIX}.reply.{token(follower)}.*.*"]


def heard_by_collector(call_servers: list[str], collector: str) -> list[str]:
    """What a collector subscribes to."""
    return [
        subject
        for name in call_servers
        for subject in (f"{PREFIX}.ask.{token(name)}.all.*", f"{PREFIX}.ask.{token(name)}.one.{token(collector)}.*")
    ]


def told_by_collector(subject: str) -> tuple[str, str] | None:
    """The call server and the collector of a `change` or a `reply`; None of another subject."""
    return _names(subject, -2, -1)


def told_by_follower(subject: str) -> tuple[str, str] | None:
    """The call server and the follower of an `ask`; None of another subject."""
    return _names(subject, _PREFIX_TOKENS + 1, -1)


def _names(subject: str, first: int, second: int) -> tuple[str, str] | None:
    parts = subject.split(".")
    if len(parts) < _PREFIX_TOKENS + 3:
        return None
    one, other = name_of(parts[first]), name_of(parts[second])
    return None if one is None or other is None else (one, other)
