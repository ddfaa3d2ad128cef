"""A compose project of this repository: name, ports and volumes of its own, driven as an operator would."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local import demo_data, ports
from local.baresip import Phone, PhoneError
from local.http_client import Answer, request
from service.cli.demo import SIP_PASSWORD
from tests.compose.docker import docker, tried
from tests.support import seeds
from tests.support.eventually import wait_until

ROOT = Path(__file__).parents[2]
SERVERS = ("postgres", "asterisk", "service")
IMAGES = ("service", "secrets", "certificates", "backup", "asterisk", "prometheus")
STEPS = ("settings", "secrets", "owner", "migrate")
RTP_PORTS = 4
ECHO_TEST = "*43"

DEMO_ADMIN = {"X-Auth-Token": demo_data.ADMIN_TOKEN, "X-User-Id": demo_data.ADMIN_UID}

UP_TIMEOUT_S = 900.0
"""The first one builds: it downloads Asterisk and the service's packages."""
IN_PRIVATE = "has no TLS: whoever reads that network reads secrets"
"""What `check` says of the project's own network, which is this machine's."""
HEALED_WITHIN_S = 60.0

SUBNETS_TRIED = 20


def some_subnet() -> str:
    """One of 3,584. Another project, or a network of this machine, may have it: `Project.up` tries the next."""
    return f"172.{secrets.choice(range(18, 32))}.{secrets.randbelow(256)}.0/24"


@dataclass
class Project:
    """`settings` are what .env could hold; ports and name are chosen here."""

    profiles: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    overlays: tuple[str, ...] = ()
    """Compose files beside docker-compose.yml."""

    def __post_init__(self) -> None:
        self.subnet = some_subnet()
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

    @contextlib.contextmanager
    def given(self, **settings: str) -> Iterator[None]:
        """What .env holds for a while."""
        before, self.settings = self.settings, self.settings | settings
        try:
            yield
        finally:
            self.settings = before

    def _compose(self) -> list[str]:
        """No .env is read: a checkout's own one plays no part."""
        files = [f"--file={ROOT / name}" for name in ("docker-compose.yml", *self.overlays)]
        profiles = [f"--profile={profile}" for profile in self.profiles]
        return [
            "compose",
            f"--project-name={self.name}",
            f"--project-directory={ROOT}",
            "--env-file=/dev/null",
            *files,
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
            "SUBNET": self.subnet,
            "COMPOSE_ENV_FILES": os.devnull,
            "CALL_SERVERS_FILE": os.devnull,
            **self.settings,
        }

    def up(self, *arguments: str) -> None:
        """Start what is not running, and wait until all is healthy, on a subnet that this machine does not have yet."""
        for _ in range(SUBNETS_TRIED):
            command = (*self._compose(), "up", "--build", "--detach", "--wait", *arguments)
            done = tried(*command, env=self._environment(), timeout_s=UP_TIMEOUT_S)
            if done.returncode == 0:
                return
            assert "Pool overlaps" in done.stderr, f"compose up: {done.returncode}\n{done.stdout}{done.stderr}"
            self.subnet = some_subnet()
        raise AssertionError(f"{SUBNETS_TRIED} subnets overlap with others of this machine")

    def remove(self) -> None:
        """Leave nothing behind: containers, networks, volumes, and the images that were built."""
        self.profiles = ("*",)
        self.compose("down", "--volumes", "--timeout=5")
        tried(
            "image",
            "rm",
            "--force",
            *(f"{self.name}-{image}" for image in IMAGES),
        )

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

    def registration(self, uid: str = demo_data.AGENT_UID, headers: Mapping[str, str] = DEMO_ADMIN) -> Any:
        """The registration info of somebody, with one key more: `live`, whether its state is."""
        answer = self.request("GET", f"{demo_data.REGISTRATION_PATH}?id={uid}", headers=headers)
        assert answer.status == HTTPStatus.OK, answer.text
        return {**json.loads(answer.text), "live": answer.headers["x-state-live"] == "true"}

    def shows(self, state: str, within_s: float = HEALED_WITHIN_S, **whose: Any) -> None:
        """Wait until the state is this one, and live. A service that is away meanwhile is waited for."""

        def there() -> bool:
            try:
                answer = self.registration(**whose)
            except (OSError, AssertionError):
                return False
            return bool(answer["live"] and answer["extensionDetails"]["state"] == state)

        wait_until(there, within_s, f"the state is {state}")

    def phone(self, extension: str, password: str) -> Phone:
        """A phone that is not started yet, for the published SIP port."""
        return Phone(extension, password, ports.LOOPBACK, self.sip_port)

    def ready(self) -> bool:
        """Whether the service says that PostgreSQL and Asterisk are there."""
        try:
            return self.request("GET", "/readyz").text == '{"status":"ready"}'
        except OSError:
            return False

    @contextlib.contextmanager
    def registered(self, extension: str, password: str) -> Iterator[Phone]:
        """A phone that tries until it is let in, as phones do: without PostgreSQL Asterisk knows nobody."""
        end = time.monotonic() + HEALED_WITHIN_S
        while True:
            with self.phone(extension, password) as phone:
                try:
                    phone.wait_registered()
                except PhoneError:
                    assert time.monotonic() < end, f"{extension} is not let in"
                    continue
                yield phone
                return

    def replay(self) -> None:
        """A phone registers, both documented calls answer what is documented, the phone leaves."""
        wait_until(self.ready, HEALED_WITHIN_S, "the service is ready")
        self.shows("Unavailable")
        with self.registered(demo_data.AGENT_EXTENSION, SIP_PASSWORD):
            self.shows("Not in use", within_s=30)
            seeds.assert_both_replay(self.base)
        self.shows("Unavailable", within_s=30)
