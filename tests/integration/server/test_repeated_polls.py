"""Polls that come again with the same bytes: answered in fewer steps, and never otherwise than by their handler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from service.clock import uptime
from service.domain.models import DeviceState
from service.web.app_keys import ACTIVITY, DIRECTORY
from service.web.http.disclosures import DISCLOSURES
from service.web.server import repeated_polls
from service.web.server.dispatcher import DRAINING
from tests.support.database import TestDatabase
from tests.support.raw import RawAnswer, answer_on, line_to, request
from tests.support.repeated_polls import AGENT, FOREVER, OWN, POLL, TARGETS, Again, be_live, told
from tests.support.server import AGENT_UID, REGISTRATION, Server, Start

pytestmark = pytest.mark.usefixtures("scripted_links")


def disclosed(server: Server) -> int:
    """How often a SIP password was told, by the audit trail."""
    return sum(batch.count for batch in server.app[DISCLOSURES].batches._batches.values())


class Poller:
    """A client with the agent's token, on one connection."""

    def __init__(self, server: Server, headers: dict[str, str], again: Again, reader: Any, writer: Any) -> None:
        self.server, self.headers, self._again, self._reader, self._writer = server, headers, again, reader, writer

    async def poll(self, target: str = POLL, *lines: str) -> RawAnswer:
        own = (f"{name}: {value}" for name, value in self.headers.items())
        self._writer.write(request(target, *own, *lines))
        return await answer_on(self._reader)

    async def repeat(self, target: str = POLL, *lines: str) -> RawAnswer:
        """Poll until the answer is one that was given again."""
        first = await self.poll(target, *lines)
        before = self._again.count
        second = await self.poll(target, *lines)
        assert self._again.count == before + 1
        assert (second.status, second.body) == (first.status, first.body)
        return second

    async def asked(self, target: str = POLL, *lines: str) -> RawAnswer:
        """Poll; the handler has to be asked."""
        before = self._again.count
        answer = await self.poll(target, *lines)
        assert self._again.count == before
        return answer


@asynccontextmanager
async def polling(server: Server, again: Again) -> AsyncIterator[Poller]:
    be_live(server)
    headers = await server.headers_of()
    await told(server)
    async with line_to(server.port) as (reader, writer):
        yield Poller(server, headers, again, reader, writer)


@pytest.fixture
async def poller(database: TestDatabase, start: Start, again: Again) -> AsyncIterator[Poller]:
    async with polling(await start(database.settings()), again) as found:
        yield found


@pytest.mark.parametrize("target", TARGETS)
async def test_a_poll_that_is_answered_again_differs_in_its_id_only(poller: Poller, target: str) -> None:
    tag = (await poller.poll(target)).headers["etag"]
    first = await poller.poll(target, f"If-None-Match: {tag}")
    second = await poller.repeat(target, f"If-None-Match: {tag}")
    assert (first.status, second.status) == (304, 304)
    ids = {answer.headers.pop("x-request-id") for answer in (first, second)}
    assert len(ids) == 2
    assert all(len(each) == 32 for each in ids)
    assert first.headers.keys() == second.headers.keys()


async def test_the_origin_of_a_page_is_let_in_again(database: TestDatabase, start: Start, again: Again) -> None:
    async with polling(await start(database.settings(cors_origins=["https://a.example"])), again) as poller:
        for origin, allowed in (("https://a.example", "https://a.example"), ("https://b.example", None)):
            answer = await poller.repeat(POLL, f"Origin: {origin}")
            assert (answer.headers.get("access-control-allow-origin"), answer.headers["vary"]) == (allowed, "Origin")


async def test_a_revoked_token_is_refused(poller: Poller, database: TestDatabase) -> None:
    await poller.repeat()
    await database.execute("delete from tokens where user_id = $1", AGENT)
    await told(poller.server)
    assert (await poller.asked()).status == 401


async def test_an_expired_token_is_refused(poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    await poller.repeat()
    directory = poller.server.app[DIRECTORY]
    now = directory.now
    monkeypatch.setattr(directory, "now", lambda: now() + 3601)
    assert (await poller.asked()).status == 401


async def test_a_deactivated_user_is_refused(poller: Poller, database: TestDatabase) -> None:
    await poller.repeat()
    await database.execute("update users set active = false where user_id = $1", AGENT)
    await told(poller.server)
    assert (await poller.asked()).status == 401


@pytest.mark.parametrize("change", ["user_id = null", "enabled = false"])
async def test_an_extension_that_is_taken_away_is_not_found(
    poller: Poller, database: TestDatabase, change: str
) -> None:
    await poller.repeat()
    await database.execute(f"update extensions set {change} where extension = $1", OWN)  # noqa: S608
    await told(poller.server)
    assert (await poller.asked()).status == 404


async def test_a_new_secret_is_answered_to_whoever_knows_the_old_one(poller: Poller, database: TestDatabase) -> None:
    tag = f"If-None-Match: {(await poller.repeat()).headers['etag']}"
    assert (await poller.repeat(POLL, tag)).status == 304
    await database.execute("update extensions set secret = 'another secret' where extension = $1", OWN)
    await told(poller.server)
    assert (await poller.asked(POLL, tag)).json["extensionDetails"]["password"] == "another secret"
    assert (await poller.repeat(POLL, tag)).status == 200


async def test_a_new_state_is_answered(poller: Poller) -> None:
    await poller.repeat()
    for state in (DeviceState.INUSE, DeviceState.RINGING):
        poller.server.link.states.apply(f"PJSIP/{OWN}", state)
        assert (await poller.asked()).json["extensionDetails"]["state"] == state.value
        await poller.repeat()


@pytest.mark.parametrize("reason", ["silent", "disconnected"])
async def test_a_state_of_which_nothing_is_heard_is_not_shown(
    poller: Poller, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    tag = f"If-None-Match: {(await poller.repeat()).headers['etag']}"
    await poller.repeat(POLL, tag)
    states = poller.server.link.states
    if reason == "silent":
        monkeypatch.setattr(states, "_clock", lambda: uptime() + 2 * FOREVER)
    else:
        states.lost()
    answer = await poller.asked(POLL, tag)
    assert (answer.status, answer.headers["x-state-reason"]) == (200, reason)
    assert answer.json["extensionDetails"]["state"] == "Unknown"
    presence = await poller.poll("/api/v1/presence/12343")
    assert not presence.json["presence"]["live"]


async def test_each_is_counted_and_the_limit_holds(database: TestDatabase, start: Start, again: Again) -> None:
    async with polling(await start(database.settings(requests_per_minute=3)), again) as poller:
        assert [(await poller.poll()).status for _ in range(5)] == [200, 200, 200, 429, 429]
        assert again.count == 2
        text = (await poller.server.raw("/metrics")).body.decode()
        for status, count in ((200, 3), (429, 2)):
            assert f'route="{REGISTRATION}",status="{status}"}} {count}.0' in text
        assert disclosed(poller.server) == 3


async def test_each_secret_that_is_told_is_a_disclosure_and_a_304_is_none(poller: Poller) -> None:
    tag = (await poller.repeat()).headers["etag"]
    assert disclosed(poller.server) == 2
    await poller.repeat(POLL, f"If-None-Match: {tag}")
    assert disclosed(poller.server) == 2
    poller.server.app[DISCLOSURES].batches._batches.clear()  # the hour is over
    await poller.asked()
    await poller.repeat()
    assert disclosed(poller.server) == 3


async def test_a_disclosure_to_another_address_is_one_of_its_own(poller: Poller) -> None:
    await poller.repeat()
    own = [f"{name}: {value}" for name, value in poller.headers.items()]
    reader, writer = await asyncio.open_connection("127.0.0.1", poller.server.port, local_addr=("127.0.0.2", 0))
    writer.write(request(POLL, *own))
    assert (await answer_on(reader)).status == 200
    writer.close()
    batches = poller.server.app[DISCLOSURES].batches._batches
    assert sorted((batch.change.origin.address, batch.count) for batch in batches.values()) == [
        ("127.0.0.1", 2),
        ("127.0.0.2", 1),
    ]


async def test_each_is_a_use_of_the_token(poller: Poller) -> None:
    activity = poller.server.app[ACTIVITY]
    await poller.repeat()
    await activity.flush()
    assert activity.pending(AGENT) is None
    await poller.poll()
    seen = activity.pending(AGENT)
    await poller.poll()
    newer = activity.pending(AGENT)
    assert seen is not None
    assert newer is not None
    assert newer.last_seen.tzinfo is not None


async def test_a_process_that_drains_closes_the_connection(poller: Poller) -> None:
    await poller.repeat()
    poller.server.app[DRAINING].set()
    assert (await poller.asked()).headers["connection"] == "close"


async def test_a_stale_directory_is_reported_and_later_not(poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    await poller.repeat()
    directory = poller.server.app[DIRECTORY]
    for later, status in ((30.0, 200), (FOREVER, 503)):
        with monkeypatch.context() as stale:
            stale.setattr(directory, "_clock", lambda later=later: uptime() + later)
            answer = await poller.asked()
            assert (answer.status, "x-directory-stale-since" in answer.headers) == (status, status == 200)
        assert "x-directory-stale-since" not in (await poller.poll()).headers


async def test_whoever_may_see_less_sees_less(poller: Poller, database: TestDatabase) -> None:
    tags = {target: (await poller.poll(target)).headers["etag"] for target in TARGETS[1:]}
    for target, tag in tags.items():
        assert (await poller.repeat(target, f"If-None-Match: {tag}")).status == 304
    await database.execute("update users set user_type = 'client' where user_id = $1", AGENT)
    await told(poller.server)
    answers = [(await poller.asked(target, f"If-None-Match: {tag}")).status for target, tag in tags.items()]
    assert answers == [404, 200, 200]


@pytest.mark.parametrize("target", TARGETS[1:])
async def test_presence_that_changes_is_answered(poller: Poller, target: str) -> None:
    tag = f"If-None-Match: {(await poller.poll(target)).headers['etag']}"
    assert (await poller.repeat(target, tag)).status == 304
    poller.server.link.states.apply("PJSIP/12343", DeviceState.RINGING)
    assert (await poller.asked(target, tag)).status == 200


async def test_only_polls_of_callers_are_kept_and_few(poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated_polls, "MAX_KEPT", 3)
    polls = poller._again
    await poller.repeat()
    assert polls.by is not None
    before = len(polls.by)
    wrong = {**poller.headers, "X-Auth-Token": "x" * 43}
    for lines in (wrong.items(), (), (("X-Request-Id", "mine"), *poller.headers.items())):
        await poller.server.raw(POLL, *(f"{name}: {value}" for name, value in lines))
    await poller.poll(f"{REGISTRATION}?id=nobody")
    await poller.poll(POLL, "X-Long: " + "y" * repeated_polls.MAX_SIZE)
    assert len(polls.by) == before
    for number in range(10):
        await poller.repeat(POLL, f"X-Number: {number}")
    assert len(polls.by) == 3


async def test_no_token_and_no_secret_is_kept(poller: Poller) -> None:
    body = (await poller.repeat()).json
    polls = poller._again.by
    assert polls is not None
    held = repr([*polls._kept, *(_values(kept) for kept in polls._kept.values())])
    assert AGENT_UID in held
    assert poller.headers["X-Auth-Token"] not in held
    assert body["extensionDetails"]["password"] not in held


def _values(one: object) -> object:
    """What a kept poll holds of its own: not the parts of the application."""
    if isinstance(one, msgspec.Struct):
        return [_values(getattr(one, name)) for name in one.__struct_fields__]
    return one if isinstance(one, str | bytes | bool | frozenset) else None
