"""`GET /user/list`: what is no page, and who may ask for one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.server import Server, told
from tests.support.user_calls import TOKEN, listed


async def refused(server: Server, **arguments: Any) -> dict[str, list[str]]:
    status, body = await told(await server.client.get("/v1/user/list", params=arguments, headers=TOKEN))
    assert (status, body["error_type"], body["success"]) == (400, "validation_error", False)
    errors: dict[str, list[str]] = body["errors"]
    return errors


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("page", "-1"),
        ("page", "9223372036854775808"),
        ("page", "1" * 5000),
        ("page", "2147483648"),
        ("page", "one"),
        ("page", "1.5"),
        ("page", "+1"),
        ("page", " 1"),
        ("page", "٣"),
        ("page", "0x10"),
        ("page", "1e1"),
        ("page", "1.0"),
        ("page", "-0"),
        ("page", "1_0"),
        ("per_page", "٤"),
        ("page", "1;drop table users"),
        ("per_page", "0"),
        ("per_page", "-10"),
        ("per_page", "201"),
        ("per_page", "ten"),
        ("user_type", "root"),
        ("user_type", "null"),
        ("user_type", "Admin"),
        ("user_type", "admin' or '1'='1"),
        ("active", "maybe"),
        ("is_online", "3"),
        ("is_online", "true"),
        ("order_by", "name; drop table users"),
        ("order_by", "(select passwd from users limit 1)"),
        ("order_by", "name, passwd"),
        ("order_by", "1"),
        ("order_by", "passwd"),
        ("order_by", "NAME"),
        ("order_by", 'name"'),
        ("order_by", "name/* order */"),
        ("order_dir", "sideways"),
        ("order_dir", "desc, passwd"),
        ("order_dir", "asc--"),
    ],
)
async def test_a_wrong_argument_is_refused_by_its_name(shared: Server, field: str, value: str) -> None:
    errors = await refused(shared, **{field: value})
    assert list(errors) == [field]
    assert len(errors[field]) == 1
    assert (await listed(shared))["total"] == 5


async def test_all_that_is_wrong_is_told_at_once_and_an_argument_given_twice_is_wrong(shared: Server) -> None:
    assert set(await refused(shared, page="x", per_page="0", order_by="x")) == {"page", "per_page", "order_by"}
    answer = await shared.client.get("/user/list?page=1&page=2&order_dir=x", headers=TOKEN)
    assert await answer.text() == (
        '{"error_type":"validation_error","success":false,'
        """"error":{"message":"page: is given more than once; order_dir: one of asc, desc is required","""
        '"reason":"validation_failed"},'
        """"errors":{"page":["is given more than once"],"order_dir":["one of asc, desc is required"]}}"""
    )


async def test_only_an_admin_may_list_and_that_is_decided_before_the_arguments(shared: Server) -> None:
    for path in ("/user/list", "/user/list?page=x"):
        nobody = await shared.client.get(path)
        assert (nobody.status, (await nobody.json())["error"]["code"]) == (401, 110)
        wrong = await shared.client.get(path, headers={"X-Auth-Token": "x" * 43})
        assert (wrong.status, (await wrong.json())["error"]["code"]) == (401, 120)
        agent = await shared.client.get(path, headers=await shared.headers_of())
        assert (agent.status, (await agent.json())["error"]["reason"]) == (403, "admin_required")
