"""What clients ask of the service meanwhile, and what each answer must have been."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from service.credentials import new_token, token_hash
from service.db import extensions, tokens, user_admin, users
from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin
from service.errors import ServiceError, Unavailable
from service.web.auth.authentication import require_holder
from service.web.http.errors import TokenWrong
from tests.simulation.database.changes import Changes
from tests.simulation.database.checkers import Checkers
from tests.simulation.database.cluster import Cluster
from tests.simulation.database.connector import DEADLINE, Connector
from tests.simulation.result import Lied
from tests.simulation.world import World

ORIGIN = Origin(Actor(ActorKind.PERSON, "somebody", 1))
LONGEST = 2 * DEADLINE + 1.5
"""Seconds that a call takes at most: the use of a connection, its release, and the wait for what was written."""
UNREADABLE = "this release cannot read"
"""How the refusals begin that are due to a row of a newer release."""


class Calls:
    """Each call is a task of its own."""

    def __init__(
        self,
        world: World,
        connector: Connector,
        cluster: Cluster,
        changes: Changes,
        checkers: Checkers,
        chance: random.Random,
    ) -> None:
        self._world = world
        self._connector = connector
        self._cluster = cluster
        self._changes = changes
        self._checkers = checkers
        self._chance = chance
        self.calm: Callable[[], float | None] = lambda: None
        """Since when nothing is wrong; None if something is."""
        self._pending: dict[asyncio.Task[None], tuple[float, str]] = {}
        self.answered = self.unavailable = self.disclosed = 0
        self._kinds: list[Callable[[], Awaitable[None]]] = [
            *[self._authenticate] * 6, *[self._read_user] * 4, *[self._log_in] * 3, self._guess, self._revoke,
            self._set_password, self._change_user, self._reassign, self._unassign, self._enable, self._disclose,
        ]  # fmt: skip

    def one(self) -> None:
        kind = self._chance.choice(self._kinds)
        name = getattr(kind, "__name__", "")
        task = self._world.start("connector", self._guarded(kind), f"call {name}")
        self._pending[task] = asyncio.get_running_loop().time(), name

    def check(self) -> None:
        """Raise what a call raised, and for one that waits too long."""
        now = asyncio.get_running_loop().time()
        for task, (began, name) in list(self._pending.items()):
            if task.done():
                del self._pending[task]
                task.result()
            elif now - began > LONGEST:
                raise Lied(f"{self._world.uptime():.3f} {name} has waited since {began:.3f}")

    @property
    def waiting(self) -> int:
        return len(self._pending)

    async def _guarded(self, kind: Callable[[], Awaitable[None]]) -> None:
        calm = self._answering()
        try:
            await kind()
            self.answered += 1
        except Unavailable as error:
            if not str(error).startswith(UNREADABLE):
                self.unavailable += 1
                if calm is not None and calm == self._answering():
                    raise Lied(
                        f"{self._world.uptime():.3f} {kind.__name__} is refused, and all is well: {error}"
                    ) from None
        except ServiceError:
            self.answered += 1

    def _answering(self) -> float | None:
        """Since when each call must be answered; None if one may be refused for a time."""
        read_only = self._connector.login.write_access.read_only_since is not None
        return None if read_only or self._connector.directory.overdue > 0 else self.calm()

    # --- reading -------------------------------------------------------------------------------------------------

    async def _authenticate(self) -> None:
        token = self._changes.issue() if self._chance.random() < 0.5 else None
        if token is None:
            if not self._changes.tokens:
                return
            token = self._chance.choice(self._changes.tokens[-12:])
        await self._present(token)

    async def _guess(self) -> None:
        await self._present(new_token())

    async def _present(self, token: str) -> None:
        """Refused only if it did not hold at some moment since the request came, or if memory may know better."""
        hash_, asked_at, since = token_hash(token), self._world.uptime(), self._checkers.confirmed_at
        request: Any = SimpleNamespace(app=self._connector.app)
        try:
            person = await require_holder(request, hash_)
        except TokenWrong:
            valid = self._checkers.always_valid
            if valid(hash_, asked_at) and valid(hash_, since, born=True):
                raise Lied(
                    f"a valid token was refused at {self._world.uptime():.3f}, asked at {asked_at:.3f}"
                ) from None
            return
        if not self._checkers.ever_valid(hash_, person, self._checkers.confirmed_at):
            raise Lied(f"{self._world.uptime():.3f} a token that had ended was accepted for {person.name}")

    async def _read_user(self) -> None:
        """The row is not older than the request."""
        user_id, asked_at = self._any_user(), self._world.uptime()
        row = await self._connector.users.get(user_id)
        found = None if row is None else (row.name, row.user_type, row.active, row.passwd)
        if found not in (held := self._checkers.users_held(user_id, asked_at)):
            raise Lied(f"{self._world.uptime():.3f} user {user_id} reads {found} and was {held} since {asked_at:.3f}")

    async def _disclose(self) -> None:
        """As registration info: it is counted, and written later."""
        self.disclosed += 1
        disclosures, key = self._connector.trail.disclosures, self._chance.randrange(8)
        if not disclosures.count(key):
            disclosures.open(key, lambda: AuditedChange(Action.SECRET_DISCLOSED, None, ORIGIN))
        self._connector.activity.record_use(self._any_user())

    # --- writing -------------------------------------------------------------------------------------------------

    async def _log_in(self) -> None:
        """A login's token is known here at once."""
        database = self._connector.database
        lasts = timedelta(days=1)
        token, _ = await tokens.issue_for_login(database, self._any_user(), lasts, "login", 3, origin=ORIGIN)
        issued_at, hash_ = self._world.uptime(), token_hash(token)
        self._changes.tokens.append(token)
        read = await self._connector.listener.refresh(f"token {hash_.hex()}", within=1.0)
        known = self._connector.directory._tables.tokens
        if read and hash_ not in known and self._checkers.always_valid(hash_, issued_at, alone=True):
            raise Lied(f"{self._world.uptime():.3f} a token that was issued at {issued_at:.3f} is not known")

    async def _revoke(self) -> None:
        if self._changes.tokens:
            token = self._chance.choice(self._changes.tokens[-12:])
            asked_at = self._world.uptime()
            await tokens.revoke(self._connector.database, token, origin=ORIGIN)
            if self._checkers.always_valid(token_hash(token), asked_at, alone=True):
                raise Lied(f"{self._world.uptime():.3f} a token was revoked, and is still there")

    async def _set_password(self) -> None:
        user_id = self._any_user()
        passwd = f"hash {self._chance.getrandbits(64)}"
        self._cluster.secrets.add(passwd)
        await self._committed(
            "user", user_id, users.set_password(self._connector.database, user_id, passwd, origin=ORIGIN)
        )

    async def _change_user(self) -> None:
        values = {"first_name": f"name {self._chance.getrandbits(32)}", "active": self._chance.random() < 0.8}
        user_id = self._any_user()
        await self._committed(
            "user", user_id, user_admin.change(self._connector.database, user_id, values, origin=ORIGIN)
        )

    async def _reassign(self) -> None:
        number = self._any_number()
        name = self._any_name()
        await extensions.reassign(self._connector.database, number, origin=ORIGIN, name=name)

    async def _unassign(self) -> None:
        await extensions.unassign_user(self._connector.database, self._any_name(), origin=ORIGIN)

    async def _enable(self) -> None:
        await extensions.set_enabled(
            self._connector.database, self._any_number(), self._chance.random() < 0.7, origin=ORIGIN
        )

    async def _committed(self, kind: str, key: object, call: Awaitable[object]) -> None:
        """What was answered is committed, with its audit row."""
        before = len(self._cluster.commits)
        await call
        if not any((kind, key) in commit.changed and commit.audit for commit in self._cluster.commits[before:]):
            raise Lied(f"{self._world.uptime():.3f} {kind} {key} was changed, and no commit says so")

    def _any_user(self) -> int:
        ids: list[int] = list(self._cluster.truth.rows["users"])
        return self._chance.choice(ids)

    def _any_name(self) -> str:
        return str(self._cluster.truth.rows["users"][self._any_user()]["name"])

    def _any_number(self) -> str:
        numbers: list[str] = list(self._cluster.truth.rows["extensions"]) or ["1000"]
        return self._chance.choice(numbers)
