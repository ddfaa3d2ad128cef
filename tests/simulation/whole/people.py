"""People whose rows are in the model of PostgreSQL: who reads or changes them here does so as another replica does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt

from service.credentials import token_hash
from service.domain.models import Extension, Person, Role, TokenScope
from tests.simulation.database import triggers
from tests.simulation.database.cluster import Cluster
from tests.simulation.database.rows import Commit, Row, Rows, Transaction, of_user, phones_of
from tests.simulation.database.user_statements import new_user
from tests.simulation.web.people import Grant, People
from tests.simulation.web.truth import TOLD

LIFETIME = timedelta(days=3650)
"""Of each token: no jump of the wall clock ends one."""
SALT = b"$2b$04$abcdefghijklmnopqrstuu"
REMEMBERED = 20.0
"""Seconds for which it is known when the service said that it had read everything; a request takes less."""
OWNER, SECRET, ROLE = "owner", "secret", "role"
KINDS = {OWNER: "extension", SECRET: "extension", ROLE: "user"}


def first_password(user_id: int) -> str:
    return f"password of {user_id}"


class StoredPeople(People):
    """`store` moves them into PostgreSQL; from then on `people` and `extensions` are what is stored there."""

    cluster: Cluster

    def __init__(self, chance: random.Random, uptime: Callable[[], float]) -> None:
        super().__init__(chance, uptime)
        self._confirmed: list[tuple[float, float]] = []
        self.tried: dict[int, list[str]] = {user_id: [first_password(user_id)] for user_id in self.people}
        """Each password that a user may have."""
        self._known: dict[str, str] = {}
        self._meant: dict[int, dict[str, Any]] = {}
        self._ending: dict[bytes, Grant] = {}
        """Tokens whose end is committed, and that the service may not have read yet."""

    # --- the first rows ------------------------------------------------------------------------------------------

    def rows_of(self, now: datetime) -> Rows:
        """Their rows as PostgreSQL stores them."""
        rows = Rows()
        rows["call_servers"]["main"] = {"name": "main", "credentials": "managed"}
        rows["registration_writers"]["main"] = {
            "holder": None, "held_until": now + LIFETIME, "term": 1, "observed_until": now
        }  # fmt: skip
        transaction = Transaction(rows, lambda _: 0, lambda: now)
        for person in self.people.values():
            transaction.put("users", person.user_id, {**new_user(), **self._user_row(person), "create_time": now})
        for extension in self.extensions.values():
            self._put_extension(transaction, extension)
        return transaction.result()

    def _user_row(self, person: Person) -> Row:
        passwd = bcrypt.hashpw(first_password(person.user_id).encode(), SALT).decode()
        names = {"user_id": person.user_id, "uid": person.uid, "name": person.name, "fullname": person.display_name}
        return {**names, "user_type": person.role.value, "active": person.active, "passwd": passwd}

    def _put_extension(self, transaction: Transaction, extension: Extension) -> None:
        number, own = extension.number, extension.phones[0]
        row = {"extension": number, "call_server": "main", "enabled": True, "user_id": extension.user_id}
        transaction.put("extensions", number, {**row, "local_number": None})
        phone = {"phone_id": own.phone_id, "call_server": "main", "endpoint": number, "extension": number}
        phone |= {"auth_username": number, "secret": own.secret, "profile": own.profile.value, "kind": own.kind}
        transaction.put(
            "phones", own.phone_id, {**phone, "label": "", "created_at": transaction.now, "missing_since": None}
        )

    def store(self, cluster: Cluster) -> None:
        """Live in PostgreSQL, which has `rows_of` them."""
        self.cluster = cluster
        cluster.truth.observers.append(self._take)
        self._take()

    def _take(self) -> None:
        """Rows have changed: by a commit, or since a failover has lost some."""
        truth = self.cluster.truth
        self.people = {user_id: truth.now(("user", user_id)) for user_id in truth.rows["users"]}
        self.extensions = {number: truth.now(("extension", number)) for number in truth.rows["extensions"]}
        for hash_, grant in self.tokens.items():
            stored = hash_ in truth.rows["tokens"]
            if stored and grant.revoked:
                grant.revoked, grant.ended_at = False, None
                self._ending.pop(hash_, None)
            elif not stored and not grant.revoked:
                grant.revoked = True
                self._ending[hash_] = grant

    # --- changes -------------------------------------------------------------------------------------------------

    def issue(self, user_id: int, scope: TokenScope = TokenScope.ALL) -> Grant:
        """A new token. It is nobody's if PostgreSQL takes no change now."""
        grant = self._new_grant(user_id, scope)
        until = datetime.fromtimestamp(self.cluster.wall(), UTC) + LIFETIME

        def put(transaction: Transaction) -> None:
            if transaction["users"][user_id]["active"]:
                triggers.put_token(transaction, grant.hash, user_id, until, "by hand", scope.value)

        if not self.cluster.operate(put) or grant.hash not in self.cluster.truth.rows["tokens"]:
            grant.revoked = True
        return grant

    def add_login(self, token: str, user_id: int) -> Grant:
        """A token that the service has issued."""
        grant = Grant(token, user_id, TokenScope.ALL, self._uptime())
        grant.revoked = token_hash(token) not in self.cluster.truth.rows["tokens"]
        self.tokens[grant.hash] = grant
        return grant

    def revoke(self, grant: Grant) -> None:
        if not grant.revoked:
            self.cluster.operate(lambda transaction: transaction.put("tokens", grant.hash, None))

    def hand_over(self) -> None:
        numbers = self._chance.sample(sorted(self.extensions), 2)
        self.cluster.operate(lambda transaction: self._swap(transaction, numbers))

    def _swap(self, transaction: Transaction, numbers: list[str]) -> None:
        owners = [transaction["extensions"][number]["user_id"] for number in numbers]
        for number in numbers:
            triggers.assign(transaction, number, None)
        for number, owner in zip(numbers, reversed(owners), strict=True):
            triggers.assign(transaction, number, owner)

    def take_away(self, user_id: int) -> None:
        """Somebody has no extension any more."""

        def unassign(transaction: Transaction) -> None:
            if (held := of_user(transaction, user_id)) is not None:
                triggers.assign(transaction, held["extension"], None)

        self.cluster.operate(unassign)

    def new_secret(self) -> None:
        number = self._chance.choice(sorted(self.extensions))
        self.cluster.operate(
            lambda transaction: transaction.change(
                "phones", phones_of(transaction, number)[0]["phone_id"], secret=self._new_secret(number)
            )
        )

    def set_active(self, user_id: int, active: bool) -> None:
        self._change_user(user_id, active=active)

    def set_role(self, user_id: int, role: Role) -> None:
        self._change_user(user_id, user_type=role.value)

    def _change_user(self, user_id: int, **values: Any) -> None:
        self._meant[user_id] = {**self._meant.get(user_id, {}), **values}
        self._put_user(user_id, values)

    def settle(self) -> None:
        """Make the changes of users that PostgreSQL did not take, or that a failover has lost."""
        users = self.cluster.truth.rows["users"]
        for user_id, values in self._meant.items():
            if any(users[user_id][name] != value for name, value in values.items()):
                self._put_user(user_id, values)

    def _put_user(self, user_id: int, values: dict[str, Any]) -> None:
        self.cluster.operate(
            lambda transaction: triggers.put_user(transaction, user_id, {**transaction["users"][user_id], **values})
        )

    # --- what is known -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A process starts, which has read nothing."""
        self._confirmed = []

    def read_until(self, at: float | None = None) -> float:
        """The moment before which the service had read everything, as it said before `at`, or TOLD ago."""
        moment = self._uptime() - TOLD if at is None else at
        return next((until for said, until in reversed(self._confirmed) if said < moment), float("-inf"))

    def confirmed(self, at: float) -> None:
        """The service says that it has read everything that was committed before a moment."""
        now = self._uptime()
        self._confirmed = [each for each in self._confirmed if each[0] > now - REMEMBERED]
        self._confirmed.append((now, at))
        for hash_ in [each for each in self._ending if self.cluster.truth.last_change(("token", each)) < at]:
            self._end(hash_)

    def after_commit(self, commit: Commit) -> None:
        """All was well for a while since: the service must have read it."""
        for kind, key in commit.changed:
            if kind == "token" and self.cluster.truth.last_change((kind, key)) <= commit.at and key in self._ending:
                self._end(key)

    def must_be_read(self, which: Callable[[Grant], bool]) -> None:
        """The process has answered that it has ended these tokens."""
        for hash_ in [hash_ for hash_, grant in self._ending.items() if which(grant)]:
            self._end(hash_)

    def _end(self, hash_: bytes) -> None:
        self._ending.pop(hash_).ended_at = self._uptime()

    def held(self, what: str, key: object, since: float) -> set[object]:
        """What was stored at some moment since then, and since what the service says that it has read."""
        values = self.cluster.truth.held((KINDS[what], key), min(since, self.read_until()))
        return {_facts(what, value) for value in values if value is not None}

    def user_rows(self, user_id: int, since: float) -> Iterator[Row]:
        """The rows of a user from a moment on, the newest first."""
        for at, rows in reversed(self.cluster.states):
            yield rows["users"][user_id]
            if at <= since:
                return

    def is_password_of(self, row: Row, password: str) -> bool:
        """Whether it is the password of a stored user."""
        stored = row["passwd"]
        if stored not in self._known:
            tried = self.tried[row["user_id"]]
            found = [each for each in reversed(tried) if bcrypt.checkpw(each.encode(), stored.encode())]
            self._known[stored] = found[0] if found else ""
        return self._known[stored] == password


def _facts(what: str, value: Any) -> object:
    if what == OWNER:
        return value.user_id
    return value.phones[0].secret if what == SECRET else (value.role, value.active)
