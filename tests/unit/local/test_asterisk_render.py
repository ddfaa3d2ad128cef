"""asterisk/render: what goes into Asterisk's files, and what is refused."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from local.asterisk_programs import TEMPLATES

RENDER = TEMPLATES / "render"


def render(source: Path, target: Path, parameters: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.defpath, **parameters}
    return subprocess.run(
        [RENDER, source, target], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.conf").write_text("secret = @SECRET@\nboth = @SECRET@:@SECRET@ ; @not a name@ ${X}\ndir = @LOG_DIR@\n")
    return folder


GOOD = {"SECRET": "a-_b", "LOG_DIR": "/var/log/x"}


def test_every_name_is_replaced_and_the_rest_is_kept(source: Path, tmp_path: Path) -> None:
    done = render(source, tmp_path / "out", GOOD)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out/a.conf").read_text()
    assert text == "secret = a-_b\nboth = a-_b:a-_b ; @not a name@ ${X}\ndir = /var/log/x\n"


def test_rendered_files_are_for_their_owner_only(source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "out", GOOD)
    assert (tmp_path / "out/a.conf").stat().st_mode & 0o777 == 0o600


def test_a_value_with_awk_and_sed_metacharacters_is_taken_literally(source: Path, tmp_path: Path) -> None:
    assert render(source, tmp_path / "out", {**GOOD, "LOG_DIR": r"/a&b\1 c"}).returncode == 0
    assert "dir = /a&b\\1 c\n" in (tmp_path / "out/a.conf").read_text()


def test_a_secret_may_come_from_a_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-file\n")
    parameters = {"LOG_DIR": "/x", "SECRET_FILE": str(tmp_path / "secret")}
    assert render(source, tmp_path / "out", parameters).returncode == 0
    assert "secret = from-file\n" in (tmp_path / "out/a.conf").read_text()


@pytest.mark.parametrize("value", ["", "a;b", "a b", "a\nb = c", "a\rb", 'a"b', "a\\b", "a'b", ">a", "a$b", "é"])
def test_a_value_that_could_be_more_than_a_value_is_refused(source: Path, tmp_path: Path, value: str) -> None:
    done = render(source, tmp_path / "out", {**GOOD, "SECRET": value})
    assert done.returncode == 65
    assert "SECRET" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["", "relative", "/a;b", "/a\nb"])
def test_a_directory_that_is_none_is_refused(source: Path, tmp_path: Path, value: str) -> None:
    assert render(source, tmp_path / "out", {**GOOD, "LOG_DIR": value}).returncode == 65


def test_a_refusal_does_not_repeat_the_secret(source: Path, tmp_path: Path) -> None:
    done = render(source, tmp_path / "out", {**GOOD, "SECRET": "hunter2;"})
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "given", [{}, {"EXTRA": ""}, {"EXTRA_FILE": ""}, {"EXTRA_FILE": "/nowhere"}, {"EXTRA_FILE": "/dev/null"}]
)
def test_a_template_that_needs_a_value_is_left_out_without_it(
    source: Path, tmp_path: Path, given: dict[str, str]
) -> None:
    (source / "extra.conf").write_text(";@needs EXTRA\nsecret = @EXTRA@\n")
    assert render(source, tmp_path / "out", {**GOOD, "EXTRA": "x"}).returncode == 0
    assert (tmp_path / "out/extra.conf").read_text() == ";@needs EXTRA\nsecret = x\n"
    done = render(source, tmp_path / "out", {**GOOD, **given})
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "out/extra.conf").exists()
    assert render(source, tmp_path / "out", {**GOOD, "EXTRA": "a;b"}).returncode == 65


def test_the_account_that_equals_a_shell_is_there_only_when_it_is_asked_for() -> None:
    assert "[sync]" not in (TEMPLATES / "etc/manager.conf").read_text()
    assert (TEMPLATES / "etc/manager_sync.conf").read_text().startswith(";@needs SYNC_SECRET\n")


def test_modules_that_let_ami_read_secrets_are_not_loaded() -> None:
    loaded = set(re.findall(r"^load = (\S+)\.so", (TEMPLATES / "etc/modules.conf").read_text(), re.MULTILINE))
    dangerous = {"func_sorcery", "func_config", "func_realtime", "func_shell", "func_env", "func_curl", "app_system"}
    assert loaded.isdisjoint(dangerous)
