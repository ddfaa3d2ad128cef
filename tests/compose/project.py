"""A compose project of this repository: name, ports and volumes of its own, driven as an operator would."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local import demo, ports
from local.http_client import Answer, request
from local.sip import Phone
from service.cli.demo import SIP_PASSWORD
from tests.support import seeds

ROOT = Path(__file__).parents[2]
SERVERS = ("postgres", "asterisk", "service")
STEPS = ("secrets", "migrate")
RTP_PORTS = 4

DEMO_ADMIN = {"X-Auth-Token": demo.ADMIN_TOKEN, "X-User-Id": demo.ADMIN_UID}

UP_TIMEOUT_S = 900.0
"""The first one builds: it downloads Asterisk and the service's packages."""
HEALED_WITHIN_S = 60.0


def docker(*arguments: str, **how: Any) -> str:
    """Standard output of a docker command that must succeed."""
    done = tried(*arguments, **how)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def tried(
    *arguments: str, stdin: str = "", timeout_s: float = 120, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A docker command that may fail."""
    return subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False, env=env
    )


def eventually(condition: Callable[[], bool], within_s: float, what: str) -> None:
    """Ask until it is so. Fails after `within_s` seconds."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        time.sleep(0.2)


@dataclass
class Project:
    """`settings` are what .env could hold; ports and name are chosen here."""

    profiles: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = f"connector-test-{secrets.token_hex(4)}"
        self.http_port = ports.free_port()
        self.sip_port = ports.free_port(taken=[self.http_port])
        self.websocket_port = ports.free_port(taken=[self.http_port, self.sip_port])
        self.rtp = ports.free_range(RTP_PORTS, taken=[self.http_port, self.sip_port, self.websocket_port])

    @property
    def base(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.http_port}"

    def compose(self, *arguments: str, **how: Any) -> str:
        """Standard output of a compose command that must succeed."""
        return docker(*self._compose(), *arguments, env=self._environment(), **how)

    def refused(self, *arguments: str, **settings: str) -> str:
        """Standard error of a compose command that must not succeed."""
        done = tried(*self._compose(), *arguments, env=self._environment() | settings)
        assert done.returncode, done.stdout
        return done.stderr

    def _compose(self) -> list[str]:
        """No .env is read: a checkout's own one plays no part."""
        profiles = [f"--profile={profile}" for profile in self.profiles]
        return [
            "compose",
            f"--project-name={self.name}",
            f"--project-directory={ROOT}",
            "--env-file=/dev/null",
            *profiles,
        ]

    def _environment(self) -> dict[str, str]:
        inherited = ("PATH", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")
        return {name: os.environ[name] for name in inherited if name in os.environ} | {
            "HTTP_PORT": str(self.http_port),
            "SIP_PORT": str(self.sip_port),
            "WEBSOCKET_PORT": str(self.websocket_port),
            "RTP_START": str(self.rtp[0]),
            "RTP_END": str(self.rtp[-1]),
            **self.settings,
        }

    def up(self, *arguments: str) -> None:
        """Start what is not running, and wait until all is healthy."""
        self.compose("up", "--build", "--detach", "--wait", *arguments, timeout_s=UP_TIMEOUT_S)

    def remove(self) -> None:
        """Leave nothing behind: containers, networks, volumes, and the images that were built."""
        self.profiles = ("*",)
        self.compose("down", "--volumes", "--timeout=5")
        docker("image", "rm", "--force", f"{self.name}-service", f"{self.name}-asterisk")

    def command(self, *arguments: str, stdin: str = "") -> str:
        """The service's command line, as the README has it."""
        return self.compose("exec", "-T", "service", "python", "-m", "service", *arguments, stdin=stdin)

    def inside(self, server: str, script: str) -> str:
        """What a shell script prints in a server's container."""
        return self.compose("exec", "-T", server, "sh", "-c", script)

    def crash(self, server: str) -> None:
        """Kill everything in a container but its init, which ends with its child; the shell that does it dies too."""
        tried(*self._compose(), "exec", "-T", server, "sh", "-c", "kill -KILL -1", env=self._environment())

    def secrets(self, server: str) -> dict[str, str]:
        """What a server's container can read of secrets."""
        listed = self.inside(server, 'cd /run/secrets; for name in *; do echo "$name $(cat "$name")"; done')
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def container(self, service: str) -> Any:
        """What `docker inspect` says of a service's container, running or not."""
        [found] = json.loads(docker("inspect", f"{self.name}-{service}-1"))
        return found

    def logs(self) -> str:
        return self.compose("logs", "--no-color")

    def request(self, method: str, path: str, **options: Any) -> Answer:
        return request(self.http_port, method, path, **options)

    def line(self, uid: str = demo.AGENT_UID, headers: Mapping[str, str] = DEMO_ADMIN) -> tuple[str, bool]:
        """The state of somebody's extension, and whether it is live."""
        answer = self.request("GET", f"{demo.REGISTRATION_PATH}?id={uid}", headers=headers)
        assert answer.status == HTTPStatus.OK, answer.text
        state = json.loads(answer.text)["extensionDetails"]["state"]
        return state, answer.headers["x-state-live"] == "true"

    def shows(self, state: str, within_s: float = HEALED_WITHIN_S, **whose: Any) -> None:
        """Wait until the state is this one, and live. A service that is away meanwhile is waited for."""

        def there() -> bool:
            try:
                return self.line(**whose) == (state, True)
            except (OSError, AssertionError):
                return False

        eventually(there, within_s, f"the state is {state}")

    def phone(self, extension: str, password: str) -> Phone:
        """A phone that is not started yet, for the published SIP port."""
        return Phone(extension, password, ports.LOOPBACK, self.sip_port)

    def replay(self) -> None:
        """A phone registers, both documented calls answer what is documented, the phone leaves."""
        self.shows("Unavailable")
        with self.phone(demo.AGENT_EXTENSION, SIP_PASSWORD) as phone:
            phone.wait_registered()
            self.shows("Not in use", within_s=5)
            registration = seeds.replayed(seeds.REGISTRATION_CALL, self.base)
            user = seeds.replayed(seeds.USER_CALL, self.base)
        assert seeds.without_own(registration, seeds.REGISTRATION) == seeds.REGISTRATION
        assert seeds.without_own(user, seeds.USER) == seeds.USER
        self.shows("Unavailable", within_s=5)
