"""The two seed pages, replayed against a real PostgreSQL."""

from __future__ import annotations

from service.cli.demo import ADMIN_TOKEN
from service.credentials import is_hash
from tests.support.seeds import USER, without_own
from tests.support.server import ADMIN_UID, AGENT_UID, REGISTRATION, Server, told


async def test_the_first_seed_replays_with_its_own_method_path_headers_and_body(server: Server) -> None:
    answer = await server.client.request(
        "GET",
        REGISTRATION,
        headers={"X-Auth-Token": ADMIN_TOKEN, "X-User-Id": ADMIN_UID, "Content-Type": "application/json"},
        data='{\n    "id": "ByehQjC44FwMeiLbX"\n}',
    )
    assert await told(answer) == (
        200,
        {
            "host": "pbx.example.com",
            "callServerConfig": {"websocketPort": "443", "websocketPath": "wss://pbx.example.com/ws"},
            "extensionDetails": {
                "extension": "12342",
                "password": "my$up3erP@ssw0rd",
                "authtype": "password",
                "state": "Unknown",
            },
        },
    )
    assert list(await answer.json()) == ["host", "callServerConfig", "extensionDetails"]


async def test_the_second_seed_replays_with_its_doubled_slash(server: Server) -> None:
    answer = await server.client.get("/v1//user/1795", headers={"X-Auth-Token": ADMIN_TOKEN}, allow_redirects=False)
    status, body = await told(answer)
    payload = body["payload"]
    assert (status, list(body)) == (200, ["success", "payload"])
    assert without_own(body, USER) == USER
    assert list(payload) == list(USER["payload"])
    assert len(payload) == 39
    assert is_hash(payload["passwd"])
    assert payload["email"] == "dnhai@example.com"
    assert payload["is_online"] == 2


async def test_an_agent_asks_for_its_own_registration_with_what_login_answered(server: Server) -> None:
    headers = await server.login("dnhai", "demo-agent-password")
    assert headers["X-User-Id"] == AGENT_UID
    assert (await server.registration(headers=headers)).status == 200
