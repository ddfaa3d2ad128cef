"""The two seed pages, replayed against a real PostgreSQL."""

from __future__ import annotations

from service.cli.demo import ADMIN_TOKEN
from tests.support.server import ADMIN_UID, AGENT_UID, REGISTRATION, Server, told

USER = {
    "user_id": 1795,
    "user_type": "agent",
    "active": True,
    "carrier_name": None,
    "default_mod": "",
    "reseller_id": None,
    "outbound_report": True,
    "client_limits": [],
    "last_name": None,
    "role_id": None,
    "all_termination": True,
    "report_fields": "string",
    "client": None,
    "report_count": "1 Hour",
    "name": "dnhai",
    "first_name": "string",
    "cdr_expire": None,
    "is_preload": True,
    "landing_page": "string",
    "default_mod2": "string",
    "avatar_id": None,
    "create_user_id": 1,
    "create_time": "2018-02-26T22:39:43.438420+00:00",
    "agent": None,
    "report_group": True,
    "auth_ip": [],
    "default_billing_decimal": 4,
    "card_id": 0,
    "role_name": "",
    "client_id": None,
    "fullname": None,
    "cdr_api_token": None,
    "show_carrier_trunk_drop_only": True,
}
"""The seed's answer without what every installation has for itself."""

VARYING = {"passwd", "email", "last_login_time", "login_ip", "last_seen", "is_online"}


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
    assert (status, body["success"], list(body)) == (200, True, ["success", "payload"])
    assert {name: value for name, value in payload.items() if name not in VARYING} == USER
    assert len(payload) == 39
    assert payload["passwd"].startswith("$2b$12$")
    assert payload["email"] == "dnhai@example.com"
    assert payload["is_online"] == 2


async def test_an_agent_asks_for_its_own_registration_with_what_login_answered(server: Server) -> None:
    headers = await server.login("dnhai", "demo-agent-password")
    assert headers["X-User-Id"] == AGENT_UID
    assert (await server.registration(headers=headers)).status == 200
