"""PostgreSQL, Asterisk and the service on one machine: their settings, and the service as a program."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM

from local import asterisk, ports
from local.bootstrap import PROJECT
from local.children import die_with_parent, end
from local.kept import keep_ports, kept_ports, kept_secrets

DATABASE = "connector"
OWNER_ROLE = "connector_owner"
SERVICE_ROLE = "connector_service"
ASTERISK_ROLE = "asterisk_main"
SECRETS = ("owner_database", "service_database", "asterisk_database", "ami_monitor", "ami_presence")
SINGLE_PORTS = ("postgres", "sip", "websocket", "ami")

STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Plan:
    """Who listens where, and with what secrets: all that the parts must agree on."""

    http_port: int
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = field(repr=False)

    def asterisk_config(self) -> asterisk.Config:
        first = self.ports["rtp"]
        return asterisk.Config(
            database=asterisk.Database(
                port=self.ports["postgres"],
                name=DATABASE,
                user=ASTERISK_ROLE,
                password=self.secrets["asterisk_database"],
            ),
            sip_port=self.ports["sip"],
            http_port=self.ports["websocket"],
            ami_port=self.ports["ami"],
            rtp_ports=range(first, first + asterisk.RTP_PORTS),
            monitor_secret=self.secrets["ami_monitor"],
            presence_secret=self.secrets["ami_presence"],
            sync_secret="",
        )

    def service_settings(self) -> dict[str, str]:
        """For the service's environment, without the owner's: only `migrate` needs that."""
        server = f"{ports.LOOPBACK}:{self.ports['postgres']}/{DATABASE}"
        main = {
            "HOST": ports.LOOPBACK,
            "WEBSOCKET_SCHEME": "ws",
            "WEBSOCKET_PORT": str(self.ports["websocket"]),
            "AMI_HOST": ports.LOOPBACK,
            "AMI_PORT": str(self.ports["ami"]),
            "MONITOR_SECRET": self.secrets["ami_monitor"],
            "PRESENCE_SECRET": self.secrets["ami_presence"],
            "DATABASE_ROLE": ASTERISK_ROLE,
            "DATABASE_PASSWORD": self.secrets["asterisk_database"],
        }
        return {
            "CONNECTOR_HTTP_HOST": ports.LOOPBACK,
            "CONNECTOR_HTTP_PORT": str(self.http_port),
            "CONNECTOR_LOG_FORMAT": "console",
            "CONNECTOR_DATABASE_URL": f"postgresql://{SERVICE_ROLE}@{server}",
            "CONNECTOR_DATABASE_PASSWORD": self.secrets["service_database"],
            **{f"CONNECTOR_CALL_SERVERS__MAIN__{name}": value for name, value in main.items()},
        }

    def owner_settings(self) -> dict[str, str]:
        server = f"{ports.LOOPBACK}:{self.ports['postgres']}/{DATABASE}"
        return {
            "CONNECTOR_OWNER_DATABASE_URL": f"postgresql://{OWNER_ROLE}@{server}",
            "CONNECTOR_OWNER_DATABASE_PASSWORD": self.secrets["owner_database"],
        }


def make_plan(folder: Path, http_port: int) -> Plan:
    """The ports and secrets of the last run in `folder` where they still serve, else new ones."""
    last = kept_ports(folder)
    chosen: dict[str, int] = {}
    for name in SINGLE_PORTS:
        chosen[name] = ports.free_port(last.get(name), taken=[http_port, *chosen.values()])
    taken = [http_port, *chosen.values()]
    chosen["rtp"] = ports.free_range(asterisk.RTP_PORTS, last.get("rtp"), taken=taken).start
    keep_ports(folder, chosen)
    return Plan(http_port, chosen, kept_secrets(folder, SECRETS))


class Service:
    """`python -m service` as a program that can be kept running."""

    def __init__(self, settings: Mapping[str, str], *, log: int) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = dict(settings)
        self._log = log

    def start(self) -> None:
        self.process = self._spawn("serve", {})

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, SIGTERM, patience_s=STOP_TIMEOUT_S)

    def run(self, command: str, settings: Mapping[str, str]) -> int:
        """Another of its commands, such as `migrate`, until it ends; answers its exit code."""
        process = self._spawn(command, settings)
        try:
            return process.wait()
        finally:
            process.kill()

    def _spawn(self, command: str, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "service", command],
            cwd=PROJECT,
            env={**os.environ, **self._settings, **settings, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            preexec_fn=die_with_parent(SIGKILL),
        )
