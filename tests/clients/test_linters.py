"""Spectral and Redocly say nothing of the description but what is excused here, each with its reason."""

from __future__ import annotations

import json
from pathlib import Path

from tests.clients.conftest import run_node

EXCUSED = {
    "info-contact": "who runs the service is known to the operator, not to the description",
    "info-license": "a client needs no licence to call it",
}


def unexpected(rules: list[str]) -> list[str]:
    return [rule for rule in rules if rule not in EXCUSED]


async def test_spectral_finds_nothing(description: Path, modules: Path, tmp_path: Path) -> None:
    (tmp_path / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')
    cli = modules / "@stoplight/spectral-cli/dist/index.js"
    command = ("lint", description, "--ruleset", ".spectral.yaml", "--format", "json", "--quiet", "--fail-severity")
    found = json.loads(await run_node(cli, *command, "error", folder=tmp_path))
    assert unexpected([each["code"] for each in found]) == []


async def test_redocly_finds_nothing(description: Path, modules: Path, tmp_path: Path) -> None:
    cli = modules / "@redocly/cli/bin/cli.js"
    found = json.loads(await run_node(cli, "lint", "--format=json", description, folder=tmp_path))
    assert unexpected([each["ruleId"] for each in found["problems"]]) == []
