"""What is answered from its bytes: just what aiohttp would answer, whatever comes and however it comes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.support.both_ways import BothWays, both_ways
from tests.support.database import TestDatabase, cloned
from tests.support.odd_requests import BROWSER, LINES, PLAIN, POLL, conversation
from tests.support.raw import request
from tests.support.smuggling import HOW, SMUGGLING

CONVERSATIONS = int(os.environ.get("CONVERSATIONS", "600"))
SLICES = 6


@pytest.fixture(scope="module")
async def both(template: TestDatabase) -> AsyncIterator[BothWays]:
    with cloned(template) as database, pytest.MonkeyPatch.context() as monkeypatch:
        async with both_ways(database, monkeypatch) as services:
            yield services


@pytest.mark.parametrize("number", range(SLICES))
async def test_whatever_is_said_both_answer_the_same(both: BothWays, number: int) -> None:
    """Requests that are plain, nearly plain or broken; in one go, one by one, and split anywhere."""
    before = len(both.plain)
    seeds = range(number, CONVERSATIONS, SLICES)
    for seed in seeds:
        pieces = conversation(seed)
        ours, aiohttps = await both.answers(pieces)
        assert ours == aiohttps, (seed, pieces)
    assert len(both.plain) - before > len(seeds) / 10


@pytest.mark.parametrize("how", HOW)
async def test_no_request_is_smuggled_in_another(both: BothWays, how: str) -> None:
    for name, data in SMUGGLING.items():
        pieces = HOW[how](data)
        ours, aiohttps = await both.answers(pieces)
        assert ours == aiohttps, (name, pieces)


@pytest.mark.parametrize("cut", range(1, len(PLAIN), 7))
async def test_a_request_is_answered_once_wherever_it_is_split(both: BothWays, cut: int) -> None:
    ours, aiohttps = await both.answers([PLAIN[:cut], PLAIN[cut:], PLAIN, PLAIN[:cut], PLAIN[cut:] + PLAIN])
    assert ours == aiohttps
    assert ours.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize(
    "lines",
    [(), BROWSER, ("x-request-id: a",), ('IF-NONE-MATCH: W/"x"',), tuple(f"X-{number}: y" for number in range(60))],
)
async def test_what_pollers_send_is_plain(both: BothWays, lines: tuple[str, ...]) -> None:
    before = len(both.plain)
    ours, _ = await both.answers([request(POLL, *LINES, *lines)])
    assert ours.startswith(b"HTTP/1.1 200 OK")
    assert len(both.plain) == before + 1


async def test_what_is_behind_a_request_is_plain_again_once_that_is_answered(both: BothWays) -> None:
    """Also behind a body, in however many pieces it came."""
    before = len(both.plain)
    body = request("/nowhere", "Content-Length: 6", method="POST")
    ours, aiohttps = await both.answers([body, b"abc", b"def", PLAIN, body + b"abcdef" + PLAIN])
    assert ours == aiohttps
    assert len(both.plain) == before + 2
