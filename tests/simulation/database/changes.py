"""What others change in PostgreSQL: operators, and replicas of this and of a newer release."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from service.credentials import token_hash
from tests.simulation.database import triggers
from tests.simulation.database.cluster import Cluster
from tests.simulation.database.rows import Rows, Transaction, of_user, phones_of
from tests.simulation.database.user_statements import new_user

USERS, EXTENSIONS = 12, 10
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
NEWER_ROLE = "supervisor"
"""A role that only a newer release knows."""


def first_rows(chance: random.Random, now: datetime) -> Rows:
    """Users, most with an extension, and nobody's tokens."""
    rows = Rows()
    rows["call_servers"]["main"] = {"name": "main", "credentials": "managed"}
    numbers = {"users": 0, "phones": 0}

    def next_id(kind: str) -> int:
        numbers[kind] += 1
        return numbers[kind]

    transaction = Transaction(rows, next_id, lambda: now)
    for _ in range(USERS):
        make_user(transaction, chance, "admin" if numbers["users"] < 2 else "agent")
    for number in range(EXTENSIONS):
        triggers.create_extension(transaction, f"1{number:03}", f"first secret {number:020}", "main", "webrtc")
        if number < 8:
            triggers.assign(transaction, f"1{number:03}", number + 3)
    return transaction.result()


def make_user(transaction: Transaction, chance: random.Random, role: str) -> int:
    user_id = transaction.next_id("users")
    row = {**new_user(), "user_id": user_id, "name": f"user {user_id}", "passwd": "hash 0", "user_type": role}
    row |= {"uid": "".join(chance.choices(ALPHABET, k=17)), "create_time": transaction.now}
    triggers.put_user(transaction, user_id, row)
    return user_id


class Changes:
    """One change at a time, chosen by chance."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self.made = 0
        self.tokens: list[str] = []
        """The tokens that were issued, the newest last."""
        common = [self._issue] * 6 + [self._revoke] * 4 + [self._hand_over] * 5 + [self._unassign] * 2
        common += [self._password] * 2 + [self._toggle_active] * 2 + [self._rename] * 2 + [self._enable] * 2
        rare = [self._role, self._delete_user, self._make_user, self._phone, self._phone, self._extension, self._newer]
        self._kinds: list[Callable[[Transaction], None]] = [*common, *rare]

    def one(self) -> None:
        """Make a change, if it is possible now."""
        if self._cluster.operate(self._chance.choice(self._kinds)):
            self.made += 1

    def everything(self, *, garbage: bool) -> None:
        """Change many rows, whose hint names all; or a hint that this release does not know."""

        def change(transaction: Transaction) -> None:
            if garbage:
                transaction.notify(self._chance.choice(("queue 7", "user x", "", "token 12", "extension a b")))
                return
            for user_id in list(transaction["users"]):
                transaction.change("users", user_id, first_name=f"name {self._chance.randrange(100)}")
            transaction.forget_touched()
            transaction.notify("user *")

        if self._cluster.operate(change):
            self.made += 1

    def issue(self, user_id: int | None = None, seconds: float = 86_400.0) -> str | None:
        """Issue a token, as another replica does at a login. None: it is not possible now."""
        before = len(self.tokens)
        self._cluster.operate(lambda transaction: self._issue(transaction, user_id, seconds))
        return self.tokens[-1] if len(self.tokens) > before else None

    # --- kinds ---------------------------------------------------------------------------------------------------

    def _user(self, transaction: Transaction) -> int:
        ids: list[int] = list(transaction["users"])
        return self._chance.choice(ids)

    def _number(self, transaction: Transaction) -> str | None:
        numbers = list(transaction["extensions"])
        return self._chance.choice(numbers) if numbers else None

    def _issue(self, transaction: Transaction, user_id: int | None = None, seconds: float = 0.0) -> None:
        token = f"{self._chance.getrandbits(250):043x}"[:43]
        lasts = seconds or self._chance.choice((8.0, 86_400.0, 864_000.0))
        until = datetime.fromtimestamp(self._cluster.wall(), UTC) + timedelta(seconds=lasts)
        holder = user_id if user_id is not None else self._user(transaction)
        if triggers.issue_token(transaction, token_hash(token), holder, until, "login", 3):
            self.tokens.append(token)

    def _revoke(self, transaction: Transaction) -> None:
        if transaction["tokens"]:
            transaction.put("tokens", self._chance.choice(list(transaction["tokens"])), None)

    def _hand_over(self, transaction: Transaction) -> None:
        """Take an extension from its user, and from the next one theirs."""
        number, user_id = self._number(transaction), self._user(transaction)
        if number is None:
            return
        held = of_user(transaction, user_id)
        if held is not None and held["extension"] != number:
            triggers.assign(transaction, held["extension"], None)
        triggers.assign(transaction, number, None)
        triggers.assign(transaction, number, user_id)

    def _unassign(self, transaction: Transaction) -> None:
        if (number := self._number(transaction)) is not None:
            triggers.assign(transaction, number, None)

    def _update(self, transaction: Transaction, **values: object) -> None:
        user_id = self._user(transaction)
        triggers.put_user(transaction, user_id, {**transaction["users"][user_id], **values})

    def _password(self, transaction: Transaction) -> None:
        self._update(transaction, passwd=f"hash {self._chance.getrandbits(64)}")

    def _toggle_active(self, transaction: Transaction) -> None:
        self._update(transaction, active=self._chance.random() < 0.6)

    def _rename(self, transaction: Transaction) -> None:
        """Two users swap their names, or one gets a new one."""
        one, other = self._user(transaction), self._user(transaction)
        users = transaction["users"]
        first, second = users[one]["name"], users[other]["name"]
        triggers.put_user(transaction, one, {**users[one], "name": f"renamed {self._chance.getrandbits(32)}"})
        if one != other:
            users = transaction["users"]
            triggers.put_user(transaction, other, {**users[other], "name": first})
            triggers.put_user(transaction, one, {**users[one], "name": second})

    def _role(self, transaction: Transaction) -> None:
        self._update(transaction, user_type=self._chance.choice(("admin", "agent", "client")))

    def _newer(self, transaction: Transaction) -> None:
        self._update(transaction, user_type=NEWER_ROLE)

    def _delete_user(self, transaction: Transaction) -> None:
        if len(transaction["users"]) > USERS // 2:
            triggers.delete_user(transaction, self._user(transaction))

    def _make_user(self, transaction: Transaction) -> None:
        if len(transaction["users"]) < 2 * USERS:
            make_user(transaction, self._chance, "agent")

    def _enable(self, transaction: Transaction) -> None:
        if (number := self._number(transaction)) is not None:
            transaction.change("extensions", number, enabled=self._chance.random() < 0.7)

    def _phone(self, transaction: Transaction) -> None:
        """Make a further phone, or delete one, or give one a new secret."""
        number = self._number(transaction)
        if number is None:
            return
        further = [phone for phone in phones_of(transaction, number) if phone["endpoint"] != number]
        if not further:
            endpoint = f"{number}.{self._chance.getrandbits(30):06x}"
            secret = triggers.fresh_secret()
            triggers.create_phone(transaction, "main", endpoint, number, secret, "sip", "desk", "")
        elif self._chance.random() < 0.5:
            transaction.put("phones", further[0]["phone_id"], None)
        else:
            transaction.change("phones", further[0]["phone_id"], secret=triggers.fresh_secret())

    def _extension(self, transaction: Transaction) -> None:
        number = self._number(transaction)
        if number is not None and self._chance.random() < 0.5:
            triggers.delete_extension(transaction, number)
        else:
            made = f"2{self._chance.randrange(10):03}"
            if made not in transaction["extensions"]:
                triggers.create_extension(transaction, made, triggers.fresh_secret(), "main", "webrtc")


def secrets_in(rows: Rows) -> set[str]:
    """What no log line may hold."""
    return {phone["secret"] for phone in rows["phones"].values()} | {
        user["passwd"] for user in rows["users"].values() if user["passwd"] != "hash 0"
    }
