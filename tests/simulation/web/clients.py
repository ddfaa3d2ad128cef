"""Clients that follow the contract: pollers, long-pollers and readers of streams, each with what it shows."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.domain.models import Role, TokenScope
from tests.simulation.web.client_connection import ONE, PRESENCE, REGISTRATION, STREAM, ClientConnection, Request
from tests.simulation.web.messages import Answer, End, Event

if TYPE_CHECKING:
    from tests.simulation.web.people import Grant
    from tests.simulation.web.universe import Universe

ANSWERED_WITHIN = 3.0
"""Seconds for an answer, beside the `wait` of a long poll: the read barrier may take two."""
LATE = 0.6
SILENCE = 30.0
SHOWN = ("userId", "state", "registered", "live")
Facts = dict[str, Any]


@dataclass(repr=False, eq=False)
class Client:
    """Somebody with a token. It asks again and again, over a connection that it keeps."""

    universe: Universe
    host: str
    user_id: int
    chance: random.Random
    scope: TokenScope = TokenScope.ALL
    pace: tuple[float, float] = (0.3, 1.5)
    """Seconds between two requests."""
    answered_within: float = ANSWERED_WITHIN
    grant: Grant | None = None
    connection: ClientConnection | None = None
    board: dict[str, Facts] = field(default_factory=dict)
    """What it shows, by extension."""

    async def run(self) -> None:
        while True:
            try:
                await self._session()
            except (OSError, TimeoutError):
                pass
            finally:
                if self.connection is not None:
                    self.connection.reset()
            await asyncio.sleep(self.chance.uniform(0.05, 0.5))

    def _authenticated(self) -> Grant | None:
        people = self.universe.people
        if self.grant is None and people.people[self.user_id].active:
            self.grant = people.issue(self.user_id, self.scope)
        return self.grant

    async def _session(self) -> None:
        self.connection = await ClientConnection.open(self.universe.judge)
        while (grant := self._authenticated()) is not None:
            request = self.request(grant, self.universe.people.people[self.user_id].uid)
            self.connection.ask(request, self.universe.pieces)
            answer = await self._answer(self.connection, request)
            if answer is None:
                return
            if answer.status == 401:
                self.grant = None
            elif answer.status not in (429, 503):
                await self.take(request, answer, self.connection)
            if answer.headers.get("connection") == "close" or answer.streamed:
                return
            await asyncio.sleep(self.chance.uniform(*self.pace) * (3 if answer.status in (429, 503) else 1))

    async def _answer(self, connection: ClientConnection, request: Request) -> Answer | None:
        """The answer; None if the connection has ended. Raises TimeoutError, and says so if it was promised."""
        loop = asyncio.get_running_loop()
        try:
            message = await connection.next(self.answered_within + request.wait)
        except TimeoutError:
            if self.universe.is_steady_since(self.host, request.sent_at) and self.universe.is_accepted(connection):
                self.universe.judge.wrong(f"no answer within {loop.time() - request.sent_at:.1f} s to {request}")
            raise
        assert message is None or isinstance(message, Answer)
        late = loop.time() - request.sent_at - request.wait
        is_held = message is not None and message.status in (200, 304) and request.wait > 0
        if is_held and late > LATE and self.universe.is_prompt_since(self.host, request.sent_at):
            self.universe.judge.wrong(f"an answer {late:.2f} s late to {request}")
        return message

    def request(self, grant: Grant, uid: str) -> Request:
        raise NotImplementedError

    async def take(self, request: Request, answer: Answer, connection: ClientConnection) -> None:
        raise NotImplementedError

    def difference(self, truth: dict[str, Facts]) -> str | None:
        """What it shows that is not true at rest; None if there is nothing. `truth`: the facts of each extension."""
        uid, role = self.universe.people.people[self.user_id].uid, self.universe.people.people[self.user_id].role
        expected = {
            number: {key: facts[key] for key in SHOWN}
            for number, facts in truth.items()
            if (not self.asks_for or number in self.asks_for) and (role is not Role.CLIENT or facts["userId"] == uid)
        }
        for number in sorted(expected.keys() | self.board.keys()):
            item = self.board.get(number)
            shown = None if item is None else {key: item[key] for key in SHOWN}
            if shown != expected.get(number):
                return f"{self!r} shows {number} as {shown} instead of {expected.get(number)}"
        return None

    def rest(self) -> None:
        """The faults are over."""

    @property
    def asks_for(self) -> tuple[str, ...]:
        """The extensions that it asks for; all if there are none."""
        return ()

    def __repr__(self) -> str:
        return f"the {type(self).__name__} of {self.user_id} for {self.asks_for or 'all'}"

    def show(self, items: Iterable[Facts], *, whole: bool) -> None:
        """Show these items, of all or of those that changed."""
        if whole:
            self.board = {}
        for item in items:
            if "deleted" in item:
                self.board.pop(item["extension"], None)
            else:
                self.board[item["extension"]] = item


@dataclass(repr=False, eq=False)
class Softphone(Client):
    """Polls its registration info with the tag of the last answer, or holds a long poll until it differs."""

    wait: tuple[float, float] = (0.0, 0.0)
    etag: str | None = None
    info: Facts | None = None

    def difference(self, truth: dict[str, Facts]) -> str | None:
        uid = self.universe.people.people[self.user_id].uid
        own = [number for number, facts in truth.items() if facts["userId"] == uid]
        number, state = (own[0], truth[own[0]]["phone"]) if own else (None, None)
        shown = self.info or {"extension": None, "state": None, "live": True}
        if (shown["extension"], shown["state"], shown["live"]) == (number, state, True):
            return None
        return f"{self!r} shows {shown} instead of {number} {state}"

    def request(self, grant: Grant, uid: str) -> Request:
        wait = self.chance.uniform(*self.wait) if self.etag is not None else 0.0
        return Request(REGISTRATION, grant, uid, etag=self.etag, wait=round(wait, 1))

    async def take(self, request: Request, answer: Answer, connection: ClientConnection) -> None:
        if answer.status == 200:
            self.etag = answer.headers["etag"]
            self.info = {**answer.json()["extensionDetails"], "live": answer.headers["x-state-live"] == "true"}
        elif answer.status == 404:
            self.etag = self.info = None


@dataclass(repr=False, eq=False)
class Poller(Client):
    """Polls presence: with a tag, or with the cursor of the last answer, held or not."""

    numbers: tuple[str, ...] = ()
    by_cursor: bool = False
    wait: tuple[float, float] = (0.0, 0.0)
    etag: str | None = None
    cursor: str | None = None

    @property
    def asks_for(self) -> tuple[str, ...]:
        return self.numbers

    def request(self, grant: Grant, uid: str) -> Request:
        wait = round(self.chance.uniform(*self.wait), 1)
        kind = ONE if len(self.numbers) == 1 and not self.by_cursor and not wait else PRESENCE
        since = self.cursor if self.by_cursor else None
        return Request(kind, grant, uid, self.numbers, since, None if self.by_cursor else self.etag, wait)

    async def take(self, request: Request, answer: Answer, connection: ClientConnection) -> None:
        if answer.status == 200:
            body = answer.json()
            self.etag, self.cursor = answer.headers.get("etag"), body["cursor"]
            items = [body["presence"]] if request.kind == ONE else body["presence"]
            self.show(items, whole=body.get("full", True))
        elif answer.status == 404:
            self.etag, self.board = None, {}


@dataclass(repr=False, eq=False)
class Reader(Client):
    """Reads a stream, and takes it up again with the id of the last event. A slow one reads nothing for seconds."""

    numbers: tuple[str, ...] = ()
    slow: bool = False
    cursor: str | None = None

    @property
    def asks_for(self) -> tuple[str, ...]:
        return self.numbers

    def request(self, grant: Grant, uid: str) -> Request:
        return Request(STREAM, grant, uid, self.numbers, self.cursor)

    async def take(self, request: Request, answer: Answer, connection: ClientConnection) -> None:
        ended_cleanly = False
        pausing = asyncio.ensure_future(self._pause(connection)) if self.slow else None
        try:
            while (event := await connection.next(SILENCE)) is not None:
                if isinstance(event, End):
                    ended_cleanly = True
                    break
                assert isinstance(event, Event)
                if event.name in ("snapshot", "change"):
                    self.show(event.data["presence"], whole=event.name == "snapshot")
                    self.cursor = event.id
        finally:
            if pausing is not None:
                pausing.cancel()
        if not ended_cleanly and not self.slow:
            self.universe.on_stream_broken(self.host, connection)

    def rest(self) -> None:
        self.slow = False
        if self.connection is not None:
            self.connection.read(True)

    async def _pause(self, connection: ClientConnection) -> None:
        while self.slow:
            await asyncio.sleep(self.chance.uniform(0.5, 4))
            connection.read(not self.slow)
            await asyncio.sleep(self.chance.uniform(0.5, 6))
            connection.read(True)
