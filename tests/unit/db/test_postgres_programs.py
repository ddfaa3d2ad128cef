"""Which of PostgreSQL's programs a backup runs, and what it says of those that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.db import postgres_programs
from service.db.postgres_programs import find, first_error
from service.errors import ConfigurationError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the folders `bin`, on PATH, and `debian`."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setattr(postgres_programs, "DEBIANS", tmp_path / "debian")
    monkeypatch.setattr("shutil.which", lambda name: _on_path(tmp_path / "bin" / name))
    return tmp_path


def _on_path(path: Path) -> str | None:
    return str(path) if path.exists() else None


def install(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
    path.chmod(0o755)
    return path


async def test_the_program_on_path_is_taken_if_it_is_new_enough(machine: Path) -> None:
    path = install(machine / "bin/pg_dump", "17.2 (Debian 17.2-1)")
    install(machine / "debian/18/bin/pg_dump", "18.0")
    assert (await find("pg_dump", 17)).path == path


async def test_else_debians_newest(machine: Path) -> None:
    install(machine / "bin/pg_dump", "15.9")
    install(machine / "debian/9/bin/pg_dump", "9.6.24")
    path = install(machine / "debian/17/bin/pg_dump", "17.2")
    found = await find("pg_dump", 16)
    assert (found.path, found.major) == (path, 17)


async def test_one_that_is_too_old_is_named_with_the_package_that_helps(machine: Path) -> None:
    path = install(machine / "bin/pg_dump", "15.9")
    with pytest.raises(ConfigurationError) as raised:
        await find("pg_dump", 17)
    assert f"{path} has version 15, and version 17 is needed" in str(raised.value)
    assert "postgresql-client-17" in str(raised.value)


async def test_a_machine_without_any_is_told_so(machine: Path) -> None:
    (machine / "bin").mkdir()
    (machine / "bin/pg_dump").write_text("not a program")
    with pytest.raises(ConfigurationError, match="there is no pg_dump on PATH: install"):
        await find("pg_dump", 15)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("pg_dump: warning: x\npg_dump: error: connection failed\nmore", "connection failed"),
        ('pg_restore: error: COPY: ERROR:  invalid value: "secret"\nDETAIL: "secret"', "COPY: ERROR:  invalid value"),
        ("Segmentation fault", "it did not say why"),
        ("", "it did not say why"),
    ],
)  # fmt: skip
def test_the_first_error_is_told_without_the_value_that_it_quotes(said: str, error: str) -> None:
    assert first_error(said) == error
