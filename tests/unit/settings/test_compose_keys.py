"""Keys of SIP passwords in compose and `make run`: derived outside of the service's code, so compared with it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from local.plan import asterisk_keys
from service.domain.secret_keys import MasterKey, asterisk_setting
from service.settings import Settings
from tests.support.command_line import ROOT

KEY, OTHER = "a1" * 32, "B2" * 32
BOTH = asterisk_setting([MasterKey.parse(KEY), MasterKey.parse(OTHER)], "main")


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The step `secrets`, over folders of its own."""
    spec = importlib.util.spec_from_file_location("make_secrets", ROOT / "compose" / "make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    for consumer in {name for names in module.CONSUMERS.values() for name in names}:
        (tmp_path / consumer).mkdir()
    return module


def held(folder: Path) -> dict[str, str]:
    return {f"{file.parent.name}/{file.name}": file.read_text() for file in folder.glob("*/secrets_*")}


def test_asterisk_gets_the_derived_keys_and_only_the_service_and_the_owner_the_keys(
    step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step.main([]) == 0
    assert held(tmp_path) == {}
    monkeypatch.setenv("SECRETS_KEY", KEY)
    monkeypatch.setenv("SECRETS_PREVIOUS_KEY", OTHER)
    assert step.main([]) == 0
    assert held(tmp_path) == {
        "asterisk/secrets_keys": BOTH,
        **{f"{consumer}/secrets_key": KEY for consumer in ("migrate", "service", "collector")},
        **{f"{consumer}/secrets_previous_key": OTHER for consumer in ("migrate", "service", "collector")},
    }
    monkeypatch.delenv("SECRETS_PREVIOUS_KEY")
    assert step.main([]) == 0
    assert held(tmp_path)["asterisk/secrets_keys"] == BOTH.partition(",")[0]
    monkeypatch.delenv("SECRETS_KEY")
    assert step.main([]) == 0
    assert held(tmp_path) == {}
    told = "".join(capsys.readouterr())
    assert "secrets_key: given" in told
    assert [secret for secret in (KEY, OTHER, *BOTH.split(",")) if secret in told] == []


def test_nats_gets_both_passwords_and_each_user_its_own(
    step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUS_FOLLOWER_PASSWORD", "of,the=follower%")
    assert step.main([]) == 0
    collector = (tmp_path / "collector/bus_collector").read_text()
    assert (tmp_path / "service/bus_follower").read_text() == "of,the=follower%"
    assert not (tmp_path / "service/bus_collector").exists()
    assert not (tmp_path / "collector/bus_follower").exists()
    assert (tmp_path / "nats/passwords.conf").read_text() == (
        f'COLLECTOR_PASSWORD: "{collector}"\nFOLLOWER_PASSWORD: "of,the=follower%"\n'
    )
    monkeypatch.delenv("BUS_FOLLOWER_PASSWORD")
    assert step.main([]) == 0
    assert (tmp_path / "service/bus_follower").read_text() == "of,the=follower%"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SECRETS_KEY": "a1" * 31}, "SECRETS_KEY must have 64 hexadecimal digits"),
        ({"SECRETS_KEY": f"{KEY}\n"}, "SECRETS_KEY must have 64 hexadecimal digits"),
        ({"SECRETS_KEY": KEY, "SECRETS_PREVIOUS_KEY": "x" * 64}, "SECRETS_PREVIOUS_KEY must have 64"),
        ({"SECRETS_PREVIOUS_KEY": KEY}, "SECRETS_PREVIOUS_KEY is given without SECRETS_KEY"),
    ],
)
def test_a_key_that_cannot_be_one_changes_nothing(
    step: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
    told: str,
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert step.main([]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert [value for value in given.values() if value in error] == []
    assert list(tmp_path.glob("*/*")) == []


def test_make_run_derives_the_same_for_its_asterisk(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{OTHER}\n")
    given = {"CONNECTOR_SECRETS_KEY": KEY, "CONNECTOR_SECRETS_PREVIOUS_KEY_FILE": str(tmp_path / "key")}
    assert asterisk_keys(given, "main") == BOTH
    assert asterisk_keys({}, "main") == ""
    assert asterisk_keys({"CONNECTOR_SECRETS_KEY": "no key"}, "main") == ""


def test_the_service_reads_the_files_that_the_step_writes(
    step: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRETS_KEY", KEY)
    monkeypatch.setenv("SECRETS_PREVIOUS_KEY", OTHER)
    assert step.main([]) == 0
    files = {f"{name}_file": tmp_path / "service" / name for name in ("secrets_key", "secrets_previous_key")}
    settings = Settings.model_validate(files)
    assert asterisk_setting(settings.secret_keys, "main") == BOTH
