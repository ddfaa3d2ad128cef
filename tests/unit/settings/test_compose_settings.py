"""Every setting reaches the service from `.env`, or is refused there; none is ignored silently. Without Docker."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from service.settings import PREFIX, CallServer, Settings
from tests.support.command_line import ROOT

MAIN = f"{PREFIX}CALL_SERVERS__MAIN__"
COMPOSE = (ROOT / "docker-compose.yml").read_text()
PRODUCTION = (ROOT / "docker-compose.prod.yml").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
CHECK = ROOT / "compose" / "check_settings.py"

SETTINGS = {
    *(PREFIX + name.upper() for name in Settings.model_fields if name != "call_servers"),
    *(MAIN + name.upper() for name in CallServer.model_fields),
}
PASSED = set(re.findall(rf"^  +({PREFIX}\w+):$", COMPOSE, re.MULTILINE))
"""Those that `docker-compose.yml` hands on as they are given."""
REFUSED = set(re.findall(rf"\$\{{({PREFIX}\w+):\+\1\}}", COMPOSE))
"""Those of which it tells the step `settings` that they are given."""
SECRETS = {name for name in SETTINGS if name.endswith(("SECRET", "PASSWORD"))}
TOLD = dict(re.findall(rf"^#({PREFIX}\w+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_every_setting_is_handed_on_or_refused() -> None:
    """A new setting belongs in `x-settings` of docker-compose.yml, without a value, and in .env.example."""
    assert set() == SETTINGS - PASSED - REFUSED
    assert set() == PASSED & REFUSED
    assert set() == PASSED - SETTINGS
    assert {f"{name}_FILE" for name in SECRETS & REFUSED} <= REFUSED


def test_the_example_lists_what_is_handed_on_with_its_default() -> None:
    assert set(TOLD) == PASSED
    fields = {PREFIX + name.upper(): field for name, field in Settings.model_fields.items()}
    fields |= {MAIN + name.upper(): field for name, field in CallServer.model_fields.items()}
    for name, value in TOLD.items():
        default = fields[name].default
        if default not in (None, []):
            assert value == (str(default).lower() if isinstance(default, bool) else f"{default}".removesuffix(".0"))


def test_the_example_lists_every_other_variable_of_the_project() -> None:
    overlay = (ROOT / "docker-compose.tls.yml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE + PRODUCTION + overlay))
    used |= set(re.findall(r"^      ([A-Z_]+):$", COMPOSE, re.MULTILINE)) | {"COMPOSE_FILE"}
    used -= {"COMPOSE_PROJECT_NAME", "COMPOSE_ENV_FILES"}
    assert {name for name in used if not name.startswith(PREFIX)} == set(
        re.findall(r"^#((?!CONNECTOR_)[A-Z_]+)=", EXAMPLE, re.MULTILINE)
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"GIVEN": " ".join(sorted(REFUSED))}, [f"{name}: compose sets it: " for name in sorted(REFUSED)]),
        (
            {"UNUSED": "HTTP_PORT SUBNET"},
            [f"{name}: docker-compose.prod.yml does not" for name in ("HTTP_PORT", "SUBNET")],
        ),
        ({"CONNECTOR_WORKRES": "2"}, ["CONNECTOR_WORKRES: there is no such setting"]),
        ({"CONNECTOR_WORKERS": "many"}, ["CONNECTOR_WORKERS: "]),
        ({"CONNECTOR_CALL_SERVERS__EAST__HOST": "h"}, ["CONNECTOR_CALL_SERVERS__EAST__HOST: further call servers"]),
        ({f"{MAIN}NONSENSE": "x"}, [f"{MAIN}NONSENSE: "]),
        ({"CONNECTOR_JWT_SECRET": "hunter2"}, ["jwt_secret has less than 32 bytes"]),
        ({"CONNECTOR_SHUTDOWN_DEADLINE": "11"}, ["STOP_GRACE_PERIOD: 20s is not 10 s more"]),
        ({"CONNECTOR_SHUTDOWN_DEADLINE": "70", "STOP_GRACE_PERIOD": "1m20s"}, []),
        ({"STOP_GRACE_PERIOD": "soon"}, ["STOP_GRACE_PERIOD: 'soon' is no duration"]),
        ({}, []),
    ],
)
def test_what_would_be_ignored_is_told_by_name(given: dict[str, str], told: list[str]) -> None:
    """The step `settings`, with the environment that compose gives it."""
    main = {f"{MAIN}{name}": "x" for name in ("HOST", "AMI_HOST", "MONITOR_SECRET")}
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "STOP_GRACE_PERIOD": "20s", **main, **given}
    done = subprocess.run([sys.executable, CHECK], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if told else 0), done.stderr
    lines = done.stderr.splitlines()[1:]
    assert len(lines) == len(told)
    for line, start in zip(lines, told, strict=True):
        assert start in line
    assert "hunter2" not in done.stderr
