"""Codes and tokens of boards, over HTTP."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse

from service.web.auth.board_calls import REDEMPTIONS
from tests.support.server import ADMIN, Server

CODES, TOKENS = "/api/v1/board/codes", "/api/v1/board/tokens"


async def new_code(server: Server, headers: dict[str, str] = ADMIN) -> str:
    """A code of the admin."""
    answer = await server.client.post(CODES, headers=headers)
    body: dict[str, Any] = await answer.json()
    assert (answer.status, answer.headers["Cache-Control"], body["success"]) == (201, "no-store", True), body
    code: str = body["code"]
    return code


async def redeem(server: Server, code: object) -> ClientResponse:
    """Redeem a code. The limit of this source begins anew: tests of the limit ask by themselves."""
    server.app[REDEMPTIONS]._counts.clear()
    return await server.client.post(TOKENS, json={"code": code})


async def board_of(server: Server, headers: dict[str, str] = ADMIN) -> dict[str, str]:
    """The two headers of a screen that the admin has given a token."""
    answer = await redeem(server, await new_code(server, headers))
    body = await answer.json()
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store"), body
    return {"X-Auth-Token": body["authToken"], "X-User-Id": body["userId"]}
