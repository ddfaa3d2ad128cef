"""The description is a valid OpenAPI 3.1 document of exactly the routes that are served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis.strategies import text
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.domain.user_names import new_name
from service.errors import Invalid
from service.web import routes
from service.web.openapi import error_schemas
from service.web.openapi.document import document
from service.web.openapi.operation_description import operation_id
from service.web.pages.routes import ROUTES as PAGE_ROUTES

FAMILIES = routes.families(with_metrics=True)
OPERATIONS = [each for family in FAMILIES.values() for each in family]
DOCUMENT = document(FAMILIES)
DESCRIBED = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def served(app: web.Application) -> set[tuple[str, str]]:
    """Methods and paths as aiohttp knows them. HEAD goes with GET, and the description says so once for all.

    What is under `/p/` is left out, and so are the pages: clients of the API have no use for them.
    """
    routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    pages = {(route.method, route.path) for route in PAGE_ROUTES}
    return {route for route in routes - pages if route[0] != "HEAD" and not route[1].startswith("/p/")}


def test_every_route_is_described_and_everything_described_is_a_route() -> None:
    app = web.Application()
    app.add_routes(routes.public(FAMILIES))
    assert served(app) == DESCRIBED


def test_a_route_that_is_not_described_would_be_found() -> None:
    app = web.Application()
    app.add_routes(routes.public(FAMILIES))
    app.add_routes([replace(OPERATIONS[0], path="/api/v1/forgotten").route()])
    assert served(app) - DESCRIBED == {("GET", "/api/v1/forgotten")}


def test_metrics_on_a_port_of_their_own_are_not_described() -> None:
    assert "/metrics" in DOCUMENT["paths"]
    assert "/metrics" not in document(routes.families(with_metrics=False))["paths"]


def test_operation_ids_are_unique_words() -> None:
    ids = [operation_id(each) for each in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9]+", each) for each in ids)


def responses(described: dict[str, Any]) -> dict[str, Any]:
    """The answers of an operation, with references followed."""
    shared = DOCUMENT["components"]["responses"]
    return {
        status: shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in described["responses"].items()
    }


@pytest.mark.parametrize(("method", "path"), sorted(DESCRIBED))
def test_errors_are_described_by_rule(method: str, path: str) -> None:
    described = DOCUMENT["paths"][path][method.lower()]
    found = responses(described)
    assert "Allow" in found["405"]["headers"]
    if described["security"]:
        assert {"401", "503"} <= set(found)
        if {} not in described["security"]:  # else it is for operators, whose requests are not counted
            assert "Retry-After" in found["429"]["headers"]
        assert "Retry-After" in found["503"]["headers"]
    if "requestBody" in described:
        assert {"400", "408", "413", "415"} <= set(found)
    for status, answer in found.items():
        assert answer["description"]
        assert "X-Request-Id" in answer["headers"]
        if status != "304" and not status.startswith("2"):
            assert "application/json" in answer["content"]


def validator(schema: dict[str, Any]) -> OAS31Validator:
    return OAS31Validator({**schema, "components": DOCUMENT["components"]})


def check(schema: dict[str, Any], value: Any) -> None:
    validator(schema).validate(value)


@pytest.mark.parametrize(("method", "path"), sorted(DESCRIBED))
def test_every_operation_has_an_example_that_is_as_it_is_described(method: str, path: str) -> None:
    described = DOCUMENT["paths"][path][method.lower()]
    answer = next(each for status, each in responses(described).items() if status.startswith("2"))
    for content in answer.get("content", {}).values():
        check(content["schema"], content["example"])
    assert len(answer.get("content", {})) == (0 if "an image" in answer["description"] else 1)
    bodies = described.get("requestBody", {}).get("content", {})
    for kind, body in bodies.items():
        assert "example" in body, kind
        check(body["schema"], body["example"])
    for parameter in described.get("parameters", []):
        assert "example" in parameter or not parameter["required"]
        if "example" in parameter:
            check(parameter["schema"], parameter["example"])


@pytest.mark.parametrize(("method", "path"), sorted(DESCRIBED))
def test_every_operation_and_family_is_described_in_a_sentence(method: str, path: str) -> None:
    described = DOCUMENT["paths"][path][method.lower()]
    assert described["description"].endswith(".")
    (tag,) = (each for each in DOCUMENT["tags"] if each["name"] in described["tags"])
    assert tag["description"].endswith(".")


def arrays(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "array":
            yield schema
        for each in schema.values():
            yield from arrays(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from arrays(each)


def test_every_array_says_what_its_items_are_or_generators_drop_the_call() -> None:
    found = list(arrays(DOCUMENT))
    assert found
    assert all({"items", "prefixItems"} & each.keys() for each in found)


def test_a_body_comes_in_one_media_type_or_generated_clients_cannot_send_it() -> None:
    bodies = [
        each["requestBody"]
        for methods in DOCUMENT["paths"].values()
        for each in methods.values()
        if "requestBody" in each
    ]
    assert bodies
    assert all(list(body["content"]) == ["application/json"] for body in bodies)


@given(text(max_size=12))
@example("Grace Hopper")
@example("a")
def test_every_name_that_is_accepted_is_as_it_is_described(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"]["NewUser"]["properties"]["name"]
    try:
        new_name(name)
    except Invalid:
        return
    check(schema, name)


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a  b", "a@b", "a\x00", "\n", "a\u200b", "\u202ea", "a\u00a0b", "a" * 201]
)
def test_a_name_that_is_refused_is_as_it_is_described(name: str) -> None:
    with pytest.raises(Invalid):
        new_name(name)
    assert not validator(DOCUMENT["components"]["schemas"]["NewUser"]["properties"]["name"]).is_valid(name)


@pytest.mark.parametrize(("method", "path"), sorted(DESCRIBED))
def test_every_error_has_an_example_that_is_as_it_is_described(method: str, path: str) -> None:
    for answer in responses(DOCUMENT["paths"][path][method.lower()]).values():
        for content in answer.get("content", {}).values():
            for each in content.get("examples", {}).values():
                check(content["schema"], each["value"])


@pytest.mark.parametrize(("call", "refusals"), [("create", 1), ("update", 2), ("delete", 1)])
def test_what_asterisk_owns_is_described_with_each_place_where_it_is_changed(call: str, refusals: int) -> None:
    answer = responses(DOCUMENT["paths"][f"/api/v1/connector.extension.{call}"]["post"])["409"]
    examples = [each["value"]["error"] for name, each in answer["content"]["application/json"]["examples"].items()
                if name.startswith("OwnedByAsterisk")]  # fmt: skip
    assert len(set(examples)) == refusals
    assert all("its configuration, then run extension import --call-server pbx" in each for each in examples)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/v1/connector.extension.create"),
        ("post", "/api/v1/connector.extension.update"),
        ("post", "/api/v1/omnichannel/agent/extension"),
        ("delete", "/api/v1/omnichannel/agent/extension/{username}"),
        ("patch", "/v1/user/{user_id}"),
        ("delete", "/user/{user_id}"),
    ],
)
def test_a_change_that_leaves_a_password_valid_has_a_header_that_says_so(method: str, path: str) -> None:
    assert "X-Unrevoked-Endpoints" in responses(DOCUMENT["paths"][path][method])["200"]["headers"]
    assert DOCUMENT["components"]["headers"]["X-Unrevoked-Endpoints"]["required"] is False


def test_an_error_whose_shape_is_not_described_is_not_described_wrongly() -> None:
    with pytest.raises(ValueError, match="no envelope fits"):
        error_schemas.envelope_of({"success": False, "error": "x", "new": 1})


def test_every_answer_in_json_says_which_of_its_fields_are_always_there() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["MeAnswer"]["required"] == ["_id", "name", "username", "emails", "active", "roles", "success"]
    assert schemas["Credentials"]["required"] == ["email_or_name", "password"]
    assert "default" not in schemas["MeAnswer"]["properties"]["success"]


def structs(kind: type[msgspec.Struct] = msgspec.Struct) -> Iterator[type[msgspec.Struct]]:
    for each in kind.__subclasses__():
        yield each
        yield from structs(each)


def test_a_field_that_may_be_absent_has_that_as_its_default_or_it_would_be_described_as_required() -> None:
    ours = [each for each in structs() if each.__module__.startswith("service.web")]
    assert len(ours) > 20
    for kind in ours:
        types = get_type_hints(kind)
        for field in msgspec.structs.fields(kind):
            assert not field.required or msgspec.UnsetType not in get_args(types[field.name]), (kind, field.name)
