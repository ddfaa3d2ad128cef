"""The table of paths never says anything else than aiohttp's router."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from service.web import routes
from service.web.server.path_table import PathTable

FAMILIES = routes.families(with_metrics=True)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LAST = ("12343", "list", "create", "stream", "streamTicket", "a_b-c", "a.b", "%31", "%2F", "", "ü", "x/y", "12343\n")


@pytest.fixture(scope="module")
def app() -> web.Application:
    app = web.Application()
    app.add_routes(routes.public(FAMILIES))
    return app


@pytest.mark.parametrize("path", sorted({each.path for family in FAMILIES.values() for each in family}))
async def test_what_the_table_finds_the_router_finds(app: web.Application, path: str) -> None:
    table = PathTable(app, routes.sync_handlers(FAMILIES))
    head = path.rpartition("/")[0]
    found = 0
    for target in (path, *(f"{head}/{last}" for last in LAST)):
        for method in METHODS:
            request = make_mocked_request(method, target)
            plain = table.find(request)
            if plain is None:
                continue
            found += 1
            _, resolved = await table.resolve(request)
            assert (plain.label, dict(plain.match), plain.handler) == (
                resolved.label,
                dict(resolved.match),
                resolved.handler,
            )
            assert (plain.sync_handler, plain.match.route) == (resolved.sync_handler, resolved.match.route)
    assert found or "}/" in path, "the router alone finds a path whose parameter is not last"


def test_every_poll_can_be_answered_sync_handler() -> None:
    assert {path for _, path in routes.sync_handlers(FAMILIES)} >= {
        "/api/v1/connector.extension.getRegistrationInfoByUserId",
        "/api/v1/presence",
        "/api/v1/presence/{extension}",
        "/api/v1/users.getPresence",
        "/api/v1/users.presence",
    }
