"""Settings in files: systemd's environment files and credentials."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service import settings
from service.cli import packaged
from service.errors import ConfigurationError
from service.settings import files


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any setting, that is put back whatever `load` adds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
    monkeypatch.setattr(os, "environ", kept)
    return monkeypatch


def read(folder: Path, text: str) -> dict[str, str]:
    (file := folder / "connector.env").write_text(text, encoding="utf-8")
    return files.environment_file(file)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=value", "value"),
        ("  NAME=value  ", "value"),
        ("NAME=", ""),
        ("NAME=two words # no comment", "two words # no comment"),
        ('NAME="two words"', "two words"),
        ("NAME='two words'", "two words"),
        (r'NAME="a \"quote\", a \\ and a \n"', r'a "quote", a \ and a \n'),
        ('NAME=["10.0.0.0/8", "::1"]', '["10.0.0.0/8", "::1"]'),
        (r"NAME=a\ b", "a b"),
        ("NAME=a=b;c", "a=b;c"),
        ("NAME=Zoë", "Zoë"),
    ],
)
def test_a_line_is_read_as_systemd_does(tmp_path: Path, line: str, value: str) -> None:
    assert read(tmp_path, f"# a comment\n; another\n\n{line}\n") == {"NAME": value}


@pytest.mark.parametrize("line", ["NAME", "=value", 'NAME="open', "NAME='open", "NAME=more\\", 'NAME="a"b', "1=2"])
def test_a_line_that_cannot_be_read_is_named_without_its_text(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"connector\.env, line 2: NAME=VALUE is needed, on one line$"):
        read(tmp_path, f"A=b\n{line}\n")


def test_credentials_are_secrets_of_their_settings(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setitem(os.environ, "CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "secrets_DATABASE_PASSWORD").write_text("one\n")
    (tmp_path / "secrets_CALL_SERVERS__MAIN__MONITOR_SECRET").write_text("two\n")
    (tmp_path / "owner-secrets_OWNER_DATABASE_PASSWORD").write_text("three\n")
    (tmp_path / "secrets_DATABASE_PASSWORD~").write_text("an editor's copy\n")
    (tmp_path / "other_JWT_SECRET").write_text("somebody else's\n")
    for name in ("HOST", "AMI_HOST"):
        environment.setitem(os.environ, f"CONNECTOR_CALL_SERVERS__MAIN__{name}", "pbx.example.com")
    made = settings.load()
    found = (made.database_password, made.call_servers["main"].monitor_secret, made.owner_database_password)
    assert [secret and secret.get_secret_value() for secret in found] == ["one", "two", "three"]
    assert made.jwt_secret is None


def test_a_credential_of_no_setting_is_a_mistake(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setitem(os.environ, "CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "secrets_DATABASE_PASWORD").write_text("one\n")
    with pytest.raises(ConfigurationError, match="CONNECTOR_DATABASE_PASWORD_FILE: there is no such setting"):
        settings.load()


def test_a_secret_in_the_environment_and_in_a_credential_is_a_mistake(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setitem(os.environ, "CREDENTIALS_DIRECTORY", str(tmp_path))
    environment.setitem(os.environ, "CONNECTOR_DATABASE_PASSWORD", "two")
    (tmp_path / "secrets_DATABASE_PASSWORD").write_text("one\n")
    with pytest.raises(ConfigurationError, match="both database_password and database_password_file are given"):
        settings.load()


def test_the_package_reads_its_folder(tmp_path: Path) -> None:
    (tmp_path / "connector.env").write_text("CONNECTOR_HTTP_PORT=8081\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/JWT_SECRET").touch()
    (tmp_path / "secrets/.JWT_SECRET.swp").touch()
    assert packaged.packaged_settings(tmp_path) == {
        "CONNECTOR_HTTP_PORT": "8081",
        "CONNECTOR_JWT_SECRET_FILE": str(tmp_path / "secrets/JWT_SECRET"),
    }


@pytest.fixture
def without_access(environment: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A user who cannot read the package's folder: here there is nothing in it."""
    environment.setattr(packaged, "ETC", tmp_path)
    return environment


def test_a_folder_that_cannot_be_read_stops_a_command(
    without_access: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    without_access.setattr("sys.argv", ["asterisk-connector", "check"])
    assert packaged.main() == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/connector.env cannot be read: ")


@pytest.mark.parametrize("arguments", [["check", "--help"], ["--version"]], ids=" ".join)
def test_everybody_may_read_the_help(
    without_access: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    without_access.setattr("sys.argv", ["asterisk-connector", *arguments])
    with pytest.raises(SystemExit, match=r"^0$"):
        packaged.main()
    assert "asterisk-connector" in capsys.readouterr().out
