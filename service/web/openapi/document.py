"""The OpenAPI 3.1 document: every operation of every family, with what it takes, answers and refuses."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec

from service import __version__
from service.domain.permissions import ROLES
from service.web.http.error_responses import family_of
from service.web.openapi import headers, operation_errors
from service.web.openapi.error_schemas import ENVELOPES
from service.web.openapi.examples import EXAMPLES
from service.web.openapi.json_schemas import Schemas
from service.web.openapi.operation import AnyOf, Auth, Operation

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
SECURITY: dict[Auth, list[dict[str, list[str]]]] = {
    Auth.NONE: [],
    Auth.TOKEN: [{"token": []}],
    Auth.TOKEN_ELSEWHERE: [{"token": []}, {}],
    Auth.TOKEN_AND_UID: [{"token": [], "uid": []}],
    Auth.TOKEN_AND_UID_OR_TICKET: [{"token": [], "uid": []}, {"ticket": []}],
}
TAGS = {
    "Registration": "SIP credentials of a softphone and the live state of its line.",
    "Extensions": "Extensions and their assignment to users.",
    "Queues": "Queues, queue members, waiting calls, and connection checks for the call servers.",
    "Login": "Login, logout and the current user.",
    "Presence": "Line states and user-set presence, by polling, long polling or server-sent events.",
    "Users": "User accounts, for admin clients. The same calls are available under `/v1`.",
    "Health": "Probes and metrics for orchestrators and monitoring.",
    "Description": "This API description: OpenAPI document and HTML pages.",
}
"""What each family of operations is for."""
Json = dict[str, Any]


def document(families: Mapping[str, Iterable[Operation]]) -> Json:
    """The whole description."""
    operations = [(family, operation) for family, members in families.items() for operation in members]
    schemas = _schemas(each for _, each in operations)
    methods: dict[str, set[str]] = defaultdict(set)
    for _, operation in operations:
        methods[operation.path] |= _methods(operation)
    paths: dict[str, Json] = defaultdict(dict)
    for family, operation in operations:
        described = _described(operation, family, schemas, methods[operation.path])
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


def operation_id(operation: Operation) -> str:
    """Method and path as one word, without what all have."""
    words = re.findall(r"[A-Za-z0-9]+", re.sub(r"\{(\w+)\}", r"by \1", operation.path.removeprefix("/api/v1")))
    return operation.method.lower() + ("".join(word[:1].upper() + word[1:] for word in words) or "Home")


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


def _described(operation: Operation, family: str, schemas: Schemas, allowed: set[str]) -> Json:
    example = _example_of(operation)
    described: Json = {
        "operationId": operation_id(operation),
        "tags": [family],
        "summary": operation.summary,
        "description": _details(operation),
        "security": SECURITY[operation.auth],
        "parameters": _parameters(operation, schemas, example.get("arguments", {})),
        "responses": _responses(operation, schemas, allowed, example),
    }
    if operation.body is not None:
        described["requestBody"] = _body(operation.body.kind, schemas, example)
    return {key: value for key, value in described.items() if value or key == "security"}


def _example_of(operation: Operation) -> Json:
    """Under `/v1` it is the same call."""
    return EXAMPLES.get(operation_id(replace(operation, path=operation.path.removeprefix("/v1"))), {})


def _details(operation: Operation) -> str:
    sentences = [operation.details or f"{operation.summary}."]
    if operation.body is not None and operation.body.form:
        # A second media type in `requestBody` is what client generators stumble over, so the text names it.
        sentences.append("The body may also be a form, `application/x-www-form-urlencoded`, with the same fields.")
    if operation.permission is not None:
        roles = ", ".join(sorted(ROLES[operation.permission]))
        needs = "Access to other users' data requires" if operation.own_is_free else "Requires"
        sentences.append(f"{needs} the permission `{operation.permission}` (roles: {roles}).")
    return " ".join(sentences)


def _parameters(operation: Operation, schemas: Schemas, example: Json) -> list[Json]:
    found = [_parameter(name, "path", schema, True, example) for name, schema in _in_path(operation, schemas).items()]
    if operation.query is not None:
        required = {each.encode_name for each in msgspec.structs.fields(operation.query.kind) if each.required}
        for name, schema in schemas.fields_of(operation.query.kind).items():
            described = _parameter(name, "query", schema, name in required, example)
            found.append({**described, "allowEmptyValue": True} if operation.query.empty_is_absent else described)
    asked = (("If-None-Match",) if operation.conditional else ()) + operation.request_headers
    return found + headers.parameters(*asked)


def _in_path(operation: Operation, schemas: Schemas) -> dict[str, Json]:
    described = schemas.fields_of(operation.in_path.kind) if operation.in_path is not None else {}
    names = re.findall(r"\{(\w+)\}", operation.path)
    return {name: described.get(name, {"type": "string"}) for name in names}


def _parameter(name: str, where: str, schema: Json, required: bool, example: Json) -> Json:
    told = schema.get("description")
    bare = {key: value for key, value in _without_null(schema).items() if key != "description"}
    return {
        "name": name,
        "in": where,
        "required": required,
        **({"description": told} if told else {}),
        "schema": bare,
        **({"example": _typed(example[name], bare)} if name in example else {}),
    }


def _typed(text: str, schema: Json) -> Any:
    """An argument as it stands in the URL, as the JSON value that its schema describes."""
    match schema.get("type"):
        case "integer":
            return int(text)
        case "array":
            return [text]
    return text


def _without_null(schema: Json) -> Json:
    """What may be left out is null, or empty, inside; in a URL it is just not there."""
    given = {key: value for key, value in schema.items() if key != "default" or value not in (None, "", [])}
    choices = [each for each in given.get("anyOf", ()) if each != {"type": "null"}]
    if not choices:
        return given
    rest = {key: value for key, value in given.items() if key != "anyOf"}
    return {**rest, **choices[0]} if len(choices) == 1 else {**rest, "anyOf": choices}


def _body(body: Any, schemas: Schemas, example: Json) -> Json:
    shown = {"example": example["body"]} if "body" in example else {}
    content = {"application/json": {"schema": schemas.of(body), **shown}}
    return {"required": _is_required(body), "content": content}


def _is_required(body: Any) -> bool:
    return issubclass(body, AnyOf) or any(each.required for each in msgspec.structs.fields(body))


def _responses(operation: Operation, schemas: Schemas, allowed: set[str], example: Json) -> Json:
    carried = (("ETag",) if operation.conditional else ()) + operation.headers
    answer: Json = {"schema": schemas.of(operation.answer) if operation.answer is not None else {"type": "string"}}
    if "answer" in example:
        answer["example"] = example["answer"]
    found: Json = {str(operation.status): {"description": "OK", "headers": headers.references(*carried)}}
    if operation.media_type.startswith("image/"):  # which client generators cannot read, and leave the call out
        found[str(operation.status)]["description"] = f"OK, an image of type `{operation.media_type}`"
    else:
        found[str(operation.status)]["content"] = {operation.media_type: answer}
    if operation.conditional:
        found["304"] = {"description": "Not modified", "headers": headers.references(*carried)}
    for status, kind in operation.other_answers.items():
        content = {"application/json": {"schema": schemas.of(kind)}}
        found[str(status)] = {"description": "Not ready", "headers": headers.references(), "content": content}
    for code, facts in groupby(operation_errors.of(operation, allowed), key=lambda each: each.status):
        found[str(code)] = operation_errors.response(list(facts), schemas)
    return found


def _share_responses(paths: Mapping[str, Json]) -> Json:
    """Refusals that occur more than once move to the components, under the names of family and facts."""
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
