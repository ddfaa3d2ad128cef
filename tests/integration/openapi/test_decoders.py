"""A call decodes its input with the decoders that its description is made of, and with no others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.web import routes
from service.web.http import params
from service.web.openapi.examples import EXAMPLES
from service.web.openapi.operation import Operation
from service.web.openapi.operation_description import operation_id
from service.web.presence.decoders import TICKET
from tests.integration.openapi.test_examples import EXCHANGES
from tests.support.server import ADMIN_UID, Server

ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
OPERATIONS = sorted(
    (each for family in routes.families(with_metrics=True).values() for each in family),
    key=lambda each: ORDER.index(each.method),
)
DESCRIBED_ELSEWHERE = {TICKET}
"""A ticket is a security scheme."""


async def test_a_call_decodes_all_that_is_described_and_nothing_else(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[object] = set()
    for kind, name in (
        (params.Query, "decode"),
        (params.QueryOrJson, "decode"),
        (params.QueryOrJson, "decode_plain"),
        (params.Body, "decode"),
        (params.Path, "decode"),
    ):
        monkeypatch.setattr(kind, name, _recorded(getattr(kind, name), used))
    for operation in OPERATIONS:
        used.clear()
        await _call(server, operation)
        described = {each for each in (operation.query, operation.in_path, operation.body) if each is not None}
        assert used - DESCRIBED_ELSEWHERE == described, operation


def _recorded(decode: Callable[..., Any], used: set[object]) -> Callable[..., Any]:
    def recorded(decoder: object, *arguments: Any) -> Any:
        used.add(decoder)
        return decode(decoder, *arguments)

    return recorded


async def _call(server: Server, operation: Operation) -> None:
    """With the input of the description's example, so that all is decoded before anything is refused."""
    name = operation_id(replace(operation, path=operation.path.removeprefix("/v1")))
    example, prepare = EXAMPLES[name], EXCHANGES[name].prepare
    if prepare is not None:
        await prepare(server)
    path, query = operation.path, dict(example.get("arguments", {}))
    for argument in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{argument}}}", query.pop(argument))
    headers = await server.headers_of(1, ADMIN_UID)
    async with server.client.request(
        operation.method, path, params=query, json=example.get("body"), headers=headers
    ) as answer:
        assert answer.status not in (401, 403), (path, await answer.text())
