"""What may be written to a client, judged when it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.domain.models import Role, TokenScope
from service.web.server.dispatcher import DRAINING
from tests.simulation.marks import SECRET_MARK, TOKEN_MARK
from tests.simulation.result import Result
from tests.simulation.web.client_connection import ONE, PRESENCE, REGISTRATION, STREAM, ClientConnection, Request
from tests.simulation.web.limits import STALE_AFTER, Limits
from tests.simulation.web.messages import Answer, End, Event, Message
from tests.simulation.web.tap import Tap
from tests.simulation.web.truth import TOLD, Truth

if TYPE_CHECKING:
    from tests.simulation.web.service import Service

MAX_WRONGS = 5
COUNTED = (200, 304, 403, 404)
"""Statuses of requests that count for the rate limit."""


class Judge:
    """Of one universe."""

    def __init__(self, result: Result, truth: type[Truth]) -> None:
        self._result = result
        self.truth = truth(result, self.wrong)
        self.clients: dict[tuple[str, int], ClientConnection] = {}
        """By address, also those that have gone: an answer to one may still be written."""
        self.taps: dict[tuple[str, int], Tap] = {}
        self.ended: dict[tuple[str, int], Tap] = {}
        """Connections that are over for the service, and perhaps not for their clients."""
        self.wrongs: list[str] = []
        self._meanings: dict[str, Any] = {}
        """What an entity tag stands for: the body that was sent with it."""
        self.limits = Limits(self.wrong)
        self.streams: dict[Tap, Request] = {}
        """Streams that were begun and have not ended."""

    @property
    def service(self) -> Service:
        """The process that runs, or the last one that ran."""
        return self.truth.service

    def wrong(self, text: str) -> None:
        """A check failed."""
        if len(self.wrongs) < MAX_WRONGS:
            self.wrongs.append(f"{self.service.world.uptime():.3f} {text}")

    def check_limits(self) -> None:
        """Called regularly."""
        self.limits.check(self.service, self.taps.values(), self.streams, self.truth.now)

    # --- connections -------------------------------------------------------------------------------------------

    def made(self, transport: Any) -> Tap:
        """The service has accepted a connection."""
        tap = Tap(transport, self)
        self.taps[tap.peer] = tap
        return tap

    def on_lost(self, tap: Tap) -> None:
        """A connection is over for the service. Its client may still read what was written."""
        self.streams.pop(tap, None)
        if self.taps.get(tap.peer) is tap:
            self.ended[tap.peer] = self.taps.pop(tap.peer)

    def on_closed(self, tap: Tap, how: str) -> None:
        """The service ends a connection: whoever has sent a whole request has an answer by now."""
        self.streams.pop(tap, None)
        client = tap.client()
        if client is None or client.rude or client.ended_by_client or tap.transport._peer_closed or self.service.killed:
            return
        whole = sum(request.end <= tap.received for request in client.asked)
        if whole > tap.answers and not tap.closing and not (how == "abort" and tap.protocol.unread):
            self.wrong(f"{client.asked[tap.answers]} got no answer when the service ended the connection ({how})")

    def on_drained(self) -> None:
        """The process has ended by SIGTERM: each stream whose reader could read had its end."""
        for tap, request in self.streams.items():
            if tap.unsent <= self.service.kernel_buffer and not tap.transport._peer_closed:
                self.wrong(f"the drain has not ended the stream of {request}")
        self.streams.clear()

    # --- bytes -------------------------------------------------------------------------------------------------

    def on_bytes(self, tap: Tap, data: bytes) -> None:
        if TOKEN_MARK.encode() in data:
            self.wrong(f"a token is written to {tap.peer}")
        if SECRET_MARK.encode() in data:
            client = tap.client()
            asked = client.asked[tap.answers] if client is not None and tap.answers < len(client.asked) else None
            if asked is None or asked.kind != REGISTRATION or asked.grant.scope is not TokenScope.ALL:
                self.wrong(f"a SIP password is written to who asked for {asked}")

    def on_written(self, tap: Tap, message: Message) -> None:
        client = tap.client()
        if client is None:
            return
        if isinstance(message, Answer):
            request = client.asked[tap.answers - 1] if tap.answers <= len(client.asked) else None
            self.service.world.note(f"{tap.peer[0]} {message.status} {request}")
            if request is not None:
                self.judge_answer(tap, request, message)
            elif not client.rude or message.status < 400:
                self.wrong(f"an answer {message.status} that nobody asked for")
        elif tap in self.streams:
            self._judge_event(tap, self.streams[tap], message)

    # --- answers -------------------------------------------------------------------------------------------------

    def judge_answer(self, tap: Tap, request: Request, answer: Answer) -> None:
        self.judge_head(request, answer)
        status, headers = answer.status, answer.headers
        if status in COUNTED:
            self.limits.count(self.service, request)
        if status in (200, 304):
            self._judge_access(request, f"{status}")
            self._judge_marks(request, answer)
        match status:
            case 200 if request.kind == STREAM:
                self.streams[tap] = request
            case 200:
                self._judge_body(request, answer.json(), headers)
            case 304:
                self._judge_not_modified(request, headers)
            case 401:
                if self.truth.surely_valid(request):
                    self.wrong(f"a valid token is refused: {request}")
            case 403 if request.grant.scope is TokenScope.BOARD and request.kind == REGISTRATION:
                pass
            case 404:
                self._judge_not_found(request)
            case 429:
                self.limits.judge_too_many(self.service, request, headers)
            case 503:
                self.limits.judge_unavailable(self.service, request, headers, self.truth.now)
            case _:
                self.wrong(f"{status} for {request}: {answer.body[:100]!r}")

    def judge_head(self, request: Request, answer: Answer) -> None:
        """What holds of each answer."""
        status, headers = answer.status, answer.headers
        self._result.counters["answers"] += 1
        if request.id is not None and headers.get("x-request-id") != request.id:
            self.wrong(f"{request} has the id {headers.get('x-request-id')} instead of {request.id}")
        if "x-request-id" not in headers and not answer.streamed:
            self.wrong(f"{status} for {request} has no request id")
        stays = request.version == "1.1" and not answer.streamed and headers.get("connection") != "close"
        if stays and self.service.app[DRAINING].is_set():
            self.wrong(f"{request} is answered in the drain, and its connection stays open")

    def _judge_access(self, request: Request, what: str) -> None:
        """An answer with content is for who holds a valid token, that the directory may vouch for."""
        grant, now = request.grant, self.truth.now
        if grant.ended_at is not None and now > grant.ended_at + TOLD:
            self.wrong(f"{what} {now - grant.ended_at:.3f} s after the token's end: {request}")
        if not self.truth.may_be_valid(grant):
            self.wrong(f"{what} for somebody inactive: {request}")
        follower = self.service.follower
        if now > follower.confirmed_at + STALE_AFTER + self.service.settings.directory_grace + 0.01:
            self.wrong(f"{what} from a directory that was confirmed {now - follower.confirmed_at:.3f} s ago")

    def _judge_marks(self, request: Request, answer: Answer) -> None:
        headers = answer.headers
        overdue = self.truth.now - self.service.follower.confirmed_at - STALE_AFTER
        marked = "x-directory-stale-since" in headers
        confirmed = overdue < -0.01 and self.truth.now > self.service.follower.confirmed_at + TOLD  # not just now
        if request.kind != STREAM and ((overdue > 0.01 and not marked) or (confirmed and marked)):
            self.wrong(f"a directory {overdue:.3f} s overdue is {'' if marked else 'not '}marked: {request}")
        if headers.get("cache-control") != "no-store":
            self.wrong(f"{request} may be cached")
        if request.kind != STREAM and "x-poll-interval" not in headers:
            self.wrong(f"no poll interval for {request}")

    def _judge_body(self, request: Request, body: Any, headers: dict[str, str]) -> None:
        meaning: Any
        tag = headers.get("etag")
        if tag is not None and request.etag == tag and request.since is None:
            self.wrong(f"the client of {request} has {tag} already")
        if request.kind == REGISTRATION:
            live = headers.get("x-state-live")
            meaning = {**body["extensionDetails"], "live": live == "true", "uid": request.uid}
            if live not in ("true", "false") or (live == "false") is not ("x-state-reason" in headers):
                self.wrong(f"liveness is told by {headers}")
            self.truth.judge_registration(request, meaning)
        elif request.kind == ONE:
            meaning = [body["presence"]]
            self.truth.judge_items(request, meaning)
        else:
            meaning = body["presence"]
            self.truth.judge_items(request, [item for item in meaning if "deleted" not in item])
            if body["full"]:
                self.truth.judge_whole(request, meaning)
            elif tag is not None:
                self.wrong("changes have an entity tag")
        if tag is not None:
            self._meanings[tag] = meaning
        elif request.kind != PRESENCE or body["full"]:
            self.wrong(f"no entity tag for {request}")

    def _judge_not_modified(self, request: Request, headers: dict[str, str]) -> None:
        """What the client has is as true as what it would get."""
        if headers.get("etag") != request.etag or request.etag not in self._meanings:
            self.wrong(f"304 for {request}, which has {request.etag}, names {headers.get('etag')}")
            return
        meaning = self._meanings[request.etag]
        if request.kind == REGISTRATION:
            if (headers.get("x-state-live") == "true") is not meaning["live"] or meaning["uid"] != request.uid:
                self.wrong(f"304 for {request} hides {headers} behind {meaning}")
            self.truth.judge_registration(request, meaning)
        else:
            self.truth.judge_items(request, meaning)
            if request.kind == PRESENCE:
                self.truth.judge_whole(request, meaning)

    def _judge_not_found(self, request: Request) -> None:
        if request.kind == REGISTRATION and request.grant.user_id in self.truth.sure_owners():
            self.wrong(f"404 for {request}, who has an extension")
        if request.kind == ONE and request.numbers[0] in self.service.people.extensions:
            owners = self.truth.held("owner", request.numbers[0])
            there = {act for user in owners for act in self.truth.acts(user)} == {True}
            if there and (owners == {request.grant.user_id} or Role.CLIENT not in self.truth.roles(request.grant)):
                self.wrong(f"404 for {request}")

    # --- events --------------------------------------------------------------------------------------------------

    def _judge_event(self, tap: Tap, request: Request, message: Message) -> None:
        if isinstance(message, End):
            del self.streams[tap]
            return
        assert isinstance(message, Event)
        self._result.counters["events"] += 1
        self.service.world.note(f"{tap.peer[0]} event {message.name}")
        self._judge_access(request, f"an event {message.name!r}")
        if message.name in ("snapshot", "change"):
            if message.id is None or message.data["cursor"] != message.id:
                self.wrong(f"an event {message.name} has the id {message.id}")
            self.truth.judge_items(request, [item for item in message.data["presence"] if "deleted" not in item])
            if message.name == "snapshot":
                self.truth.judge_whole(request, message.data["presence"])
        elif message.name == "credentials":
            if request.grant.user_id not in self.truth.held("owner", message.data["extension"]):
                self.wrong(f"{request} is told of the phones of {message.data}")
            if request.grant.scope is TokenScope.BOARD:
                self.wrong("a board is told of phones")
