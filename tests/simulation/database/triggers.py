"""What the triggers and foreign keys of the migrations do to the row model."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import asyncpg

from service.domain.user_names import folded
from tests.simulation.database.rows import Row, Transaction, of_user, phones_of
from tests.simulation.marks import SECRET_MARK


def failure(
    state: str, message: str, detail: str | None = None, constraint: str | None = None
) -> asyncpg.PostgresError:
    """An error as the server sends it. The driver chooses the class by SQLSTATE."""
    fields = {"S": "ERROR", "V": "ERROR", "C": state, "M": message}
    if detail is not None:
        fields["D"] = detail
    if constraint is not None:
        fields["n"] = constraint
    error: asyncpg.PostgresError = asyncpg.PostgresError.new(fields)
    return error


def fresh_secret() -> str:
    """Of the seeded generator: a model's secrets need to be different, not unknown."""
    return f"{SECRET_MARK}{random.getrandbits(128) >> 44:021x}"


def put_user(transaction: Transaction, user_id: int, row: Row) -> None:
    """Insert or update a user. Raises UniqueViolationError."""
    before = transaction["users"].get(user_id)
    if before is None or before["name"] != row["name"]:
        _unique(transaction, user_id, row, "name")
    if row["email"] is not None and (before is None or before["email"] != row["email"]):
        _unique(transaction, user_id, row, "email")
    transaction.put("users", user_id, row)
    if before is None:
        return
    if (before["active"] and not row["active"]) or before["passwd"] != row["passwd"]:
        end_tokens(transaction, user_id)
        extension = of_user(transaction, user_id)
        if extension is not None:
            rotate(transaction, extension["extension"])


def _unique(transaction: Transaction, user_id: int, row: Row, field: str) -> None:
    key = folded(row[field])
    for other in transaction["users"].values():
        if other["user_id"] != user_id and other[field] is not None and folded(other[field]) == key:
            constraint = f"users_folded_{field}_key"
            raise failure(
                "23505",
                f'duplicate key value violates unique constraint "{constraint}"',
                f"Key (folded({field}))=({key}) already exists.",
                constraint,
            )


def delete_user(transaction: Transaction, user_id: int) -> None:
    end_tokens(transaction, user_id)
    extension = of_user(transaction, user_id)
    if extension is not None:
        assign(transaction, extension["extension"], None)
    transaction.put("activity", user_id, None) if user_id in transaction["activity"] else None
    for other in list(transaction["users"].values()):
        if other["create_user_id"] == user_id:
            transaction.change("users", other["user_id"], create_user_id=None)
    transaction.put("users", user_id, None)


def end_tokens(transaction: Transaction, user_id: int) -> None:
    for token_hash, token in list(transaction["tokens"].items()):
        if token["user_id"] == user_id:
            transaction.put("tokens", token_hash, None)


def assign(transaction: Transaction, number: str, user_id: int | None) -> None:
    """Set the user of an extension. Raises UniqueViolationError."""
    before = transaction["extensions"][number]
    if user_id is not None:
        if user_id not in transaction["users"]:
            raise failure("23503", "violates foreign key constraint", f"Key (user_id)=({user_id}) is not present.")
        held = of_user(transaction, user_id)
        if held is not None and held["extension"] != number:
            raise failure(
                "23505",
                'duplicate key value violates unique constraint "extensions_user_id_key"',
                f"Key (user_id)=({user_id}) already exists.",
                "extensions_user_id_key",
            )
    transaction.change("extensions", number, user_id=user_id)
    if before["user_id"] is not None and before["user_id"] != user_id:
        rotate(transaction, number)


def rotate(transaction: Transaction, number: str) -> None:
    """Make new secrets for the phones of an extension, unless its Asterisk owns them."""
    for phone in phones_of(transaction, number):
        if transaction["call_servers"][phone["call_server"]]["credentials"] == "managed":
            transaction.change("phones", phone["phone_id"], secret=fresh_secret())


def create_extension(transaction: Transaction, number: str, secret: str, call_server: str, profile: str) -> None:
    if number in transaction["extensions"]:
        raise failure(
            "23505",
            'duplicate key value violates unique constraint "extensions_pkey"',
            f"Key (extension)=({number}) already exists.",
            "extensions_pkey",
        )
    if call_server not in transaction["call_servers"]:
        raise failure("23503", "violates foreign key constraint", f"Key (call_server)=({call_server}) is not present.")
    row = {"extension": number, "call_server": call_server, "enabled": True, "user_id": None, "local_number": None}
    transaction.put("extensions", number, row)
    create_phone(transaction, call_server, number, number, secret, profile, "other", "")


def create_phone(
    transaction: Transaction,
    call_server: str,
    endpoint: str,
    number: str,
    secret: str,
    profile: str,
    kind: str,
    label: str,
) -> int:
    phone_id = transaction.next_id("phones")
    row: dict[str, Any] = {"phone_id": phone_id, "call_server": call_server, "endpoint": endpoint, "extension": number}
    row |= {"auth_username": endpoint, "secret": secret, "profile": profile, "kind": kind, "label": label}
    transaction.put("phones", phone_id, {**row, "created_at": transaction.now, "missing_since": None})
    return phone_id


def delete_extension(transaction: Transaction, number: str) -> None:
    for phone in phones_of(transaction, number):
        transaction.put("phones", phone["phone_id"], None)
    transaction.put("extensions", number, None)


def issue_token(transaction: Transaction, token_hash: bytes, user_id: int, until: Any, label: str, most: int) -> bool:
    """As the SQL function does: the oldest login tokens above `most` end."""
    user = transaction["users"].get(user_id)
    if user is None or not user["active"]:
        return False
    logins = [
        token
        for token in transaction["tokens"].values()
        if token["user_id"] == user_id and token["label"] in ("login", "auth") and token["expires_at"] > transaction.now
    ]
    logins.sort(key=lambda token: token["token_hash"])
    logins.sort(key=lambda token: token["created_at"], reverse=True)
    for token in logins[most - 1 :]:
        transaction.put("tokens", token["token_hash"], None)
    put_token(transaction, token_hash, user_id, until, label)
    return True


def put_token(
    transaction: Transaction, token_hash: bytes, user_id: int, until: Any, label: str, scope: str = "all"
) -> None:
    row = {"token_hash": token_hash, "user_id": user_id, "created_at": transaction.now, "expires_at": until}
    transaction.put("tokens", token_hash, {**row, "label": label, "scope": scope})


def delete_expired(transaction: Transaction) -> int:
    """Remove the tokens that expired a day ago."""
    limit = transaction.now - timedelta(days=1)
    expired = [key for key, token in transaction["tokens"].items() if token["expires_at"] < limit]
    for key in expired:
        transaction.put("tokens", key, None)
    transaction.purges = True
    return len(expired)
