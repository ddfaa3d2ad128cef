"""`make run` in folders of its own, and what a user can see of it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local import asterisk, demo_data, ports
from local.baresip import Phone
from local.cache import cache_dir
from local.http_client import Answer, request
from service.cli.demo import SIP_PASSWORD
from tests.e2e import processes
from tests.e2e.program import ROOT, Program
from tests.support.eventually import wait_until

READY_WITHIN_S = 90.0
HEALED_WITHIN_S = 30.0
IN_TIME_S = 14.0
"""Seconds within which an event is seen: before the service tries a device without a state again."""
ADMIN = {"X-Auth-Token": demo_data.ADMIN_TOKEN, "X-User-Id": demo_data.ADMIN_UID}
SERVERS = {"postgres": "listen_addresses", "asterisk": "sbin/asterisk", "service": "service serve"}
"""What stands in the command line of each."""


@dataclass
class Run:
    """`temporary` holds its temporary files: other users must be able to enter it."""

    data: Path
    temporary: Path
    http_port: int = field(default_factory=ports.free_port)
    cors_origins: tuple[str, ...] = ()
    root: Path = ROOT
    """The working tree."""

    @property
    def base(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.http_port}"

    def environment(self) -> dict[str, str]:
        """The user's shell: this environment's programs and packages, but nothing of the test runner's."""
        self.temporary.mkdir(exist_ok=True)
        foreign = ("MAKE", "MFLAGS", "CONNECTOR_", "PYTEST_", "PG")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return kept | {
            "PYTHON": sys.executable,
            "VENV": sys.prefix,
            "CACHE_DIR": str(cache_dir()),
            "DATA_DIR": str(self.data),
            "HTTP_PORT": str(self.http_port),
            "CONNECTOR_CORS_ORIGINS": json.dumps(self.cors_origins),
            "TMPDIR": str(self.temporary),
        }

    def start(self) -> Program:
        """`make run`, not ready yet."""
        return self.program("make", "run")

    def program(self, *command: str) -> Program:
        """A command on a terminal of its own."""
        return Program(command, self.environment(), self.root)

    def ready(self, program: Program, within_s: float = READY_WITHIN_S) -> None:
        """Wait for its own word."""
        program.prints(f"^ready: {self.base}$", within_s)
        program.prints("^Ctrl-C stops everything", 20)

    def make(self, target: str, *, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """A target that ends by itself, to its end."""
        command = ["make", target, *(f"{name}={value}" for name, value in variables.items())]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment(),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def try_cli(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """`make cli` with arguments."""
        return self.make("cli", ARGS=shlex.join(arguments), given=given)

    def cli(self, *arguments: str, given: str = "") -> str:
        """What `make cli` prints, when it succeeds."""
        done = self.try_cli(*arguments, given=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def bash(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A script as one would paste it into a shell."""
        command = ["bash", "-euo", "pipefail", "-c", script]
        environment = self.environment() | variables
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    def request(self, method: str, path: str, **options: Any) -> Answer:
        return request(self.http_port, method, path, **options)

    def login(self, name: str, password: str) -> dict[str, str]:
        """The two headers of somebody who logs in."""
        answer = self.request("POST", "/api/v1/login", body={"user": name, "password": password})
        assert answer.status == HTTPStatus.OK, answer.text
        data = json.loads(answer.text)["data"]
        return {"X-Auth-Token": data["authToken"], "X-User-Id": data["userId"]}

    def registration(self, uid: str = demo_data.AGENT_UID, headers: Mapping[str, str] = ADMIN) -> Answer:
        return self.request("GET", f"{demo_data.REGISTRATION_PATH}?id={uid}", headers=headers)

    def user(self, user_id: int = demo_data.AGENT_USER_ID) -> Answer:
        return self.request("GET", f"/v1//user/{user_id}", headers=ADMIN)

    def line(self, uid: str = demo_data.AGENT_UID) -> tuple[str, bool]:
        """The state of somebody's extension, and whether it is live."""
        answer = self.registration(uid)
        assert answer.status == HTTPStatus.OK, answer.text
        return json.loads(answer.text)["extensionDetails"]["state"], answer.headers["x-state-live"] == "true"

    def shows(
        self, state: str, within_s: float = HEALED_WITHIN_S, *, live: bool = True, uid: str = demo_data.AGENT_UID
    ) -> None:
        """Wait until the state is this one. A service that is away meanwhile is waited for."""

        def there() -> bool:
            try:
                return self.line(uid) == (state, live)
            except (OSError, AssertionError):
                return False

        wait_until(there, within_s, f"the state is {state}, live is {live}")

    def phone(self, extension: str = demo_data.AGENT_EXTENSION, password: str = SIP_PASSWORD) -> Phone:
        """A phone that is not started yet."""
        return Phone(extension, password, ports.LOOPBACK, self._chosen()["sip"])

    def taken_ports(self) -> list[int]:
        """Those that somebody has taken, of all that it may have chosen."""
        chosen = self._chosen()
        media = range(chosen["rtp"], chosen["rtp"] + asterisk.RTP_PORTS)
        return [port for port in (self.http_port, *chosen.values(), *media) if not ports.is_free(port)]

    def _chosen(self) -> dict[str, int]:
        return dict(json.loads((self.data / "ports.json").read_text()))

    def secrets(self) -> dict[str, str]:
        """All that it made at random and nobody may read."""
        made = json.loads((self.data / "secrets.json").read_text())
        return {**made, "superuser": (self.data / "postgres/superuser-password").read_text()}


def supervisor(program: Program) -> int:
    """The pid of the process that has started the three."""
    (pid,) = (pid for pid, line in processes.below(program.pid).items() if line.endswith("-m local.run"))
    return pid


def server(program: Program, name: str) -> int:
    """The pid of one of the three that a run has started."""
    found = [pid for pid, line in processes.below(program.pid).items() if re.search(SERVERS[name], line)]
    assert len(found) == 1, (name, processes.below(program.pid))
    return found[0]


def printed_lines(program: Program) -> list[str]:
    """What it tells one to try."""
    announced = program.printed.partition("Try, in another terminal:")[2].partition("Ctrl-C stops everything.")[0]
    return [line.strip() for line in announced.splitlines() if line.strip()]
