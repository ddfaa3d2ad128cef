"""The registration info as bytes, and its entity tag."""

from __future__ import annotations

import json

import pytest

from service.domain.models import DeviceState, Extension, NotLive, Reading, WebSocketAddress
from service.domain.registration_info import registration
from service.settings import CallServer
from service.web.softphone.registration_cache import registration_etag

KEY = b"k" * 32


def extension(number: str = "12342", secret: str = "my$up3erP@ssw0rd") -> Extension:  # noqa: S107 - the seed's
    return Extension(number, "main", secret, enabled=True, user_id=1795)


EXTENSION = extension()
SERVER = WebSocketAddress("main", "omni-asterisk.dev.rocket.chat", 443, "wss://omni-asterisk.dev.rocket.chat/ws")
IDLE = Reading(DeviceState.NOT_INUSE)


def test_the_answer_is_the_seeds_to_the_byte_and_in_its_order() -> None:
    assert registration(EXTENSION, SERVER, IDLE).body == (
        b'{"host":"omni-asterisk.dev.rocket.chat",'
        b'"callServerConfig":{"websocketPort":"443","websocketPath":"wss://omni-asterisk.dev.rocket.chat/ws"},'
        b'"extensionDetails":{"extension":"12342","password":"my$up3erP@ssw0rd","authtype":"password",'
        b'"state":"Not in use"}}'
    )


@pytest.mark.parametrize("state", DeviceState)
def test_every_state_is_told_in_asterisks_human_spelling(state: DeviceState) -> None:
    answer = json.loads(registration(EXTENSION, SERVER, Reading(state)).body)
    assert answer["extensionDetails"]["state"] == state.value


@pytest.mark.parametrize("secret", ['"', "\\", "é☎", "</script>", "\x7f"])
def test_any_secret_survives_json(secret: str) -> None:
    body = registration(extension(secret=secret), SERVER, IDLE).body
    assert json.loads(body)["extensionDetails"]["password"] == secret


def test_the_tag_changes_with_answer_liveness_and_key_and_with_nothing_else() -> None:
    def tag(
        extension: Extension = EXTENSION, server: WebSocketAddress = SERVER, reading: Reading = IDLE, key: bytes = KEY
    ) -> str:
        return registration_etag(registration(extension, server, reading), key)

    others = [
        tag(extension(secret="other")),
        tag(extension("1")),
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
