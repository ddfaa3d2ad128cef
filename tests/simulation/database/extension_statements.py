"""Answers the statements about extensions, phones, their owners, and the audit trail."""

from __future__ import annotations

import json
from typing import Any

from service.domain.user_names import folded
from tests.simulation.database import triggers
from tests.simulation.database.rows import Row, Transaction, of_user, phones_of
from tests.simulation.database.statements import Answer, answers, count, picked, records

PHONE = (
    "phone_id", "kind", "label", "extension", "call_server", "endpoint", "created_at", "uid", "username",
    "last_fetched_at", "last_fetched_from",
)  # fmt: skip
AUDIT = ("action", "actor_kind", "actor_id", "actor", "subject_kind", "subject_id", "subject", "address", "request_id")


def _local(extension: Row) -> str:
    return str(extension["local_number"] or extension["extension"])


def _numbers(*numbers: str, command: str = "UPDATE") -> Answer:
    return records(("extension",), ((number,) for number in numbers), command)


@answers("extensions.find_number")
def _find_number(tables: Transaction, name: str) -> Answer:
    if name in tables["extensions"]:
        return _numbers(name, command="SELECT")
    found = {phone["extension"] for phone in tables["phones"].values() if phone["endpoint"] == name}
    return _numbers(*sorted(found)[:5], command="SELECT")


@answers("extensions.create", writes=True)
def _create(tables: Transaction, number: str, secret: str, call_server: str, profile: str) -> Answer:
    triggers.create_extension(tables, number, secret, call_server, profile)
    return count("INSERT", 1)


@answers("extensions.assign", writes=True)
def _assign(tables: Transaction, number: str, user_id: int) -> Answer:
    row = tables["extensions"].get(number)
    if row is None or user_id not in tables["users"] or row["user_id"] not in (None, user_id):
        return _numbers()
    triggers.assign(tables, number, user_id)
    return _numbers(number)


@answers("extensions.exists")
def _exists(tables: Transaction, number: str, user_id: int) -> Answer:
    return records(("extension", "person"), [(number in tables["extensions"], user_id in tables["users"])])


def _user(found: list[Row]) -> Answer:
    return picked(("user_id", "name"), found)


@answers("extensions.lock_user_by_uid", writes=True)
def _lock_by_uid(tables: Transaction, uid: str) -> Answer:
    return _user([row for row in tables["users"].values() if row["uid"] == uid])


@answers("extensions.lock_user_by_name", writes=True)
def _lock_by_name(tables: Transaction, key: str) -> Answer:
    return _user([row for row in tables["users"].values() if folded(row["name"]) == key])


@answers("extensions.lock_extension", writes=True)
def _lock_extension(tables: Transaction, number: str) -> Answer:
    row = tables["extensions"].get(number)
    return picked(("user_id",), [row] if row is not None else [])


@answers("extensions.unassign_others", writes=True)
def _unassign_others(tables: Transaction, user_id: int, number: str) -> Answer:
    held = of_user(tables, user_id)
    if held is None or held["extension"] == number:
        return _numbers()
    triggers.assign(tables, held["extension"], None)
    return _numbers(held["extension"])


@answers("extensions.assign_locked", writes=True)
def _assign_locked(tables: Transaction, number: str, user_id: int) -> Answer:
    if number not in tables["extensions"]:
        return count("UPDATE", 0)
    triggers.assign(tables, number, user_id)
    return count("UPDATE", 1)


@answers("extensions.unassign_user", writes=True)
def _unassign_user(tables: Transaction, key: str) -> Answer:
    columns = ("uid", "username", "extension")
    for user in tables["users"].values():
        held = of_user(tables, user["user_id"])
        if folded(user["name"]) == key and held is not None:
            triggers.assign(tables, held["extension"], None)
            return records(columns, [(user["uid"], user["name"], held["extension"])], "UPDATE")
    return records(columns, [], "UPDATE")


@answers("extensions.unassign", writes=True)
def _unassign(tables: Transaction, number: str) -> Answer:
    if number not in tables["extensions"]:
        return _numbers()
    triggers.assign(tables, number, None)
    return _numbers(number)


@answers("extensions.set_enabled", writes=True)
def _set_enabled(tables: Transaction, number: str, enabled: bool) -> Answer:
    if number not in tables["extensions"]:
        return _numbers()
    tables.change("extensions", number, enabled=enabled)
    return _numbers(number)


@answers("extensions.change", writes=True)
def _change(tables: Transaction, number: str, enabled: bool | None) -> Answer:
    if number not in tables["extensions"]:
        return count("UPDATE", 0)
    if enabled is not None:
        tables.change("extensions", number, enabled=enabled)
    return count("UPDATE", 1)


@answers("extensions.change_own_phone", writes=True)
def _change_own_phone(tables: Transaction, number: str, profile: str | None, secret: str | None) -> Answer:
    for phone in phones_of(tables, number):
        if phone["endpoint"] == number:
            given = {"profile": profile, "secret": secret}
            tables.change("phones", phone["phone_id"], **{key: each for key, each in given.items() if each is not None})
            return count("UPDATE", 1)
    return count("UPDATE", 0)


@answers("extensions.get")
def _get(tables: Transaction, number: str) -> Answer:
    columns = ("extension", "call_server", "profile", "enabled", "uid", "username")
    row = tables["extensions"].get(number)
    if row is None:
        return records(columns, [])
    user = tables["users"].get(row["user_id"], {})
    phones = phones_of(tables, number)
    profile = phones[0]["profile"] if phones else None
    values = (number, row["call_server"], profile, row["enabled"], user.get("uid"), user.get("name"))
    return records(columns, [values])


@answers("extensions.delete", writes=True)
def _delete(tables: Transaction, number: str) -> Answer:
    if number not in tables["extensions"]:
        return count("DELETE", 0)
    triggers.delete_extension(tables, number)
    return count("DELETE", 1)


@answers("ownership.is_imported")
def _is_imported(tables: Transaction, name: str) -> Answer:
    row = tables["call_servers"].get(name)
    return records(("?column?",), [(row["credentials"] != "managed",)] if row is not None else [])


@answers("ownership.lock", writes=True)
def _lock(tables: Transaction, number: str) -> Answer:
    row = tables["extensions"].get(number)
    return picked(("call_server",), [row] if row is not None else [])


# --- phones ------------------------------------------------------------------------------------------------------


@answers("phones.lock_extension_of_user", writes=True)
def _lock_of_user(tables: Transaction, user_id: int) -> Answer:
    held = of_user(tables, user_id)
    return _numbers(*([held["extension"]] if held is not None else []), command="SELECT")


@answers("phones.owner")
def _owner(tables: Transaction, number: str) -> Answer:
    columns = ("call_server", "enabled", "username", "active", "phones")
    row = tables["extensions"].get(number)
    if row is None or row["user_id"] is None:
        return records(columns, [])
    user = tables["users"][row["user_id"]]
    phones = len(phones_of(tables, number))
    return records(columns, [(row["call_server"], row["enabled"], user["name"], user["active"], phones)])


@answers("phones.create", writes=True)
def _create_phone(tables: Transaction, call_server: str, endpoint: str, number: str, secret: str, *rest: Any) -> Answer:
    profile, kind, label = rest
    if any(phone["endpoint"] == endpoint for phone in tables["phones"].values()):
        return records(("phone_id",), [], "INSERT")
    made = triggers.create_phone(tables, call_server, endpoint, number, secret, profile, kind, label)
    return records(("phone_id",), [(made,)], "INSERT")


@answers("phones.lock_phone", writes=True)
def _lock_phone(tables: Transaction, phone_id: int) -> Answer:
    columns = ("extension", "call_server", "user_id", "endpoint", "is_own")
    phone = tables["phones"].get(phone_id)
    if phone is None:
        return records(columns, [])
    row = tables["extensions"][phone["extension"]]
    endpoint = phone["endpoint"]
    return records(columns, [(row["extension"], row["call_server"], row["user_id"], endpoint, endpoint == _local(row))])


@answers("phones.delete", writes=True)
def _delete_phone(tables: Transaction, phone_id: int) -> Answer:
    if phone_id not in tables["phones"]:
        return records(("phone_id",), [], "DELETE")
    tables.put("phones", phone_id, None)
    return records(("phone_id",), [(phone_id,)], "DELETE")


@answers("phones.get")
def _get_phone(tables: Transaction, phone_id: int) -> Answer:
    phone = tables["phones"].get(phone_id)
    if phone is None:
        return records(PHONE, [])
    user = tables["users"].get(tables["extensions"][phone["extension"]]["user_id"], {})
    values = [*(phone[name] for name in PHONE[:7]), user.get("uid"), user.get("name"), None, None]
    return records(PHONE, [values])


# --- the audit trail ---------------------------------------------------------------------------------------------


@answers("audit.record", writes=True)
def _record(tables: Transaction, *values: Any) -> Answer:
    row = dict(zip((*AUDIT, "details"), values, strict=True))
    if row["subject"] is None and row["subject_kind"] == "user":
        row["subject"] = tables["users"].get(row["subject_id"], {}).get("name")
    tables.audit.append({**row, "at": tables.now, "count": 1, "details": json.loads(row["details"])})
    return count("INSERT", 1)


@answers("audit.append", writes=True)
def _append(tables: Transaction, *columns: list[Any]) -> Answer:
    for values in zip(*columns, strict=True):
        row = dict(zip(("at", *AUDIT, "count", "details"), values, strict=True))
        tables.audit.append({**row, "details": json.loads(row["details"])})
    return count("INSERT", len(columns[0]))
