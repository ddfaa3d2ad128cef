"""Calls that read or write PostgreSQL, and who makes them: people who log in, and an admin at work."""

from __future__ import annotations

from dataclasses import dataclass
from json import dumps
from typing import TYPE_CHECKING, Any, cast

from service.domain.models import TokenScope
from tests.simulation.web.client_connection import PRESENCE, ClientConnection, Request
from tests.simulation.web.clients import Client, Facts
from tests.simulation.web.messages import Answer
from tests.simulation.web.people import Grant
from tests.simulation.whole.people import StoredPeople

if TYPE_CHECKING:
    from tests.simulation.whole.universe import Universe

LOGIN, LOGOUT, READ, PASSWORD, ASSIGN, PROFILE = "login", "logout", "read", "password", "assign", "profile"
LONGEST = 9.0
"""Seconds that a call takes at most: the read barrier, two uses of a connection, and the wait for what was written."""


@dataclass
class Call(Request):
    """A request of another route."""

    method: str = "POST"
    path: str = ""
    body: dict[str, Any] | None = None
    about: int | str = ""
    """The user or the extension."""
    value: str = ""
    """The password, or what is to be stored."""

    def render(self) -> bytes:
        body = dumps(self.body).encode() if self.body is not None else b""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: connector", f"Content-Length: {len(body)}"]
        if body:
            lines.append("Content-Type: application/json")
        if self.kind != LOGIN:
            lines += [f"X-Auth-Token: {self.grant.token}", f"X-User-Id: {self.uid}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def __str__(self) -> str:
        return f"{self.kind} {self.about} of {self.uid}"


@dataclass(repr=False, eq=False)
class Person(Client):
    """Logs in with a password, polls with the token for a while, and logs out. Shows nothing."""

    answered_within: float = LONGEST
    logged_out: bool = False
    """Whether its token has ended. It presents that once more."""

    @property
    def stored(self) -> StoredPeople:
        return cast("Universe", self.universe).people

    def _authenticated(self) -> Grant | None:
        return self.grant or Grant("", self.user_id, TokenScope.ALL, 0.0)

    def request(self, grant: Grant, uid: str) -> Request:
        if self.grant is None:
            return self._log_in(grant, uid)
        if self.logged_out:
            return Request(PRESENCE, grant, uid)
        if self.chance.random() < 0.1:
            return Call(LOGOUT, grant, uid, path="/api/v1/logout")
        return self.call(grant, uid)

    def _log_in(self, grant: Grant, uid: str) -> Call:
        row = next(self.stored.user_rows(self.user_id, float("inf")))
        tried = self.stored.tried[self.user_id]
        password = next((each for each in tried if self.stored.is_password_of(row, each)), tried[0])
        body = {"user": row["name"], "password": password}
        return Call(LOGIN, grant, uid, path="/api/v1/login", body=body, about=self.user_id, value=password)

    def call(self, grant: Grant, uid: str) -> Request:
        return Request(PRESENCE, grant, uid)

    async def take(self, request: Request, answer: Answer, connection: ClientConnection) -> None:
        if request.kind == LOGIN and answer.status == 200:
            token = answer.json()["data"]["authToken"]
            cast("Universe", self.universe).logs.secrets.add(token)
            self.grant = self.stored.tokens[Grant(token, self.user_id, TokenScope.ALL, 0.0).hash]
            self.logged_out = False
        elif request.kind == LOGOUT and answer.status == 200:
            self.logged_out = True

    def difference(self, truth: dict[str, Facts]) -> str | None:
        return None


@dataclass(repr=False, eq=False)
class Admin(Person):
    """Reads users, gives them passwords and extensions, and edits phones."""

    made: int = 0
    """New passwords."""
    rests: bool = False

    def rest(self) -> None:
        self.rests = True

    def call(self, grant: Grant, uid: str) -> Request:
        kind = READ if self.rests else self.chance.choice((READ, READ, READ, PASSWORD, ASSIGN, ASSIGN, PROFILE))
        user_id = self.chance.choice([each for each in self.stored.people if each != self.user_id])
        if kind == READ:
            return Call(READ, grant, uid, method="GET", path=f"/user/{user_id}", about=user_id)
        if kind == PASSWORD:
            self.made += 1
            password = f"another password {self.made} of {user_id} by {self.user_id}"
            self.stored.tried[user_id].append(password)
            cast("Universe", self.universe).logs.secrets.add(password)
            return Call(
                PASSWORD, grant, uid, method="PATCH", path=f"/user/{user_id}", body={"passwd": password},
                about=user_id, value=password,
            )  # fmt: skip
        number = self.chance.choice(sorted(self.stored.extensions))
        if kind == ASSIGN:
            body = {"username": self.stored.people[user_id].name, "extension": number}
            path = "/api/v1/omnichannel/agent/extension"
            return Call(ASSIGN, grant, uid, path=path, body=body, about=user_id, value=number)
        profile = self.chance.choice(("webrtc", "sip"))
        body = {"extension": number, "profile": profile}
        return Call(
            PROFILE, grant, uid, path="/api/v1/connector.extension.update", body=body, about=number, value=profile
        )
