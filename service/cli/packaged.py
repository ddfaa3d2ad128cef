"""The command `asterisk-connector` of the Debian package: the same settings for each command as for the service.

They come from /etc/asterisk-connector; variables of the environment win.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from service import cli
from service.cli.setup import ETC
from service.errors import ConfigurationError
from service.settings import files

ENVIRONMENT_FILE = "connector.env"
WITHOUT_SETTINGS = {"-h", "--help", "--version"}


def main() -> int:
    """Run a command with the settings of the package; returns the exit code."""
    try:
        for name, value in packaged_settings(ETC).items():
            os.environ.setdefault(name, value)
    except ConfigurationError as error:
        if not WITHOUT_SETTINGS & set(sys.argv):
            print(f"error: {error}", file=sys.stderr)
            return 2
    return cli.main()


def packaged_settings(folder: Path) -> dict[str, str]:
    """Return the settings of a folder such as /etc/asterisk-connector. Raises ConfigurationError."""
    return {
        **files.secrets(folder / files.SERVICE_SECRETS),
        **files.secrets(folder / files.OWNER_SECRETS),
        **files.environment_file(folder / ENVIRONMENT_FILE),
    }
