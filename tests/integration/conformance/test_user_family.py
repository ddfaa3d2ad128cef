"""The user family, as Class 4's own admin client uses it: a token, lists, and the life of one user, from the top.

What that client's public source shows is replayed as it is: whole users sent back with `passwd` emptied and fields of
its own, empty filters, an argument whose name is made up. Where nothing public tells what the original answers, the
case says what this service does.
"""

from __future__ import annotations

from service.db.user_list import OrderBy
from tests.integration.conformance.table import CLIENT, NOBODY, Case, Json, replay
from tests.integration.users.test_get import FIELDS
from tests.support.database import TestDatabase
from tests.support.server import Start

NOT_FOUND = {"error_type": "Object not found", "success": False}
MISSING = {
    "error_type": "unauthenticated_error",
    "success": False,
    "error": {"message": "No header X-Auth-Token present", "code": 110, "reason": "auth_token_not_provided"},
}
WRONG = {
    "error_type": "unauthenticated_error",
    "success": False,
    "error": {"message": "Incorrect token provided", "code": 120, "reason": "incorrect_token_provided"},
}
LAST_ADMIN = {
    "error_type": "operation_error",
    "success": False,
    "error": {"message": "This is the last active admin", "reason": "last_admin"},
}
NOT_ADMIN = {
    "error_type": "permission_error",
    "success": False,
    "error": {"message": "Only an admin may do this", "reason": "admin_required"},
}


def user(**known: Json) -> Json:
    """The envelope with a whole user, of whom these fields are known."""
    return {"success": True, "payload": {field: known.get(field, ...) for field in FIELDS}}


def page(*items: Json, total: int, number: int = 0, per_page: int = 10) -> Json:
    """The envelope with a page of users."""
    return {"success": True, "payload": {"items": list(items), "total": total, "page": number, "per_page": per_page}}


def invalid(**errors: str) -> Json:
    """What is wrong, by field."""
    told = "; ".join(f"{field}: {text}" for field, text in errors.items())
    return {
        "error_type": "validation_error",
        "success": False,
        "error": {"message": told, "reason": "validation_failed"},
        "errors": {field: [text] for field, text in errors.items()},
    }


NEW = {
    "report_group": False,
    "outbound_report": False,
    "all_termination": False,
    "active": True,
    "user_type": "agent",
    "name": "grace",
    "passwd": "her password",
    "fullname": "Grace H.",
    "email": "grace@example.com",
    "role": "",
    "landing_page": "Dashboard",
    "landing_page_option": [{"id": 1, "text": "Overview"}],
    "roles": "manager",
}
"""What the original's form sends: fields of a user, and some of its own."""
MADE = {name: NEW[name] for name in ("active", "user_type", "name", "fullname", "email", "landing_page")}
GRACE = "/v1/user/1799"
TABLE = [
    Case(
        name="authenticate",
        method="POST",
        path="/v1/auth",
        who=NOBODY,
        json={"email_or_name": "admin", "password": "demo-admin-password"},
        answer={"success": True, "payload": {"token": ..., "expired": ..., "user_type": "admin"}},
    ),
    Case(
        name="authenticate with a wrong password",
        method="POST",
        path="/auth",
        who=NOBODY,
        json={"email_or_name": "admin", "password": "wrong"},
        status=401,
        answer={
            "error_type": "operation_error",
            "success": False,
            "error": {"message": "Incorrect name, e-mail or password", "reason": "authentication_failed"},
        },
    ),
    Case(
        name="authenticate with nothing",
        method="POST",
        path="/auth",
        who=NOBODY,
        json={},
        status=400,
        answer=invalid(email_or_name="a string is required", password="a string is required"),
    ),
    Case(name="a user, by the seed's own path", path="/v1//user/1795", answer=user(user_id=1795, name="dnhai")),
    Case(name="a user, without a token", path="/v1/user/1795", who=NOBODY, status=401, answer=MISSING),
    Case(
        name="a user, with a wrong token",
        path="/v1/user/1795",
        who=NOBODY,
        headers={"X-Auth-Token": "eyaskjksadkasd9.9123kjsadhkj123jhasdjajsjsdhKS.IH5uHASSJsadnbads980asTHo9dhljM"},
        status=401,
        answer=WRONG,
    ),
    Case(name="a user that there is not", path="/v1/user/99", status=404, answer=NOT_FOUND),
    Case(name="a user, for an agent", path="/v1/user/1795", who="dnhai", status=403, answer=NOT_ADMIN),
    Case(
        name="the first tab of the original's client: admins",
        path="/v1/user/list",
        query={"user_type": "admin", "order_by": "user_id", "order_dir": "desc", "page": "0", "per_page": "10"},
        answer=page(user(user_id=1)["payload"], total=1),
    ),
    Case(
        name="another tab of it, with what it leaves empty",
        path="/v1/user/list",
        query=[
            ("order_by", "user_id"),
            ("order_dir", "desc"),
            ("user_type", ""),
            ("is_online-1", ""),
            ("active", "false"),
            ("page", "0"),
            ("per_page", "10"),
        ],
        answer=page(user(user_id=1798, active=False)["payload"], total=1),
    ),
    Case(
        name="who is online",
        path="/user/list",
        query={"is_online": "1", "user_type": "admin"},
        answer=page(user(user_id=1, is_online=1)["payload"], total=1),
    ),
    Case(
        name="the second page of two",
        path="/user/list",
        query={"page": "1", "per_page": "2", "order_by": "name"},
        answer=page(user(name="dnhai")["payload"], user(name="inactive")["payload"], total=5, number=1, per_page=2),
    ),
    Case(name="a page beyond the end", path="/user/list", query={"page": "9"}, answer=page(total=5, number=9)),
    Case(
        name="a list in an order that there is not, of a page before the first",
        path="/user/list",
        query={"order_by": "passwd;--", "page": "-1"},
        status=400,
        answer=invalid(
            order_by=f"one of {', '.join(OrderBy)} is required", page="a whole number from 0 to 2147483647 is required"
        ),
    ),
    Case(name="a list, for a client", path="/user/list", who=CLIENT, status=403, answer=NOT_ADMIN),
    Case(name="a list, without a token", path="/user/list", who=NOBODY, status=401, answer=MISSING),
    Case(
        name="a new user, from the original's form",
        method="POST",
        path="/v1/user/create",
        json=NEW,
        answer=user(**MADE, user_id=1799, create_user_id=1, last_seen=None, is_online=2),
    ),
    Case(
        name="the same user again",
        method="POST",
        path="/v1/user/create",
        json=NEW,
        status=400,
        answer=invalid(email="is another user's", name="is another user's"),
    ),
    Case(
        name="a new user with nothing that it needs",
        method="POST",
        path="/user/create",
        json={"email": 1},
        status=400,
        answer=invalid(
            name="is required",
            email="a string or null is required",
            passwd="is required",
            user_type="is required",
        ),
    ),
    Case(
        name="a new user, for an agent", method="POST", path="/user/create", who="dnhai", status=403, answer=NOT_ADMIN
    ),
    Case(
        name="the original's form edits a user: all its fields come back, `passwd` is empty",
        method="PATCH",
        path=GRACE,
        json={**NEW, "passwd": "", "user_id": 1799, "create_time": "x", "is_online": 2, "fullname": "Grace Hopper"},
        answer=user(**{**MADE, "fullname": "Grace Hopper"}, user_id=1799),
    ),
    Case(
        name="her password is what it was",
        method="POST",
        path="/auth",
        who=NOBODY,
        json={"email_or_name": "GRACE@example.com", "password": "her password"},
        answer={"success": True, "payload": {"token": ..., "expired": ..., "user_type": "agent"}},
    ),
    Case(
        name="a change that cannot be",
        method="PATCH",
        path=GRACE,
        json={"name": "dnhai", "active": True},
        status=400,
        answer=invalid(name="is another user's"),
    ),
    Case(
        name="a change of nobody", method="PATCH", path="/user/99", json={"active": True}, status=404, answer=NOT_FOUND
    ),
    Case(name="the last admin goes", method="DELETE", path="/user/1", status=409, answer=LAST_ADMIN),
    Case(
        name="the last admin rests",
        method="PATCH",
        path="/user/1",
        json={"active": False},
        status=409,
        answer=LAST_ADMIN,
    ),
    Case(name="a user goes", method="DELETE", path=GRACE, answer={"success": True}),
    Case(name="and is gone", method="DELETE", path=GRACE, status=404, answer=NOT_FOUND),
    Case(
        name="a list by POST",
        method="POST",
        path="/user/list",
        status=405,
        answer={
            "error_type": "method_not_allowed",
            "success": False,
            "error": {"message": "Allowed here: GET, HEAD", "reason": "method_not_allowed"},
        },
    ),
]


async def test_as_the_original_s_client_has_it(database: TestDatabase, start: Start) -> None:
    await replay(await start(database.settings()), TABLE)
