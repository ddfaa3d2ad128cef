"""The registration info as bytes, and its entity tag."""

from __future__ import annotations

import json

import pytest

from service.domain.models import DeviceState, NotLive, Phone, Reading, WebSocketAddress
from service.domain.registration_info import registration
from service.settings import CallServer
from service.web.softphone.registration_cache import registration_etag
from tests.support.stored import stored_phone

KEY = b"k" * 32


def phone(endpoint: str = "12342", secret: str = "my$up3erP@ssw0rd") -> Phone:  # noqa: S107 - the seed's
    return stored_phone(endpoint, secret)


PHONE = phone()
SERVER = WebSocketAddress("main", "omni-asterisk.dev.rocket.chat", 443, "wss://omni-asterisk.dev.rocket.chat/ws")
IDLE = Reading(DeviceState.NOT_INUSE)


def test_the_answer_is_the_seeds_to_the_byte_and_in_its_order() -> None:
    assert registration(PHONE, SERVER, IDLE).body == (
        b'{"host":"omni-asterisk.dev.rocket.chat",'
        b'"callServerConfig":{"websocketPort":"443","websocketPath":"wss://omni-asterisk.dev.rocket.chat/ws"},'
        b'"extensionDetails":{"extension":"12342","password":"my$up3erP@ssw0rd","authtype":"password",'
        b'"state":"Not in use"}}'
    )


@pytest.mark.parametrize("state", DeviceState)
def test_every_state_is_told_in_asterisks_human_spelling(state: DeviceState) -> None:
    answer = json.loads(registration(PHONE, SERVER, Reading(state)).body)
    assert answer["extensionDetails"]["state"] == state.value


@pytest.mark.parametrize("secret", ['"', "\\", "é☎", "</script>", "\x7f"])
def test_any_secret_survives_json(secret: str) -> None:
    body = registration(phone(secret=secret), SERVER, IDLE).body
    assert json.loads(body)["extensionDetails"]["password"] == secret


def test_the_tag_changes_with_answer_liveness_and_key_and_with_nothing_else() -> None:
    def tag(phone: Phone = PHONE, server: WebSocketAddress = SERVER, reading: Reading = IDLE, key: bytes = KEY) -> str:
        return registration_etag(registration(phone, server, reading), key)

    others = [
        tag(phone(secret="other")),
        tag(stored_phone("1")),
        tag(server=WebSocketAddress("main", "host", 443, "wss://host/ws")),
        tag(reading=Reading(DeviceState.INUSE)),
        tag(reading=Reading(DeviceState.UNKNOWN)),
        tag(reading=Reading(DeviceState.UNKNOWN, NotLive.SILENT)),
        tag(key=b"x" * 32),
    ]
    assert len({tag(), *others}) == 1 + len(others)
    assert tag() == tag()
    assert tag(reading=Reading(DeviceState.UNKNOWN, NotLive.SILENT)) == tag(
        reading=Reading(DeviceState.UNKNOWN, NotLive.DISCONNECTED)
    )


@pytest.mark.parametrize(
    ("scheme", "port", "url"),
    [
        ("wss", 443, "wss://h/ws"), ("ws", 80, "ws://h/ws"), ("wss", 8089, "wss://h:8089/ws"),
        ("ws", 443, "ws://h:443/ws"), ("wss", 80, "wss://h:80/ws"),
    ],
)  # fmt: skip
def test_the_url_leaves_out_the_schemes_own_port_as_the_seed_does(scheme: str, port: int, url: str) -> None:
    server = CallServer.model_validate(
        {"host": "h", "websocket_port": port, "websocket_scheme": scheme, "ami_host": "h", "monitor_secret": "x"}
    )
    assert server.address("main") == WebSocketAddress("main", "h", port, url)
