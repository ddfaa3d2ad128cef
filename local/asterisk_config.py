"""The values for the templates in asterisk/etc: addresses, secrets, directories. asterisk/render checks them."""

import os
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from local import ports
from local.asterisk_programs import TEMPLATES, AsteriskError

RTP_PORTS = 100
FOLDERS = {
    "ETC_DIR": "etc",
    "VARLIB_DIR": "lib",
    "ASTDB_DIR": "db",
    "SPOOL_DIR": "spool",
    "RUN_DIR": "run",
    "LOG_DIR": "log",
}


@dataclass(frozen=True, kw_only=True)
class Database:
    """The database that Asterisk reads its endpoints from, and the role that sees its rows."""

    port: int
    name: str
    user: str
    password: str = field(repr=False)
    host: str = ports.LOOPBACK
    """One host, or several separated by commas."""
    target: str = ""
    """Which of several hosts Asterisk reads; by default the primary."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of one Asterisk. Ports default to free ones, secrets to random ones."""

    database: Database
    sip_port: int = field(default_factory=ports.free_port)
    sip_certificate: Path | None = None
    """Certificate and key in one file: SIP goes over TLS, and no longer over UDP."""
    http_port: int = field(default_factory=ports.free_port)
    ami_port: int = field(default_factory=ports.free_port)
    rtp_ports: range = field(default_factory=lambda: ports.free_range(RTP_PORTS))
    monitor_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    presence_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    sync_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    """Empty: the account does not exist."""
    secrets_keys: str = field(default="", repr=False)
    """What opens encrypted SIP passwords, as `secrets key` prints it. Empty: none."""

    def parameters(self) -> dict[str, str]:
        """The variables for asterisk/render, without the directories."""
        host = ports.LOOPBACK
        return {
            "SIP_BIND": host,
            **self._sip(),
            "HTTP_BIND": host,
            "HTTP_PORT": str(self.http_port),
            "AMI_BIND": host,
            "AMI_PORT": str(self.ami_port),
            "AMI_PERMIT": f"{host}/32",
            "MONITOR_SECRET": self.monitor_secret,
            "PRESENCE_SECRET": self.presence_secret,
            "SYNC_SECRET": self.sync_secret,
            "SECRETS_KEYS": self.secrets_keys,
            "RTP_START": str(self.rtp_ports.start),
            "RTP_END": str(self.rtp_ports.stop - 1),
            "DB_HOST": self.database.host,
            "DB_PORT": str(self.database.port),
            "DB_TARGET": self.database.target or ("primary" if "," in self.database.host else "any"),
            "DB_NAME": self.database.name,
            "DB_USER": self.database.user,
            "DB_PASSWORD": self.database.password,
        }

    def _sip(self) -> dict[str, str]:
        if self.sip_certificate is None:
            return {"SIP_PORT": str(self.sip_port)}
        certificate = str(self.sip_certificate)
        return {
            "SIP_TLS_PORT": str(self.sip_port),
            "SIP_TLS_CERTIFICATE": certificate,
            "SIP_TLS_KEY": certificate,
        }


def render(templates: Path, target: Path, parameters: dict[str, str]) -> None:
    """Run asterisk/render. Raises AsteriskError with its message."""
    done = subprocess.run(
        [str(TEMPLATES / "render"), str(templates), str(target)],
        env={"PATH": os.defpath, **parameters},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        raise AsteriskError(done.stderr.strip())
