"""The plan of one `make run`: the ports and secrets that PostgreSQL, Asterisk and the service must agree on."""

import contextlib
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local import asterisk, ports
from local.data_folder import load_or_create_secrets, load_ports, save_ports

DATABASE = "connector"
OWNER_ROLE = "connector_owner"
SERVICE_ROLE = "connector_service"
ASTERISK_ROLE = "asterisk_main"
SECRETS = ("owner_database", "service_database", "asterisk_database", "ami_monitor", "ami_presence")
SINGLE_PORTS = ("postgres", "sip", "websocket", "ami")
BUS_SECRETS = ("bus_collector", "bus_follower")
BUS_PORTS = ("nats", "collector")
"""Further ones with a bus: of NATS, and of the collector's HTTP."""


@dataclass(frozen=True)
class Plan:
    """Ports and secrets, and the settings of each server that follow from them."""

    http_port: int
    ports: Mapping[str, int]
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def has_bus(self) -> bool:
        return "nats" in self.ports

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
            secrets_keys=asterisk_keys(os.environ, "main"),
        )

    def service_settings(self) -> dict[str, str]:
        """The service's environment variables, without the database owner's: only `migrate` needs those."""
        server = f"{ports.LOOPBACK}:{self.ports['postgres']}/{DATABASE}"
        main = {
            "HOST": ports.LOOPBACK,
            "WEBSOCKET_SCHEME": "ws",
            "WEBSOCKET_PORT": str(self.ports["websocket"]),
            "SIP_PORT": str(self.ports["sip"]),
            "DATABASE_ROLE": ASTERISK_ROLE,
            "DATABASE_PASSWORD": self.secrets["asterisk_database"],
        }
        if self.has_bus:
            bus = self._bus_settings("follower")
        else:
            bus, main = {}, {**main, **self._ami_settings()}
        return {
            **bus,
            "CONNECTOR_HTTP_HOST": ports.LOOPBACK,
            "CONNECTOR_HTTP_PORT": str(self.http_port),
            "CONNECTOR_PUBLIC_URL": f"http://{ports.LOOPBACK}:{self.http_port}",
            "CONNECTOR_LOG_FORMAT": "console",
            "CONNECTOR_DATABASE_URL": f"postgresql://{SERVICE_ROLE}@{server}",
            "CONNECTOR_DATABASE_PASSWORD": self.secrets["service_database"],
            **{f"CONNECTOR_CALL_SERVERS__MAIN__{name}": value for name, value in main.items()},
        }

    def collector_settings(self) -> dict[str, str]:
        """The environment variables of a collector beside the service, which then follows it and has no AMI account."""
        return {
            **self.service_settings(),
            **self._bus_settings("collector"),
            **{f"CONNECTOR_CALL_SERVERS__MAIN__{name}": value for name, value in self._ami_settings().items()},
            "CONNECTOR_HTTP_PORT": str(self.ports["collector"]),
        }

    def _ami_settings(self) -> dict[str, str]:
        return {
            "AMI_HOST": ports.LOOPBACK,
            "AMI_PORT": str(self.ports["ami"]),
            "MONITOR_SECRET": self.secrets["ami_monitor"],
            "PRESENCE_SECRET": self.secrets["ami_presence"],
        }

    def _bus_settings(self, role: str) -> dict[str, str]:
        return {
            "CONNECTOR_BUS_URL": f"nats://{role}@{ports.LOOPBACK}:{self.ports['nats']}",
            "CONNECTOR_BUS_ROLE": role,
            "CONNECTOR_BUS_PASSWORD": self.secrets[f"bus_{role}"],
        }

    def owner_settings(self) -> dict[str, str]:
        """The database owner's environment variables, for `migrate`."""
        server = f"{ports.LOOPBACK}:{self.ports['postgres']}/{DATABASE}"
        return {
            "CONNECTOR_OWNER_DATABASE_URL": f"postgresql://{OWNER_ROLE}@{server}",
            "CONNECTOR_OWNER_DATABASE_PASSWORD": self.secrets["owner_database"],
        }


def asterisk_keys(environment: Mapping[str, str], call_server: str) -> str:
    """The value of `connector.keys` that follows from the service's keys in the environment; empty without one.

    The same as `secrets key` prints: this module runs without the service's libraries.
    """
    keys = []
    for name in ("CONNECTOR_SECRETS_KEY", "CONNECTOR_SECRETS_PREVIOUS_KEY"):
        text = environment.get(name, "")
        if not text and (file := environment.get(f"{name}_FILE")):
            text = Path(file).read_text()
        with contextlib.suppress(ValueError):  # the service says what is wrong with it
            if master := bytes.fromhex(text):
                derived = hmac.digest(master, call_server.encode(), "sha256")
                keys.append(f"{hashlib.sha256(master).hexdigest()[:8]}:{derived.hex()}")
    return ",".join(keys)


def make_plan(folder: Path, http_port: int, *, bus: bool = False) -> Plan:
    """The ports and secrets of the last run in `folder`; new ones for ports that are taken now."""
    last = load_ports(folder)
    chosen: dict[str, int] = {}
    for name in (*SINGLE_PORTS, *(BUS_PORTS if bus else ())):
        chosen[name] = ports.free_port(last.get(name), taken=[http_port, *chosen.values()])
    taken = [http_port, *chosen.values()]
    chosen["rtp"] = ports.free_range(asterisk.RTP_PORTS, last.get("rtp"), taken=taken).start
    save_ports(folder, last | chosen)
    return Plan(http_port, chosen, load_or_create_secrets(folder, (*SECRETS, *(BUS_SECRETS if bus else ()))))
