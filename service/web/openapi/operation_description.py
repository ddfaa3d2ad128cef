"""The OpenAPI description of one operation."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from typing import Any

import msgspec

from service.domain.permissions import ROLES
from service.web.openapi import headers, operation_errors
from service.web.openapi.examples import EXAMPLES
from service.web.openapi.json_schemas import Schemas
from service.web.openapi.operation import AnyOf, Auth, Operation

SECURITY: dict[Auth, list[dict[str, list[str]]]] = {
    Auth.NONE: [],
    Auth.TOKEN: [{"token": []}],
    Auth.TOKEN_ELSEWHERE: [{"token": []}, {}],
    Auth.TOKEN_AND_UID: [{"token": [], "uid": []}],
    Auth.TOKEN_AND_UID_OR_TICKET: [{"token": [], "uid": []}, {"ticket": []}],
}
Json = dict[str, Any]


def operation_id(operation: Operation) -> str:
    """Method and path as one word, without the common prefix."""
    words = re.findall(r"[A-Za-z0-9]+", re.sub(r"\{(\w+)\}", r"by \1", operation.path.removeprefix("/api/v1")))
    return operation.method.lower() + ("".join(word[:1].upper() + word[1:] for word in words) or "Home")


def describe(operation: Operation, family: str, schemas: Schemas, allowed_methods: set[str]) -> Json:
    example = _example_of(operation)
    description: Json = {
        "operationId": operation_id(operation),
        "tags": [family],
        "summary": operation.summary,
        "description": _details(operation),
        "security": SECURITY[operation.auth],
        "parameters": _parameters(operation, schemas, example.get("arguments", {})),
        "responses": _responses(operation, schemas, allowed_methods, example),
    }
    if operation.body is not None:
        description["requestBody"] = _body(operation.body.kind, schemas, example)
    return {key: value for key, value in description.items() if value or key == "security"}


def _example_of(operation: Operation) -> Json:
    """The recorded example; calls under `/v1` share those of the calls that they repeat."""
    return EXAMPLES.get(operation_id(replace(operation, path=operation.path.removeprefix("/v1"))), {})


def _details(operation: Operation) -> str:
    sentences = [operation.details or f"{operation.summary}."]
    if operation.body is not None and operation.body.form:
        # Client generators fail on a second media type in `requestBody`, so the text names it.
        sentences.append("The body may also be a form, `application/x-www-form-urlencoded`, with the same fields.")
    if operation.permission is not None:
        roles = ", ".join(sorted(ROLES[operation.permission]))
        needs = "Access to other users' data requires" if operation.own_is_free else "Requires"
        sentences.append(f"{needs} the permission `{operation.permission}` (roles: {roles}).")
    if operation.board:
        sentences.append("A token with the scope `board` will do.")
    return " ".join(sentences)


def _parameters(operation: Operation, schemas: Schemas, example: Json) -> list[Json]:
    parameters = [
        _parameter(name, "path", schema, True, example) for name, schema in _path_fields(operation, schemas).items()
    ]
    if operation.query is not None:
        required = {each.encode_name for each in msgspec.structs.fields(operation.query.kind) if each.required}
        for name, schema in schemas.fields_of(operation.query.kind).items():
            described = _parameter(name, "query", schema, name in required, example)
            parameters.append({**described, "allowEmptyValue": True} if operation.query.empty_is_absent else described)
    request_headers = (("If-None-Match",) if operation.conditional else ()) + operation.request_headers
    return parameters + headers.parameters(*request_headers)


def _path_fields(operation: Operation, schemas: Schemas) -> dict[str, Json]:
    described = schemas.fields_of(operation.in_path.kind) if operation.in_path is not None else {}
    names = re.findall(r"\{(\w+)\}", operation.path)
    return {name: described.get(name, {"type": "string"}) for name in names}


def _parameter(name: str, where: str, schema: Json, required: bool, example: Json) -> Json:
    text = schema.get("description")
    bare = {key: value for key, value in _without_null(schema).items() if key != "description"}
    return {
        "name": name,
        "in": where,
        "required": required,
        **({"description": text} if text else {}),
        "schema": bare,
        **({"example": _typed(example[name], bare)} if name in example else {}),
    }


def _typed(text: str, schema: Json) -> Any:
    """A parameter's text in the URL as the JSON value of its schema."""
    match schema.get("type"):
        case "integer":
            return int(text)
        case "array":
            return [text]
    return text


def _without_null(schema: Json) -> Json:
    """The schema without null and empty defaults: an optional parameter is absent from the URL instead."""
    present = {key: value for key, value in schema.items() if key != "default" or value not in (None, "", [])}
    choices = [each for each in present.get("anyOf", ()) if each != {"type": "null"}]
    if not choices:
        return present
    rest = {key: value for key, value in present.items() if key != "anyOf"}
    return {**rest, **choices[0]} if len(choices) == 1 else {**rest, "anyOf": choices}


def _body(body: Any, schemas: Schemas, example: Json) -> Json:
    example_entry = {"example": example["body"]} if "body" in example else {}
    content = {"application/json": {"schema": schemas.of(body), **example_entry}}
    return {"required": _is_required(body), "content": content}


def _is_required(body: Any) -> bool:
    return issubclass(body, AnyOf) or any(each.required for each in msgspec.structs.fields(body))


def _responses(operation: Operation, schemas: Schemas, allowed_methods: set[str], example: Json) -> Json:
    response_headers = (("ETag",) if operation.conditional else ()) + operation.headers
    answer: Json = {"schema": schemas.of(operation.answer) if operation.answer is not None else {"type": "string"}}
    if "answer" in example:
        answer["example"] = example["answer"]
    responses: Json = {str(operation.status): {"description": "OK", "headers": headers.references(*response_headers)}}
    if operation.media_type.startswith("image/"):  # client generators leave out a call with such content
        responses[str(operation.status)]["description"] = f"OK, an image of type `{operation.media_type}`"
    else:
        responses[str(operation.status)]["content"] = {operation.media_type: answer}
    if operation.conditional:
        responses["304"] = {"description": "Not modified", "headers": headers.references(*response_headers)}
    for status, kind in operation.other_answers.items():
        content = {"application/json": {"schema": schemas.of(kind)}}
        responses[str(status)] = {"description": "Not ready", "headers": headers.references(), "content": content}
    for code, errors in groupby(
        operation_errors.error_examples(operation, allowed_methods), key=lambda each: each.status
    ):
        responses[str(code)] = operation_errors.describe_response(list(errors), schemas)
    return responses
