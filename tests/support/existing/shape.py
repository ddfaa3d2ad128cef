"""What a PBX is made of: its configuration files, and what is in them that tests need to know."""

from __future__ import annotations

import functools
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from local import ports
from local.asterisk_programs import TEMPLATES


@dataclass(frozen=True)
class ExistingPhone:
    """An account with which a phone registers. Asterisk has its secret in plain text."""

    number: str
    """What one dials."""
    endpoint: str
    auth_username: str
    secret: str = field(repr=False)
    technology: str = "PJSIP"
    webrtc: bool = False

    @property
    def device(self) -> str:
        return f"{self.technology}/{self.endpoint}"


@dataclass(frozen=True)
class Accounts:
    """Secrets of the AMI accounts that the service is given, as docs/existing-pbx.md creates them."""

    credentials: str = field(default_factory=functools.partial(secrets.token_urlsafe, 24), repr=False)
    admin: str = field(default_factory=functools.partial(secrets.token_urlsafe, 24), repr=False)
    """The PBX's own account, which may do nearly everything."""


@dataclass(frozen=True)
class Shape:
    """Files by name, with the variables of `asterisk/render`."""

    files: dict[str, str]
    phones: tuple[ExistingPhone, ...]
    """Those that an import takes: with inbound auth and a secret in plain text."""
    skipped: tuple[str, ...]
    """Endpoints that no import can take."""
    hint_context: str
    devices: dict[str, tuple[str, ...]]
    """By number: the devices of its hint that count for its state."""
    members: dict[str, tuple[str, ...]]
    """By queue: the numbers of its members."""
    accounts: Accounts
    astdb: dict[str, str] = field(default_factory=dict)
    """Keys, such as `/AMPUSER/1001/cidname`, that are there before the start."""
    sip_port: int = field(default_factory=lambda: ports.free_range(2).start)
    """The port of `chan_sip`; IAX2 has the next one."""

    def phone(self, endpoint: str) -> ExistingPhone:
        return next(phone for phone in self.phones if phone.endpoint == endpoint)

    @property
    def endpoints(self) -> int:
        """The PJSIP endpoints that Asterisk knows."""
        return sum(phone.technology == "PJSIP" for phone in self.phones) + len(self.skipped)


def new_secret() -> str:
    """As PBXs generate them."""
    return secrets.token_hex(16)


def own(*names: str) -> dict[str, str]:
    """Files that do not depend on who configures the PBX: directories, ports."""
    return {name: (TEMPLATES / "etc" / name).read_text() for name in names}


def write(shape: Shape, folder: Path) -> Path:
    """The files as templates; returns their folder."""
    folder.mkdir()
    for name, text in shape.files.items():
        (folder / name).write_text(text)
    return folder
