"""What must hold of the directory, of what follows it, and of the audit trail."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from service.domain.credential_watch import CredentialSubscription
from service.domain.directory import Directory
from service.domain.models import Extension, Person
from service.errors import DirectoryUnavailable
from tests.simulation.database.cluster import Cluster
from tests.simulation.database.connector import STALE_AFTER, Connector
from tests.simulation.database.rows import Commit
from tests.simulation.database.truth import Key
from tests.simulation.world import World

SLACK = 1e-6
SWEPT_WITHIN = 1.6
"""Seconds until a held request whose token has ended is told so."""
HELD = 6
WATCHED = (3, 4, 5, 6)
"""Users whose SIP passwords are watched."""


class Checkers:
    """Compares one connector with the cluster. What is wrong goes to `lies`."""

    def __init__(self, world: World, cluster: Cluster, connector: Connector) -> None:
        self._world = world
        self._cluster = cluster
        self._truth = cluster.truth
        self._connector = connector
        self.lies: list[str] = []
        self.live = self.not_live = 0
        self._held: dict[bytes, tuple[Any, float | None]] = {}
        self._told: dict[int, dict[int, str | None]] = {user_id: {} for user_id in WATCHED}
        self._subscriptions: dict[int, CredentialSubscription] = {}
        cluster.observers.append(self._on_commit)

    @property
    def _directory(self) -> Directory:
        return self._connector.directory

    @property
    def confirmed_at(self) -> float:
        """The moment before which everything has been read, as the directory says."""
        return self._directory._current_until - STALE_AFTER

    # --- all the time --------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare everything."""
        self.check_memory()
        self._check_held()
        self._check_told()

    def check_memory(self) -> None:
        """Compare the directory with PostgreSQL, and what it answers with itself."""
        self._check_proof()
        self._check_copy()
        if self._directory.usable:
            self.live += 1
            self._check_answers()
        else:
            self.not_live += 1
            self._check_refusals()

    def _check_proof(self) -> None:
        """Nothing is confirmed, unmarked or answered for longer than a client can have proof of."""
        now, proof = self._world.uptime(), self._cluster.proof
        if self.confirmed_at > proof + SLACK:
            self._lie(f"confirmed up to {self.confirmed_at:.3f}, with proof up to {proof:.3f}")
        if now > proof + STALE_AFTER + SLACK and self._directory.stale_since is None:
            self._lie(f"not stale, with proof up to {proof:.3f}")
        if now > proof + STALE_AFTER + self._connector.grace + SLACK and self._directory.usable:
            self._lie(f"answers after the grace, with proof up to {proof:.3f}")

    def _check_copy(self) -> None:
        """Each row of memory was so at some moment since what is confirmed."""
        tables, since = self._directory._tables, self.confirmed_at
        stored: dict[str, dict[Any, Any]] = {
            "user": tables.people, "token": tables.tokens, "extension": tables.extensions
        }  # fmt: skip
        for key, history in self._truth._history.items():
            value = stored[key[0]].get(key[1])
            if value != history[-1][1] and not self._was(key, value, since):
                held = self._truth.held(key, since)
                self._lie(f"{_shown(key)} is {_brief(value)} since {since:.3f}, and was {[_brief(v) for v in held]}")
        if sum(map(len, stored.values())) > len(self._truth._history):
            self._lie("memory holds rows that never were")

    def _was(self, key: Key, value: Any, since: float) -> bool:
        held = self._truth.held(key, since)
        if value in held:
            return True
        return (
            key[0] == "token"
            and value is None
            and any(each is not None and each.expires_at <= self._cluster.wall() for each in held)
        )

    def _check_answers(self) -> None:
        """What is answered follows from the rows in memory."""
        directory, tables = self._directory, self._directory._tables
        of_user: dict[int, list[Extension]] = {}
        for extension in tables.extensions.values():
            if extension.user_id is not None:
                of_user.setdefault(extension.user_id, []).append(extension)
        for person in tables.people.values():
            expected = of_user.get(person.user_id, [])
            answer = directory.extension_of(person.uid)
            allowed = [each if each.enabled and person.active else None for each in expected] or [None]
            if answer not in allowed and not (answer is None and self._may_have_lost(person, expected)):
                self._lie(f"{person.name} gets {answer and answer.number}, and has {[e.number for e in expected]}")
        for token_hash, token in tables.tokens.items():
            holder = tables.people.get(token.user_id)
            valid = holder is not None and holder.active and token.expires_at > self._world.wall()
            self._check_holder(token_hash, replace(holder, scope=token.scope) if holder and valid else None)

    def _may_have_lost(self, person: Person, extensions: list[Extension]) -> bool:
        """Whether extensions that memory has as a person's may have been taken from them, which was not read yet."""
        keys: list[Key] = [("extension", extension.number) for extension in extensions]
        held = [each for key in keys for each in self._truth.held(key, self.confirmed_at)]
        return any(each is None or each.user_id != person.user_id for each in held)

    def _check_holder(self, token_hash: bytes, expected: Person | None) -> None:
        try:
            found = self._directory.token_holder(token_hash)
        except DirectoryUnavailable:  # the holder's row cannot be read
            found = None
        if found != expected:
            self._lie(f"token {token_hash.hex()[:8]} is {found}'s instead of {expected}'s")

    def _check_refusals(self) -> None:
        for person in self._directory.people():
            try:
                self._directory.extension_of(person.uid)
            except DirectoryUnavailable:
                return
            self._lie(f"{person.name} is answered after the grace")
            return

    # --- what follows the directory ------------------------------------------------------------------------------

    def _check_held(self) -> None:
        """Streams are ended soon after their token, and new ones are opened."""
        watch, now = self._connector.composer.watch, self._world.monotonic()
        for token_hash, (access, ended_at) in list(self._held.items()):
            if watch.valid(token_hash, access):
                self._held[token_hash] = access, None
            elif ended_at is None:
                self._held[token_hash] = access, now
            elif now - ended_at > SWEPT_WITHIN:
                self._lie(f"a stream is open, whose token ended at {ended_at:.3f}")
        if len(self._held) < HELD and self._directory.usable:
            for token_hash in self._directory._tables.tokens:
                if token_hash not in self._held and (person := self._holder(token_hash)) is not None:
                    self._hold(token_hash, person)
                    break

    def _hold(self, token_hash: bytes, person: Person) -> None:
        watch = self._connector.composer.watch

        def ended() -> None:
            if self._held.pop(token_hash, None) is not None:
                watch.release(ended)

        self._held[token_hash] = person.access, None
        watch.hold(token_hash, person.access, ended)

    def _holder(self, token_hash: bytes) -> Person | None:
        try:
            return self._directory.token_holder(token_hash)
        except DirectoryUnavailable:
            return None

    def _check_told(self) -> None:
        """Whoever watches their phones is told of each new SIP password."""
        watch = self._connector.credential_watch
        for user_id in WATCHED:
            number = self._directory.number_of(user_id)
            extension = self._directory.extension(number) if number is not None else None
            phones = {phone.phone_id: phone.secret for phone in extension.phones} if extension is not None else {}
            told = self._told[user_id]
            if user_id not in self._subscriptions:
                self._subscriptions[user_id] = watch.subscribe(user_id, lambda: None)
                told.update(phones)
            told.update({changed.phone: phones.get(changed.phone) for changed in self._subscriptions[user_id].take()})
            for phone_id, secret in phones.items():
                if told.get(phone_id) != secret:
                    self._lie(f"user {user_id} was not told of a new password of phone {phone_id}")

    # --- asked by others -----------------------------------------------------------------------------------------

    def check_soon(self, keys: frozenset[Key], committed_at: float) -> None:
        """A while after a commit at which all was well: each row is as it is now."""
        tables = self._directory._tables
        stored: dict[str, dict[Any, Any]] = {
            "user": tables.people, "token": tables.tokens, "extension": tables.extensions
        }  # fmt: skip
        for key in keys:
            value = stored[key[0]].get(key[1])
            if self._truth.last_change(key) <= committed_at and not self._was(key, value, self._world.uptime()):
                self._lie(f"{_shown(key)} is {_brief(value)}, though it was changed at {committed_at:.3f}")

    def always_valid(self, token_hash: bytes, since: float, *, alone: bool = False, born: bool = False) -> bool:
        """Whether a token held all the time since a moment.

        `alone`: whatever became of its user. `born`: since it was issued, if that was later.
        """
        held = self._truth.held(("token", token_hash), since, born=born)
        soon = max(self._world.wall(), self._cluster.wall()) + 1.0
        if any(token is None or token.expires_at <= soon for token in held):
            return False
        if alone:
            return True
        people = [self._truth.held(("user", token.user_id), since, born=born) for token in held]
        return all(person is not None and person.active for each in people for person in each)

    def ever_valid(self, token_hash: bytes, person: Person, since: float) -> bool:
        """Whether a token was a person's at some moment since another."""
        was_theirs = any(
            token is not None and token.user_id == person.user_id
            for token in self._truth.held(("token", token_hash), since)
        )
        return was_theirs and any(each == person for each in self._truth.held(("user", person.user_id), since))

    def users_held(self, user_id: int, since: float) -> list[tuple[Any, ...] | None]:
        """What a user's row was since a moment."""
        columns = ("name", "user_type", "active", "passwd")
        found: list[tuple[Any, ...] | None] = []
        for at, rows in reversed(self._cluster.states):
            row = rows["users"].get(user_id)
            found.append(None if row is None else tuple(row[name] for name in columns))
            if at <= since:
                break
        return found

    def wrongs(self) -> list[str]:
        """What is not as it is in PostgreSQL, once nothing happens any more."""
        directory, listener = self._directory, self._connector.listener
        if directory.stale_since is not None or not directory.usable or not listener.current:
            return [f"changes are not followed: {listener.last_error or 'no error'}"]
        if self._connector.login.write_access.read_only_since is not None:
            return ["PostgreSQL counts as read-only"]
        tables = directory._tables
        stored: dict[str, dict[Any, Any]] = {
            "user": tables.people, "token": tables.tokens, "extension": tables.extensions
        }  # fmt: skip
        return [
            f"{_shown(key)} is {_brief(stored[key[0]].get(key[1]))}"
            for key in self._truth.all_keys()
            if not self._was(key, stored[key[0]].get(key[1]), self._world.uptime())
        ]

    # --- audit ---------------------------------------------------------------------------------------------------

    def _on_commit(self, commit: Commit) -> None:
        if commit.by_service and commit.changed and not commit.purge and not commit.audit:
            self._lie(f"a change of {sorted(map(_shown, commit.changed))} is not audited")

    def disclosures(self) -> int:
        """Events that rows in PostgreSQL count."""
        counts: Counter[str] = Counter()
        for commit in self._cluster.commits:
            for row in commit.audit:
                counts[row["action"]] += row["count"]
        return counts["secret.disclosed"]

    def _lie(self, text: str) -> None:
        self.lies.append(f"{self._world.uptime():.3f} {text}")


def _shown(key: Key) -> str:
    return f"{key[0]} {key[1].hex()[:8] if isinstance(key[1], bytes) else key[1]}"


def _brief(value: Any) -> str:
    """Without secrets."""
    if isinstance(value, Extension):
        phones = ",".join(f"{phone.phone_id}:{(phone.secret or '')[:4]}" for phone in value.phones)
        return f"user {value.user_id} {value.enabled} {phones}"
    return str(value)[:150]
