"""The project of docker-compose.prod.yml, published on an address of the loopback that no other test has."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any

from local import image
from tests.compose.docker import docker, tried
from tests.compose.project import ROOT, Project

NAME = "phone.example.com"
REPLICAS = ("service", "service-b")
FILES = f"{ROOT}/docker-compose.yml:{ROOT}/docker-compose.prod.yml"
OLD, NEW, BROKEN = "1.0.0", "1.0.1", "1.0.2"
"""Releases: the first is this tree, the second has one more migration, the third does not start."""
IMAGES = ("secrets", "asterisk", "caddy")


def own_address() -> str:
    """This machine's address: a browser sends no voice to the loopback. No packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(("192.0.2.1", 9))
        return str(asked.getsockname()[0])


@dataclass
class Production(Project):
    """`env` is the file of settings, which `make upgrade` changes."""

    folder: Path = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.address = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}.{1 + secrets.randbelow(254)}"
        self.env = self.folder / "production.env"

    @property
    def image(self) -> str:
        return f"{self.name}-release"

    def write_env(self, **more: str) -> None:
        """What docs/operations.md has an operator write."""
        settings = {
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": FILES,
            "PUBLIC_HOST": NAME,
            "CADDY_TLS": "internal",
            "HTTPS_BIND": self.address,
            "PHONE_BIND": "0.0.0.0",
            "PHONE_ADDRESS": own_address(),
            "SIP_PORT": str(self.sip_port),
            "RTP_START": str(self.rtp[0]),
            "RTP_END": str(self.rtp[-1]),
            "SERVICE_IMAGE": self.image,
            "SERVICE_TAG": OLD,
            **self.settings,
            **more,
        }
        self.env.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def up(self, *arguments: str) -> None:
        self.write_env()
        super().up(*arguments)

    def _compose(self) -> list[str]:
        return ["compose", *(f"--profile={profile}" for profile in self.profiles)]

    def _environment(self) -> dict[str, str]:
        inherited = ("PATH", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "VENV")
        here = {name: os.environ[name] for name in inherited if name in os.environ}
        return here | {
            "COMPOSE_ENV_FILES": str(self.env),
            "CALL_SERVERS_FILE": os.devnull,
            "SUBNET_PREFIX": self.subnet.rpartition(".")[0],
        }

    def build(self) -> None:
        """The images of the three releases."""
        flags = [word for name, value in image.build_arguments().items() for word in ("--build-arg", f"{name}={value}")]
        docker("build", f"--tag={self.image}:{OLD}", *flags, str(ROOT), timeout_s=600)
        migration = "create table public.of_the_next_release (id int);\n"
        (self.folder / "9999_next_release.sql").write_text(migration)
        change = f"FROM {self.image}:{OLD}\nCOPY --chmod=644 9999_next_release.sql /app/service/db/migrations/\n"
        for tag, text in ((NEW, change), (BROKEN, f'{change}CMD ["no-such-command"]\n')):
            docker("build", f"--tag={self.image}:{tag}", "--file=-", str(self.folder), stdin=text)

    def remove(self) -> None:
        self.profiles = ("*",)
        self.compose("down", "--volumes", "--timeout=5")
        releases = [f"{self.image}:{tag}" for tag in (OLD, NEW, BROKEN)]
        tried("image", "rm", "--force", *releases, *(f"{self.name}-{built}" for built in IMAGES))

    def upgrade(self, tag: str) -> subprocess.CompletedProcess[str]:
        """`make upgrade`."""
        command = [sys.executable, "-m", "local.upgrade", tag]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment(), capture_output=True, text=True, check=False, timeout=400
        )

    def authority(self) -> ssl.SSLContext:
        """A client's context that trusts Caddy's own certificate authority only."""
        return ssl.create_default_context(cadata=self.root_certificate())

    def root_certificate(self) -> str:
        return self.inside("caddy", "cat /data/caddy/pki/authorities/local/root.crt")

    def tag_of(self, replica: str) -> str:
        return str(self.container(replica)["Config"]["Image"]).rpartition(":")[2]

    def handshake(self, context: ssl.SSLContext) -> None:
        """Raises ssl.SSLError."""
        with socket.create_connection((self.address, 443), timeout=15) as plain:
            context.wrap_socket(plain, server_hostname=NAME).close()

    def trusts(self, context: ssl.SSLContext) -> bool:
        try:
            self.handshake(context)
        except OSError:  # also ssl.SSLError
            return False
        return True

    def addresses(self, server: str) -> dict[str, str]:
        """A container's addresses, by network."""
        networks = self.container(server)["NetworkSettings"]["Networks"]
        return {name.removeprefix(f"{self.name}_"): network["IPAddress"] for name, network in networks.items()}

    def ask(self, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> Any:
        """The JSON of a 200, through Caddy."""
        with self.opened(path, headers) as answer:
            assert answer.status == HTTPStatus.OK, answer.read()
            return json.load(answer)

    def status_of(self, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> int:
        with self.opened(path, headers) as answer:
            return answer.status

    @contextlib.contextmanager
    def opened(self, path: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
        """A response through Caddy, whose certificate must be for the name."""
        with socket.create_connection((self.address, 443), timeout=15) as plain:
            connection = http.client.HTTPSConnection(NAME)
            connection.sock = self.authority().wrap_socket(plain, server_hostname=NAME)
            connection.request("GET", path, headers=dict(headers))
            yield connection.getresponse()
            connection.close()

    def person(self, name: str, extension: str, profile: str, password: str) -> dict[str, str]:
        """Somebody with an extension and a token; the headers of their requests."""
        self.command("user", "create", name, stdin=f"{name}-password\n")
        self.command("extension", "create", extension, "--profile", profile, "--password-stdin", stdin=f"{password}\n")
        self.command("extension", "assign", extension, name)
        told = json.loads(self.command("token", "issue", name, "--json"))
        return {"X-Auth-Token": told["token"], "X-User-Id": told["X-User-Id"]}
