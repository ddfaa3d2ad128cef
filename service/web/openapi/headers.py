"""The headers that requests and answers carry, each described once."""

from __future__ import annotations

from typing import Any

from service.domain.models import NotLive

_TIME = {"type": "string", "format": "date-time"}
_TAG = {"type": "string", "pattern": '^(W/)?"[^"]*"$'}

REQUEST_ID = "X-Request-Id"
ANSWERED: dict[str, tuple[str, dict[str, Any]]] = {
    REQUEST_ID: ("The request's id in our logs.", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}),
    "ETag": ("Of the answer; send it as `If-None-Match`.", _TAG),
    "Allow": ("The methods that are known here.", {"type": "string"}),
    "Retry-After": ("Seconds after which to try again.", {"type": "integer", "minimum": 1}),
    "X-Poll-Interval": ("Seconds that we advise between polls.", {"type": "integer", "minimum": 1}),
    "X-State-Live": ("Whether the state is Asterisk's now.", {"type": "string", "enum": ["true", "false"]}),
    "X-State-Reason": ("Why it is not.", {"type": "string", "enum": [each.value for each in NotLive]}),
    "X-State-Since": ("Since when it is not.", _TIME),
    "X-Directory-Stale-Since": ("Since when PostgreSQL cannot be followed.", _TIME),
}
SOMETIMES = {"X-State-Reason", "X-State-Since", "X-Directory-Stale-Since"}
"""Those that an answer carries only where they say something."""

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "If-None-Match": ("The `ETag` of the answer that is known: 304 while it is the same.", {"type": "string"}),
    "Last-Event-ID": ("The id of the last event that was read: only what came since is told.", {"type": "string"}),
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
