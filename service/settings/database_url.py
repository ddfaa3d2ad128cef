"""The hosts of a PostgreSQL URL. There may be several, each with its own port, in the syntax of libpq and asyncpg."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

DEFAULT_PORT = 5432
TARGETS = ("primary", "read-write")
"""Permitted `target_session_attrs`: the service writes, and a standby sends no notifications."""
_NO_HOST = "a host or its port cannot be one"  # without the text, in which a password may be by mistake
_HOST = re.compile(r"(\[[^\]]+\]|[^:\[\]]*)(?::([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Host:
    """A server's name, address or socket directory, and its port."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


def hosts(url: str) -> tuple[Host, ...]:
    """Parse the hosts, in order; none if the URL leaves them to the environment. Raises ValueError."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    named = parts.netloc.rpartition("@")[2]
    ports = _last(query, "port") if not named else ""
    parsed = [parse_host(text) for text in (named or _last(query, "host")).split(",") if named or text]
    explicit = [int(port) for port in ports.split(",") if port]
    if len(explicit) not in (0, 1, len(parsed)):
        raise ValueError("as many ports are wanted as hosts, or one for all")
    defaults = explicit if len(explicit) == len(parsed) else (explicit or [DEFAULT_PORT]) * len(parsed)
    return tuple(Host(name, port or default) for (name, port), default in zip(parsed, defaults, strict=True))


def target(url: str) -> str:
    """Parse `target_session_attrs`; the default is the primary. Raises ValueError."""
    wanted = _last(parse_qs(urlsplit(url).query), "target_session_attrs") or TARGETS[0]
    if wanted not in TARGETS:
        raise ValueError(f"target_session_attrs must be {' or '.join(TARGETS)}: a standby tells of no change")
    return wanted


def _last(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[-1]


def parse_host(text: str) -> tuple[str, int | None]:
    """Parse `host` or `host:port`. Raises ValueError."""
    match = _HOST.fullmatch(text) if not text.startswith("/") else re.fullmatch(r"(.+)()", text)
    if match is None or not match[1]:
        raise ValueError(_NO_HOST)
    port = int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(_NO_HOST)
    return unquote(match[1].strip("[]")), port
