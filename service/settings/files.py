"""Settings in files, as an installed service has them: an environment file, and secrets named after their setting.

systemd hands secrets over as credentials, and a folder of them by one line (`LoadCredential=secrets:/etc/…/secrets`).
Its file `JWT_SECRET` is the credential `secrets_JWT_SECRET`, and here the setting `CONNECTOR_JWT_SECRET_FILE`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.errors import ConfigurationError

PREFIX = "CONNECTOR_"
SERVICE_SECRETS, OWNER_SECRETS = "secrets", "owner-secrets"
"""Folders of secrets, and the names of their credentials. Only `migrate` and operators need the owner's."""
_SETTING = re.compile(r"[A-Z][A-Z0-9_]*")
_LINE = re.compile(
    r"""\s*([A-Za-z_]\w*)=\s*(?:"((?:[^"\\]|\\.)*)"|'([^'\\]*)'|(?!["'])((?:[^\\]|\\.)*?))\s*""", re.ASCII
)


def credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that name systemd's credentials. Raises ConfigurationError."""
    directory = environment.get("CREDENTIALS_DIRECTORY")
    found = {}
    for file in _files(Path(directory)) if directory else ():
        folder, _, name = file.name.partition("_")
        if folder in (SERVICE_SECRETS, OWNER_SECRETS) and _SETTING.fullmatch(name):
            found[f"{PREFIX}{name}_FILE"] = str(file)
    return found


def secrets(folder: Path) -> dict[str, str]:
    """Return the settings that name the files of a folder. An editor's other files are left out."""
    return {f"{PREFIX}{file.name}_FILE": str(file) for file in _files(folder) if _SETTING.fullmatch(file.name)}


def environment_file(file: Path) -> dict[str, str]:
    """Read a file as systemd's `EnvironmentFile=` does, except for values that continue on the next line.

    Raises ConfigurationError.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from None
    return dict(_assignments(file, lines))


def _assignments(file: Path, lines: list[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        found = _LINE.fullmatch(line)
        if found is None:  # without the line, which may hold a secret
            raise ConfigurationError(f"{file}, line {number}: NAME=VALUE is needed, on one line")
        name, double, single, bare = found.groups()
        if double is not None:
            yield name, re.sub(r'\\(["\\`$])', r"\1", double)
        else:
            yield name, single if single is not None else re.sub(r"\\(.)", r"\1", bare)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be read: {error}") from None
