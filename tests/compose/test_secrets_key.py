"""Encrypted SIP passwords in compose: who gets which key, and that phones register while it is on."""

from __future__ import annotations

from service.domain.secret_keys import MasterKey, asterisk_setting
from tests.compose.docker import docker
from tests.compose.project import SERVERS, Project

KEY = MasterKey.parse("5a" * 32)


def test_a_key_in_env_encrypts_and_asterisk_gets_only_what_follows_from_it(demo: Project) -> None:
    with demo.given(SECRETS_KEY=KEY.key.hex()):
        demo.up()
        done = demo.compose("run", "--rm", "migrate", "secrets", "rekey")
        assert f"are encrypted with key {KEY.name}" in done
        assert demo.secrets("service")["secrets_key"] == KEY.key.hex()
        held = demo.secrets("asterisk")
        assert held["secrets_keys"] == asterisk_setting([KEY], "main")
        assert [name for name, secret in held.items() if KEY.key.hex() in secret] == []
        told = demo.logs() + docker("inspect", *(f"{demo.name}-{name}-1" for name in (*SERVERS, "migrate")))
        assert KEY.key.hex() not in told
        assert KEY.derive("main").hex() not in told
        assert demo.command("check").count(f"encrypted with key {KEY.name}") == 1
        demo.replay()
        done = demo.compose("run", "--rm", "migrate", "secrets", "rekey", "--plain")
        assert "are stored in plain text" in done
    demo.up()
    assert {name for server in SERVERS for name in demo.secrets(server) if name.startswith("secrets_")} == set()
    demo.replay()
