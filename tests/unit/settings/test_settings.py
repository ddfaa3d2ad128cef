"""Settings from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service import settings
from service.errors import ConfigurationError

SERVER = {"HOST": "h", "AMI_HOST": "h", "MONITOR_SECRET": "s"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting."""
    for name in [name for name in os.environ if name.startswith("CONNECTOR_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def set_all(environment: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        environment.setenv(f"CONNECTOR_{name}", value)


def test_nothing_needs_to_be_set(environment: pytest.MonkeyPatch) -> None:
    made = settings.load()
    assert (made.http_host, made.http_port, made.call_servers) == ("127.0.0.1", 8080, {})


def test_call_servers_are_named_by_their_variables(environment: pytest.MonkeyPatch) -> None:
    for server in ("MAIN", "SECOND"):
        set_all(environment, **{f"CALL_SERVERS__{server}__{name}": value for name, value in SERVER.items()})
    assert sorted(settings.load().call_servers) == ["main", "second"]


def test_a_secret_file_is_read_without_the_newline_at_its_end(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("first line\nsecond \r\n")
    set_all(environment, DATABASE_PASSWORD_FILE=str(tmp_path / "one"))
    set_all(environment, **{f"CALL_SERVERS__MAIN__{name}": value for name, value in SERVER.items()})
    environment.delenv("CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET")
    set_all(environment, CALL_SERVERS__MAIN__MONITOR_SECRET_FILE=str(tmp_path / "one"))
    made = settings.load()
    assert made.database_password is not None
    assert made.database_password.get_secret_value() == "first line\nsecond "
    secret = made.call_servers["main"].monitor_secret
    assert secret is not None
    assert secret.get_secret_value() == "first line\nsecond "


def test_an_empty_file_variable_counts_as_none(environment: pytest.MonkeyPatch) -> None:
    set_all(environment, DATABASE_PASSWORD="x", DATABASE_PASSWORD_FILE="")
    assert settings.load().database_password is not None


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"DATABASE_PASSWORD": "x", "DATABASE_PASSWORD_FILE": "/x"}, "both database_password and"),
        ({"DATABASE_PASSWORD_FILE": "/nowhere"}, "/nowhere cannot be read"),
        ({"NONSENSE": "x"}, "CONNECTOR_NONSENSE: there is no such setting"),
        ({"CALL_SERVERS__MAIN__HOST": "h"}, "CONNECTOR_CALL_SERVERS__MAIN__AMI_HOST: Field required"),
        ({"HTTP_PORT": "0"}, "CONNECTOR_HTTP_PORT: "),
        ({"TOKEN_DAYS": "0"}, "CONNECTOR_TOKEN_DAYS: "),
        ({"TOKEN_DAYS": "nan"}, "CONNECTOR_TOKEN_DAYS: "),
        ({"DATABASE_DEADLINE": "nan"}, "CONNECTOR_DATABASE_DEADLINE: "),
        ({"DATABASE_DEADLINE": "inf"}, "CONNECTOR_DATABASE_DEADLINE: "),
        ({"BODY_LIMIT": "10"}, "CONNECTOR_BODY_LIMIT: "),
        ({"TLS_KEY_FILE": "/x"}, "CONNECTOR_: tls_key_file is given without tls_certificate_file"),
        ({"SECRETS_KEY": "ab"}, "CONNECTOR_SECRETS_KEY: "),
    ],
)
def test_a_mistake_is_named(environment: pytest.MonkeyPatch, values: dict[str, str], what: str) -> None:
    set_all(environment, **values)
    with pytest.raises(ConfigurationError) as told:
        settings.load()
    assert what in str(told.value)


def test_a_directory_or_noise_for_a_secret_is_a_mistake(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\xff\xfe")
    for path in (tmp_path, tmp_path / "noise"):
        set_all(environment, DATABASE_PASSWORD_FILE=str(path))
        with pytest.raises(ConfigurationError, match="cannot be read"):
            settings.load()
