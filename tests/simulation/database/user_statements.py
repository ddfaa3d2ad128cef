"""Answers the statements about users and tokens."""

from __future__ import annotations

import json
from typing import Any

from service.db.users import UserRow
from service.domain.user_names import folded
from tests.simulation.database import triggers
from tests.simulation.database.rows import Row, Transaction
from tests.simulation.database.statements import PERSON, Answer, answers, count, picked, records


@answers("users.get_many")
def _get_many(tables: Transaction, user_ids: list[int]) -> Answer:
    rows = []
    for user_id in user_ids:
        if (user := tables["users"].get(user_id)) is not None:
            used = tables["activity"].get(user_id, {})
            rows.append({**user, **{name: used.get(name) for name in ("last_login_time", "login_ip", "last_seen")}})
    return picked(UserRow.__struct_fields__, rows)


@answers("users.get")
def _get(tables: Transaction, user_id: int) -> Answer:
    return _get_many(tables, [user_id])


def _named(tables: Transaction, key: str, *fields: str) -> list[Row]:
    users = tables["users"].values()
    return [row for row in users if any(row[field] is not None and folded(row[field]) == key for field in fields)]


@answers("users.find_login")
def _find_login(tables: Transaction, key: str) -> Answer:
    return picked((*PERSON, "passwd", "auth_ip"), _named(tables, key, "name", "email"))


@answers("users.create", writes=True)
def _create(
    tables: Transaction,
    name: str,
    email: str | None,
    passwd: str,
    user_type: str,
    first_name: str | None,
    last_name: str | None,
    uid: str,
    created_by: int | None,
) -> Answer:
    user_id = tables.next_id("users")
    given = {"user_id": user_id, "name": name, "email": email, "passwd": passwd, "user_type": user_type, "uid": uid}
    given |= {"first_name": first_name, "last_name": last_name, "create_user_id": created_by}
    triggers.put_user(tables, user_id, {**new_user(), **given, "create_time": tables.now})
    return records(("user_id",), [(user_id,)], "INSERT")


def new_user() -> dict[str, Any]:
    """The defaults of the table's columns."""
    texts = ("default_mod", "default_mod2", "role_name", "report_fields", "landing_page")
    flags = (
        "outbound_report", "all_termination", "report_group", "is_preload", "show_carrier_trunk_drop_only",
        "email_verified",
    )  # fmt: skip
    row: dict[str, Any] = dict.fromkeys(UserRow.__struct_fields__)
    row |= dict.fromkeys(texts, "") | dict.fromkeys(flags, False)
    row |= {"active": True, "client_limits": "[]", "report_count": "1 Hour", "auth_ip": [], "card_id": 0}
    return {**row, "default_billing_decimal": 4, "fullname": None}


def _updated(tables: Transaction, user_id: int, **values: Any) -> Answer:
    user = tables["users"].get(user_id)
    if user is None:
        return records(("user_id",), [], "UPDATE")
    triggers.put_user(tables, user_id, {**user, **values})
    return records(("user_id",), [(user_id,)], "UPDATE")


@answers("users.set_password", writes=True)
def _set_password(tables: Transaction, user_id: int, passwd: str) -> Answer:
    return _updated(tables, user_id, passwd=passwd)


@answers("users.activate", writes=True)
def _activate(tables: Transaction, user_id: int) -> Answer:
    return _updated(tables, user_id, active=True)


@answers("users.record_activity", writes=True)
def _record_activity(
    tables: Transaction, user_ids: list[int], seen: list[Any], logins: list[Any], addresses: list[str | None]
) -> Answer:
    number = 0
    for user_id, last_seen, login, address in zip(user_ids, seen, logins, addresses, strict=True):
        if user_id not in tables["users"]:
            continue
        number += 1
        before = tables["activity"].get(user_id, {})
        newest, logged_in = before.get("last_seen"), before.get("last_login_time")
        row: dict[str, Any] = {"last_seen": max(newest, last_seen) if newest is not None else last_seen}
        takes = not before or (login is not None and (logged_in is None or login >= logged_in))
        row["login_ip"] = address if takes else before["login_ip"]
        row["last_login_time"] = login if takes else logged_in
        tables.put("activity", user_id, row)
    return count("INSERT", number)


@answers("users.login_addresses")
def _login_addresses(tables: Transaction, since: Any, limit: int) -> Answer:
    columns = ("user_id", "login_ip", "last_login_time")
    found = [
        {"user_id": user_id, **row}
        for user_id, row in tables["activity"].items()
        if row["last_login_time"] is not None and row["last_login_time"] > since and row["login_ip"] is not None
    ]
    found.sort(key=lambda row: row["last_login_time"], reverse=True)
    return picked(columns, found[:limit])


@answers("user_changes.lock_admins", writes=True)
def _lock_admins(tables: Transaction) -> Answer:
    admins = sorted(row["user_id"] for row in tables["users"].values() if row["user_type"] == "admin" and row["active"])
    return records(("user_id",), ((each,) for each in admins))


@answers("user_changes.find_taken")
def _find_taken(tables: Transaction, user_id: int | None, name: str | None, email: str | None) -> Answer:
    def taken(key: str | None, field: str) -> bool:
        return key is not None and any(row["user_id"] != user_id for row in _named(tables, key, field))

    return records(("name", "email"), [(taken(name, "name"), taken(email, "email"))])


@answers("user_changes.change", writes=True)
def _change(tables: Transaction, user_id: int, encoded: str) -> Answer:
    user = tables["users"].get(user_id)
    if user is None:
        return records(("user_id",), [], "UPDATE")
    values = json.loads(encoded)
    keeps = user["email_verified"] and values.get("email", user["email"]) == user["email"]
    return _updated(tables, user_id, **values, email_verified=keeps)


@answers("user_changes.delete", writes=True)
def _delete_user(tables: Transaction, user_id: int) -> Answer:
    user = tables["users"].get(user_id)
    if user is not None:
        triggers.delete_user(tables, user_id)
    return records(("name",), [(user["name"],)] if user is not None else [], "DELETE")


# --- tokens ------------------------------------------------------------------------------------------------------


@answers("tokens.issue", writes=True)
def _issue(tables: Transaction, token_hash: bytes, user_id: int, until: Any, label: str) -> Answer:
    user = tables["users"].get(user_id)
    if user is None or not user["active"]:
        return count("INSERT", 0)
    triggers.put_token(tables, token_hash, user_id, until, label)
    return count("INSERT", 1)


@answers("tokens.issue_for_login", writes=True)
def _issue_for_login(tables: Transaction, *values: Any) -> Answer:
    return records(("issue_token",), [(triggers.issue_token(tables, *values),)])


@answers("tokens.revoke", writes=True)
def _revoke(tables: Transaction, token_hash: bytes) -> Answer:
    token = tables["tokens"].get(token_hash)
    if token is not None:
        tables.put("tokens", token_hash, None)
    return picked(("user_id", "label"), [token] if token is not None else [], "DELETE")


@answers("tokens.revoke_all", writes=True)
def _revoke_all(tables: Transaction, user_id: int) -> Answer:
    number = sum(token["user_id"] == user_id for token in tables["tokens"].values())
    triggers.end_tokens(tables, user_id)
    return count("DELETE", number)


@answers("tokens.delete_expired", writes=True)
def _delete_expired(tables: Transaction) -> Answer:
    return count("DELETE", triggers.delete_expired(tables))
