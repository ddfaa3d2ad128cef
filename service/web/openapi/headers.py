"""Descriptions of request and response headers."""

from __future__ import annotations

from typing import Any

from service.domain.models import NotLive

_TIME = {"type": "string", "format": "date-time"}
_TAG = {"type": "string", "pattern": '^(W/)?"[^"]*"$'}

REQUEST_ID = "X-Request-Id"
RESPONSE_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
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
    "X-Unrevoked-Endpoints": (
        "Endpoints whose SIP password stays valid until it is changed in Asterisk, which owns it. Comma-separated.",
        {"type": "string", "pattern": "^[A-Za-z0-9_.+-]+(, [A-Za-z0-9_.+-]+)*$"},
    ),
}
OPTIONAL_HEADERS = {"X-State-Reason", "X-State-Since", "X-Directory-Stale-Since", "X-Unrevoked-Endpoints"}
"""The response headers that are not always present."""

REQUEST_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "If-None-Match": ("`ETag` of the cached response. The status is 304 while it is unchanged.", {"type": "string"}),
    "Last-Event-ID": ("ID of the last event read. The stream resumes after it.", {"type": "string"}),
}


def components() -> dict[str, Any]:
    """The response headers as OpenAPI components."""
    return {
        name: {"description": description, "schema": schema, "required": name not in OPTIONAL_HEADERS}
        for name, (description, schema) in RESPONSE_HEADERS.items()
    }


def references(*names: str) -> dict[str, Any]:
    """References to a response's headers, with those that all responses carry."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, REQUEST_ID)}


def parameters(*names: str) -> list[dict[str, Any]]:
    """Request headers as OpenAPI parameters."""
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": REQUEST_HEADERS[name][0],
            "schema": REQUEST_HEADERS[name][1],
        }
        for name in names
    ]
