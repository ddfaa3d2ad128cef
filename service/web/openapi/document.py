"""The OpenAPI 3.1 document of all operations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from service import __version__
from service.web.http.error_responses import family_of
from service.web.openapi import headers
from service.web.openapi.error_schemas import ENVELOPES
from service.web.openapi.json_schemas import Schemas
from service.web.openapi.operation import Operation
from service.web.openapi.operation_description import Json, describe

ABOUT = """\
SIP credentials from PostgreSQL and live line states from Asterisk, over HTTP.

`POST /api/v1/login` and `POST /auth` return a token. Send the token as `X-Auth-Token`. Calls under `/api/v1` also
require `X-User-Id`, the user's 17-character ID. HEAD is supported wherever GET is, except for the stream. Repeated
slashes in a path count as one.

The first failing check decides the status, in this order: 405, then 415 and 413 from the headers alone, then 401, 429,
408, 400, 403, 404. Where a permission does not depend on the arguments, 403 precedes 400. Every call rejects a request
with a `Content-Encoding` (415) and a declared body above the limit (413), and closes the connection. Responses may gain
fields: clients must ignore fields that they do not know.
"""
SECURITY_SCHEMES = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Auth-Token",
        "description": "Access token, issued by `POST /api/v1/login` or `POST /auth`.",
    },
    "uid": {
        "type": "apiKey",
        "in": "header",
        "name": "X-User-Id",
        "description": "ID of the user who holds the token (17 characters).",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "Single-use ticket from `POST /api/v1/presence/streamTicket`, valid for 60 s.",
    },
}
TAGS = {
    "Registration": "SIP credentials of a softphone and the live state of its line.",
    "Extensions": "Extensions and their assignment to users.",
    "Phones": "Phones of a person, each with a SIP password of its own.",
    "Queues": "Queues, queue members, waiting calls, and connection checks for the call servers.",
    "Login": "Login, logout and the current user.",
    "Presence": "Line states and user-set presence, by polling, long polling or server-sent events.",
    "Audit": "Who did what to whom, for admins.",
    "Users": "User accounts, for admin clients. The same calls are available under `/v1`.",
    "Health": "Probes and metrics for orchestrators and monitoring.",
    "Description": "This API description: OpenAPI document and HTML pages.",
}
"""The descriptions of the families."""


def document(families: Mapping[str, Iterable[Operation]]) -> Json:
    """The whole document."""
    operations = [(family, operation) for family, members in families.items() for operation in members]
    schemas = _schemas(each for _, each in operations)
    methods: dict[str, set[str]] = defaultdict(set)
    for _, operation in operations:
        methods[operation.path] |= _methods(operation)
    paths: dict[str, Json] = defaultdict(dict)
    for family, operation in operations:
        described = describe(operation, family, schemas, methods[operation.path])
        paths[operation.path][operation.method.lower()] = described
    shared = _share_responses(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Asterisk connector", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": family, "description": TAGS[family]} for family in families],
        "paths": dict(paths),
        "components": {
            "securitySchemes": SECURITY_SCHEMES,
            "headers": headers.components(),
            "responses": shared,
            "schemas": schemas.components([*paths.values(), shared]),
        },
    }


def _schemas(operations: Iterable[Operation]) -> Schemas:
    answers: list[Any] = list(ENVELOPES)
    inputs: list[Any] = []
    for each in operations:
        answers += [kind for kind in (each.answer, *each.other_answers.values()) if kind is not None]
        inputs += [decoder.kind for decoder in (each.query, each.in_path, each.body) if decoder is not None]
    return Schemas(answers, inputs)


def _methods(operation: Operation) -> set[str]:
    heads = operation.method == "GET" and operation.media_type != "text/event-stream"
    return {operation.method, "HEAD"} if heads else {operation.method}


def _share_responses(paths: Mapping[str, Json]) -> Json:
    """Move error responses that occur more than once to the components, named by family and errors."""
    places = [
        (f"{family_of(path).__name__.capitalize()}{'Or'.join(content['examples'])}", described["responses"], status)
        for path, methods in paths.items()
        for described in methods.values()
        for status, response in described["responses"].items()
        for content in response.get("content", {}).values()
        if "examples" in content
    ]
    texts = Counter(msgspec.json.encode(responses[status]) for _, responses, status in places)
    shared: dict[str, Json] = {}
    for name, responses, status in places:
        response = responses[status]
        if texts[msgspec.json.encode(response)] > 1 and shared.setdefault(name, response) == response:
            responses[status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))
