"""Keys, and the command line with them, for tests of encrypted SIP passwords."""

from __future__ import annotations

from typing import Any

from service.domain.secret_keys import MasterKey
from tests.support.command_line import environment
from tests.support.database import PASSWORD, TestDatabase
from tests.support.pbx import Pbx

KEY, OTHER = MasterKey.parse("a1" * 32), MasterKey.parse("b2" * 32)


def of_asterisk(pbx: Pbx, *keys: MasterKey, **values: str) -> dict[str, str]:
    """The environment of commands that use the database of an Asterisk, know where it is, and have these keys."""
    config = pbx.asterisk.config
    server = {"AMI_PORT": str(config.ami_port), "MONITOR_SECRET": config.monitor_secret}
    return with_keys(
        pbx.database, *keys, **{f"CALL_SERVERS__MAIN__{name}": value for name, value in server.items()}, **values
    )


def with_keys(database: TestDatabase, *keys: MasterKey, **values: str) -> dict[str, str]:
    """The environment of commands with a current key and a previous one."""
    names = ("SECRETS_KEY", "SECRETS_PREVIOUS_KEY")
    return environment(database, **{name: key.key.hex() for name, key in zip(names, keys, strict=False)}, **values)


def settings_with(*keys: MasterKey) -> dict[str, Any]:
    """The same as values of Settings."""
    names = ("secrets_key", "secrets_previous_key")
    return {name: key.key.hex() for name, key in zip(names, keys, strict=False)}


__all__ = ["KEY", "OTHER", "PASSWORD", "of_asterisk", "settings_with", "with_keys"]
