"""The headers that requests and answers carry, each described once."""

from __future__ import annotations

from typing import Any

from service.domain.models import NotLive

_TIME = {"type": "string", "format": "date-time"}
_TAG = {"type": "string", "pattern": '^(W/)?"[^"]*"$'}

REQUEST_ID = "X-Request-Id"
ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    REQUEST_ID: ("ID of the request in the service's log.", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}),
    "ETag": ("Entity tag of the response, to send as `If-None-Match`.", _TAG),
    "Allow": ("Methods supported by this path.", {"type": "string"}),
    "Retry-After": ("Delay before the next attempt, in seconds.", {"type": "integer", "minimum": 1}),
    "X-Poll-Interval": ("Recommended interval between polls, in seconds.", {"type": "integer", "minimum": 1}),
    "X-State-Live": ("`true` if the state is Asterisk's current state.", {"type": "string", "enum": ["true", "false"]}),
    "X-State-Reason": (
        "Reason why the state is not live.",
        {"type": "string", "enum": [each.value for each in NotLive]},
    ),
    "X-State-Since": ("Time since which the state is not live.", _TIME),
    "X-Directory-Stale-Since": ("Time since which changes in PostgreSQL cannot be followed.", _TIME),
}
SOMETIMES = {"X-State-Reason", "X-State-Since", "X-Directory-Stale-Since"}
"""Those that an answer carries only where they say something."""

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "If-None-Match": ("`ETag` of the cached response. The status is 304 while it is unchanged.", {"type": "string"}),
    "Last-Event-ID": ("ID of the last event read. The stream resumes after it.", {"type": "string"}),
}


def components() -> dict[str, Any]:
    """The answers' headers, by name."""
    return {
        name: {"description": told, "schema": schema, "required": name not in SOMETIMES}
        for name, (told, schema) in ANSWERED.items()
    }


def references(*names: str) -> dict[str, Any]:
    """Those that an answer carries, and what all of them carry."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, REQUEST_ID)}


def parameters(*names: str) -> list[dict[str, Any]]:
    """Those that a request may carry."""
    return [
        {"name": name, "in": "header", "required": False, "description": ASKED[name][0], "schema": ASKED[name][1]}
        for name in names
    ]
