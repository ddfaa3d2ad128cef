"""Fixtures of the tests of polls that come again."""

from __future__ import annotations

import asyncio

import pytest

from service.ami.link import Link
from service.web.server.repeated_polls import RepeatedPolls
from tests.support.repeated_polls import Again


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Again:
    found, original = Again(), RepeatedPolls.answer

    def answering(polls: RepeatedPolls, data: bytes, peer: str | None) -> bytes | None:
        response = original(polls, data, peer)
        found.count += response is not None
        found.by = polls
        return response

    monkeypatch.setattr(RepeatedPolls, "answer", answering)
    return found


@pytest.fixture
def scripted_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that do what a test tells them: a real Asterisk changes no state between two requests on command."""

    async def run(_: Link) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Link, "run", run)
