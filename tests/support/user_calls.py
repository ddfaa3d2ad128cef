"""Calls of the user family, as the demo's admin, and what tests give them."""

from __future__ import annotations

from typing import Any

from tests.support.server import ADMIN, Server, told

TOKEN = {"X-Auth-Token": ADMIN["X-Auth-Token"]}
NEW = {"name": "newcomer", "passwd": "a password", "user_type": "agent"}
NAMES = [
    "O'Brien",
    '"quoted"',
    "back\\slash",
    "Robert'); drop table users;--",
    "Zoë",
    "محمد علي",
    "דוד",
    "👩‍👩‍👧‍👦",
    "山田 太郎",
    "%_like_%",
    "<b>bold</b>",
]
"""What people are called."""


async def asked(server: Server, method: str, path: str, given: Any = None) -> tuple[int, Any]:
    answer = await server.client.request(method, path, json=given, headers=TOKEN)
    assert answer.headers["Cache-Control"] == "no-store"
    return await told(answer)


async def made(server: Server, **values: Any) -> dict[str, Any]:
    status, body = await asked(server, "POST", "/user/create", NEW | values)
    assert (status, list(body), body["success"]) == (200, ["success", "payload"], True), body
    payload: dict[str, Any] = body["payload"]
    return payload


async def refused(server: Server, method: str, path: str, given: Any) -> dict[str, list[str]]:
    status, body = await asked(server, method, path, given)
    assert (status, body["error_type"], body["success"]) == (400, "validation_error", False), body
    assert list(body) == ["error_type", "success", "error", "errors"]
    errors: dict[str, list[str]] = body["errors"]
    return errors


async def listed(server: Server, **arguments: Any) -> dict[str, Any]:
    """A page of `GET /user/list`, as the admin asks for it."""
    answer = await server.client.get("/user/list", params=arguments, headers=TOKEN)
    status, body = await told(answer)
    assert (status, body["success"]) == (200, True), body
    assert answer.headers["Cache-Control"] == "no-store"
    payload: dict[str, Any] = body["payload"]
    return payload
