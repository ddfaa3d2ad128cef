"""Give each container of the compose project its secrets: what the environment gives, else random and kept.

Runs before everything else, at each start. Every consumer has a volume of its own, so that nobody can read what is
another's; who shares a secret finds a copy. A value from the environment wins over the one that is kept.
"""

import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path("/secrets")
CONSUMERS = {
    "superuser_database": ("postgres",),
    "owner_database": ("postgres", "migrate"),
    "service_database": ("migrate", "service"),
    "asterisk_database": ("migrate", "asterisk"),
    "ami_monitor": ("migrate", "service", "asterisk"),  # `migrate` only checks that the settings are whole
    "ami_presence": ("service", "asterisk"),
    "ami_sync": ("service", "asterisk"),
}
ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+=,~-")
"""What Asterisk's configuration can hold (see asterisk/render); enough for everybody else."""
SHORTEST = 12


def main() -> int:
    try:
        for name, consumers in CONSUMERS.items():
            files = [FOLDER / consumer / name for consumer in consumers]
            secret, source = given(name) or kept(files) or (secrets.token_urlsafe(32), "made at random")
            for file in files:
                write(file, secret)
            print(f"{name}: {source}")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def given(name: str) -> tuple[str, str] | None:
    """The environment's value, as in `AMI_SYNC_SECRET`. Raises ValueError when it cannot serve."""
    variable = f"{name.upper()}_{'SECRET' if name.startswith('ami_') else 'PASSWORD'}"
    secret = os.environ.get(variable, "")
    if not secret:
        return None
    if len(secret) < SHORTEST or not ALLOWED.issuperset(secret):
        raise ValueError(f"{variable} must have at least {SHORTEST} characters, of letters, digits and _./:@%+=,~-")
    return secret, f"taken from {variable}"


def kept(files: Iterable[Path]) -> tuple[str, str] | None:
    """What an earlier start wrote for any of the consumers."""
    for file in files:
        if file.exists() and (secret := file.read_text()):
            return secret, "kept"
    return None


def write(file: Path, secret: str) -> None:
    """Whole or not at all. Anybody may read it who has the volume: whose containers run as different users."""
    if file.exists() and file.read_text() == secret:
        return
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(secret)
    unfinished.chmod(0o444)
    unfinished.rename(file)


if __name__ == "__main__":
    sys.exit(main())
