"""What may be written to a client: as in the web profile, by what PostgreSQL has; and answers to further calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from service.credentials import token_hash
from service.domain.models import Role
from tests.simulation.database.rows import Rows, phones_of
from tests.simulation.result import Result
from tests.simulation.web.client_connection import Request
from tests.simulation.web.judge import Judge
from tests.simulation.web.messages import Answer
from tests.simulation.web.people import Grant
from tests.simulation.web.tap import Tap
from tests.simulation.web.truth import TOLD, Truth
from tests.simulation.whole.calls import ASSIGN, LOGIN, LOGOUT, PASSWORD, PROFILE, READ, Call
from tests.simulation.whole.people import StoredPeople

if TYPE_CHECKING:
    from tests.simulation.whole.postgresql import ModelPostgreSQL

READ_BACK_WITHIN = 0.9
"""Seconds from a request to its answer, above which the process may have given up reading what it wrote."""
READ_FIELDS = ("name", "user_type", "active", "passwd")


class StoredTruth(Truth):
    """Tokens are judged by PostgreSQL's history."""

    @property
    def server(self) -> ModelPostgreSQL:
        return cast("ModelPostgreSQL", self.service.postgresql)

    def surely_valid(self, request: Request) -> bool:
        """Whether it held since the request came, and since what memory says that it has read."""
        valid, hash_ = self.server.checkers.always_valid, request.grant.hash
        return valid(hash_, request.asked_at - TOLD) and valid(
            hash_, self.server.people.read_until(request.asked_at), born=True
        )

    def may_be_valid(self, grant: Grant) -> bool:
        """Whether it was somebody's at a moment since what memory says that it has read, or a moment ago."""
        since = min(self.now - TOLD, self.server.people.read_until())
        return True in self.active(grant) and self.was_valid(grant, since)

    def was_valid(self, grant: Grant, since: float) -> bool:
        """Whether it was stored at some moment since another."""
        return any(token is not None for token in self.server.cluster.truth.held(("token", grant.hash), since))


class WholeJudge(Judge):
    """Of one universe."""

    def __init__(self, result: Result) -> None:
        super().__init__(result, StoredTruth)
        self._refused_logins = 0
        self._checks: dict[str, Callable[[Call, Answer], bool]] = {
            LOGIN: self._logged_in,
            LOGOUT: self._logged_out,
            READ: self._read,
            PASSWORD: self._has_password,
            ASSIGN: self._is_assigned,
            PROFILE: self._has_profile,
        }

    @property
    def _server(self) -> ModelPostgreSQL:
        return cast(StoredTruth, self.truth).server

    @property
    def _people(self) -> StoredPeople:
        return self._server.people

    def on_closed(self, tap: Tap, how: str) -> None:
        """A call that waits for PostgreSQL is given up by a drain that may not last any longer."""
        client = tap.client()
        waits = client is not None and any(isinstance(request, Call) for request in client.asked[tap.answers :])
        if not (waits and self.service.stopping and not self._server.is_well):
            super().on_closed(tap, how)

    def judge_answer(self, tap: Tap, request: Request, answer: Answer) -> None:
        if not isinstance(request, Call):
            super().judge_answer(tap, request, answer)
            return
        self.judge_head(request, answer)
        self._result.counters[f"calls: {request.kind}"] += 1
        match answer.status:
            case 200:
                since = min(request.asked_at, self._people.read_until(request.asked_at))
                if request.kind != LOGIN and not cast(StoredTruth, self.truth).was_valid(request.grant, since):
                    self.wrong(f"{request} with a token that has ended")
                if not self._checks[request.kind](request, answer):
                    self.wrong(f"{request} is answered, and it was not so in PostgreSQL")
            case 401 if request.kind == LOGIN:
                self._refused_logins += 1
                rows = list(self._people.user_rows(int(request.about), request.asked_at))
                if all(row["active"] and self._people.is_password_of(row, request.value) for row in rows):
                    self.wrong(f"the right password is refused: {request}")
            case 401:
                if self.truth.surely_valid(request):
                    self.wrong(f"a valid token is refused: {request}")
            case 403:
                if self.truth.roles(request.grant) == {Role.ADMIN}:
                    self.wrong(f"403 for {request}")
            case 409 | 400 if request.kind == ASSIGN:
                if self._was_free(request):
                    self.wrong(f"{answer.status} for {request}, whom nobody hinders")
            case 429 if request.kind != LOGIN:
                self.limits.judge_too_many(self.service, request, answer.headers)
            case 429 if self._refused_logins:
                pass
            case 503:
                if self._server.is_well:
                    self.wrong(f"503 for {request}, and all is well: {answer.body[:100]!r}")
            case _:
                self.wrong(f"{answer.status} for {request}: {answer.body[:100]!r}")

    # --- what an answer says -------------------------------------------------------------------------------------

    def _states(self, call: Call) -> list[Rows]:
        """What was stored since the request was sent, the newest first."""
        found = []
        for at, rows in reversed(self._server.cluster.states):
            found.append(rows)
            if at <= call.asked_at:
                break
        return found

    def _was(self, call: Call, holds: Callable[[Rows], bool]) -> bool:
        return any(holds(rows) for rows in self._states(call))

    def _logged_in(self, call: Call, answer: Answer) -> bool:
        token = answer.json()["data"]["authToken"]
        self._people.add_login(token, int(call.about))
        rows = self._people.user_rows(int(call.about), call.asked_at)
        knew = any(row["active"] and self._people.is_password_of(row, call.value) for row in rows)
        return knew and self._was(call, lambda rows: token_hash(token) in rows["tokens"])

    def _logged_out(self, call: Call, _: Answer) -> bool:
        if self._is_read_back(call):
            self._people.must_be_read(lambda grant: grant is call.grant)
        return self._was(call, lambda rows: call.grant.hash not in rows["tokens"])

    def _is_read_back(self, call: Call) -> bool:
        """Whether the process has read what it wrote before it answered, and did not give up waiting for that."""
        return self.truth.now - call.asked_at < READ_BACK_WITHIN

    def _read(self, call: Call, answer: Answer) -> bool:
        """The row is not older than the request."""
        payload = answer.json()["payload"]
        return any(
            all(row[name] == payload[name] for name in READ_FIELDS)
            for row in self._people.user_rows(int(call.about), call.asked_at)
        )

    def _has_password(self, call: Call, _: Answer) -> bool:
        if self._is_read_back(call):
            self._people.must_be_read(lambda grant: grant.user_id == call.about)
        rows = self._people.user_rows(int(call.about), call.asked_at)
        return any(self._people.is_password_of(row, call.value) for row in rows)

    def _is_assigned(self, call: Call, _: Answer) -> bool:
        return self._was(call, lambda rows: rows["extensions"][call.value]["user_id"] == call.about)

    def _has_profile(self, call: Call, _: Answer) -> bool:
        return self._was(call, lambda rows: phones_of(rows, str(call.about))[0]["profile"] == call.value)

    def _was_free(self, call: Call) -> bool:
        """Whether the extension was nobody else's all the time."""
        return all(rows["extensions"][call.value]["user_id"] in (None, call.about) for rows in self._states(call))
