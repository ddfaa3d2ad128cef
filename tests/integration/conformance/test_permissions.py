"""Whoever lacks the permission that a call demands is refused, before anything else is looked at."""

from __future__ import annotations

import pytest

from service.web.openapi.operation import Operation
from service.web.routes import FAMILIES
from tests.integration.conformance.table import CLIENT, NOBODY, NOT_LOGGED_IN, NOT_PERMITTED, headers_of
from tests.support.server import Server

DEMANDING = [each for family in FAMILIES.values() for each in family if each.permission is not None]


@pytest.mark.parametrize("operation", DEMANDING, ids=lambda each: f"{each.method} {each.path}")
async def test_whoever_lacks_the_permission_is_refused_whatever_they_ask(shared: Server, operation: Operation) -> None:
    path = operation.path.replace("{", "").replace("}", "")
    for who, answer in ((NOBODY, (401, NOT_LOGGED_IN)), (CLIENT, (403, NOT_PERMITTED))):
        headers = await headers_of(shared, who)
        got = await shared.client.request(operation.method, path, data=b"[", headers=headers)
        assert (got.status, await got.json()) == answer
