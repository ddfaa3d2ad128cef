"""The sections of docs/existing-pbx.md, every command as it stands there, from a running PBX to a live phone."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import ports
from local.baresip import Phone
from local.postgres import Postgres
from tests.support.command_line import ROOT
from tests.support.database import FAST, scratch
from tests.support.documents import BASE, blocks
from tests.support.eventually import wait_until
from tests.support.existing import mikopbx
from tests.support.existing.common import own_accounts
from tests.support.existing.freepbx import freepbx
from tests.support.existing.handwritten import vanilla
from tests.support.existing.pbx import ExistingPbx, existing
from tests.support.existing.shape import Shape
from tests.support.shell import Shell

PAGE = "docs/existing-pbx.md"
TEN_MINUTES = 600.0
EXPOSING = re.compile(r"^noload = func_\w+\.so\n", re.MULTILINE)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL of its own, because the page creates roles."""
    with Postgres(scratch(tmp_path) / "postgres", options=FAST) as server:
        yield server


def before_the_page(shape: Shape) -> Shape:
    """The PBX before an operator reads the page: without our accounts, with every module."""
    accounts = own_accounts(shape.accounts)
    for name in ("manager.conf", "manager_custom.conf"):
        if name in shape.files:
            shape.files[name] = shape.files[name].replace(accounts, "")
    shape.files["modules.conf"] = EXPOSING.sub("", shape.files["modules.conf"])
    return shape


class Operator:
    """Somebody who follows the page, with their PBX and their PostgreSQL at addresses of their own."""

    def __init__(self, pbx: ExistingPbx, cluster: Postgres, folder: Path) -> None:
        self.started = time.monotonic()
        self._pbx = pbx
        port = ports.free_port()
        self._replaced = {
            "/etc/asterisk/": f"{pbx.conf('asterisk.conf').parent}/",
            "127.0.0.1:5432": f"127.0.0.1:{cluster.port}",
            "AMI_PORT=5038": f"AMI_PORT={pbx.asterisk.config.ami_port}",
            BASE: f"http://127.0.0.1:{port}",
        }
        programs = folder / "bin"
        programs.mkdir()
        assert pbx.asterisk._programs is not None
        _program(programs / "asterisk", [*pbx.asterisk._programs.command, "-C", str(pbx.conf("asterisk.conf"))])
        _program(programs / "python", [sys.executable])
        _program(programs / "python3", [sys.executable])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}
        environment |= {"PATH": f"{programs}:{environment['PATH']}", "PYTHONPATH": str(ROOT)}
        self.shell = Shell(folder, environment | {"CONNECTOR_HTTP_PORT": str(port)})
        for block in blocks(PAGE, "sql"):
            for statement in block.split(";\n"):
                if statement.strip():
                    cluster.sql(statement)

    def follow(self, found: list[str]) -> list[str]:
        """Run blocks of the page; returns what each printed."""
        return [self.shell.run(self._here(block)) for block in found]

    def _here(self, block: str) -> str:
        for theirs, ours in self._replaced.items():
            block = block.replace(theirs, ours)
        return block

    def phone(self, answer: dict[str, Any]) -> Phone:
        """A phone that has what the answer says, and nothing else."""
        details = answer["extensionDetails"]
        name = details.get("authUsername", details["extension"])
        port = self._pbx.asterisk.config.sip_port
        return Phone(details["extension"], details["password"], "127.0.0.1", port, auth_username=name)

    def is_live(self, ask: str, state: str) -> None:
        """Wait until the page's last command answers this state."""
        wait_until(lambda: _answer(self.follow([ask])[0])["extensionDetails"]["state"] == state, 20, state)


def _program(path: Path, command: list[str]) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


def _answer(printed: str) -> dict[str, Any]:
    """The registration info in what a block printed last."""
    answer: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return answer


def live_phone(operator: Operator, steps: list[str]) -> dict[str, Any]:
    """Follow all steps, register a phone with the answer of the last one, and see its state."""
    with operator.shell:
        answer = _answer(operator.follow(steps)[-1])
        ask = steps[-1]
        operator.is_live(ask, "Unavailable")
        with operator.phone(answer) as phone:
            phone.wait_registered()
            operator.is_live(ask, "Not in use")
            assert time.monotonic() - operator.started < TEN_MINUTES
        operator.is_live(ask, "Unavailable")
    return answer


def test_freepbx_from_a_running_pbx_to_a_live_phone(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, cluster: Postgres
) -> None:
    steps = blocks(PAGE, heading="FreePBX")
    assert len(steps) == 9
    with existing(tmp_path_factory, before_the_page(freepbx())) as pbx:
        answer = live_phone(Operator(pbx, cluster, tmp_path), steps)
    assert answer["host"] == "pbx.example.com"
    assert answer["extensionDetails"]["extension"] == "991001"  # the WebRTC phone of 1001


def test_mikopbx_is_started_with_the_lines_that_the_page_adds() -> None:
    """`check` is green on it, and was not without them: test_check.py."""
    assert mikopbx.ADDED in blocks(PAGE, "", "MikoPBX")


def test_vanilla_from_a_running_pbx_to_a_live_phone(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, cluster: Postgres
) -> None:
    """As the page says, the last two steps are FreePBX's, with another number."""
    steps = blocks(PAGE, heading="Vanilla")
    assert len(steps) == 5
    steps += [block.replace("assign 1001", "assign 1005") for block in blocks(PAGE, heading="FreePBX")[-2:]]
    with existing(tmp_path_factory, before_the_page(vanilla())) as pbx:
        answer = live_phone(Operator(pbx, cluster, tmp_path), steps)
    assert answer["extensionDetails"]["extension"] == "alice"
    assert answer["extensionDetails"]["authUsername"] == "alice-login"
