"""Pages of other origins read answers only where the operator listed them."""

from __future__ import annotations

import pytest

from tests.support.database import TestDatabase
from tests.support.server import ADMIN, REGISTRATION, Server, Start

PAGE = "https://phone.example.com"
ASKS = {"Origin": PAGE, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-auth-token"}


@pytest.fixture
async def open_to_page(database: TestDatabase, start: Start) -> Server:
    return await start(database.settings(cors_origins=[PAGE]))


async def test_a_listed_page_may_ask_read_and_see_the_headers(open_to_page: Server) -> None:
    asked = await open_to_page.client.options(REGISTRATION, headers=ASKS)
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == PAGE
    assert "GET" in asked.headers["Access-Control-Allow-Methods"]
    assert "X-Auth-Token" in asked.headers["Access-Control-Allow-Headers"]
    answer = await open_to_page.registration(headers={**ADMIN, "Origin": PAGE})
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "X-State-Live" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["Vary"] == "Origin"


async def test_a_listed_page_can_read_errors_too(open_to_page: Server) -> None:
    answer = await open_to_page.registration(headers={"Origin": PAGE})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, PAGE)


async def test_a_listed_page_can_read_the_stream(open_to_page: Server) -> None:
    headers = {**ADMIN, "Origin": PAGE}
    async with open_to_page.client.get("/api/v1/presence/stream", headers=headers) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, PAGE)


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "https://phone.example.com.evil.example.com"])
async def test_another_page_is_not_let_in(open_to_page: Server, origin: str) -> None:
    answer = await open_to_page.registration(headers={**ADMIN, "Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


async def test_options_that_is_no_browsers_question_is_a_wrong_method(open_to_page: Server) -> None:
    answer = await open_to_page.client.options(REGISTRATION)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_path_that_is_not_there_is_not_there_for_browsers_either(open_to_page: Server) -> None:
    assert (await open_to_page.client.options("/nothing", headers=ASKS)).status == 404
