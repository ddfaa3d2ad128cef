"""Give each container of the compose project its secrets: what the environment gives, else random and kept.

Runs before everything else, at each `up`. Every consumer has a volume of its own, so that nobody can read what is
another's; who shares a secret finds a copy. A value from the environment wins over the one that is kept. Nothing is
written before all that is given was found to be usable. With `--check` nothing is written at all.
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
ONLY_GIVEN = frozenset({"ami_sync"})
"""Nobody has these unless they are given: with `sync` one has a shell on Asterisk."""
ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+=,~-")
"""What Asterisk's configuration can hold (see asterisk/render); enough for everybody else."""
SHORTEST = 12


def main(arguments: list[str]) -> int:
    try:
        wanted = {name: given(name) for name in CONSUMERS}
        if arguments == ["--check"]:
            print("these secrets can be used")
            return 0
        for name, value in wanted.items():
            provide(name, value)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def given(name: str) -> str:
    """The environment's value, as in `AMI_SYNC_SECRET`, or an empty one. Raises ValueError when it cannot serve."""
    variable = f"{name.upper()}_{'SECRET' if name.startswith('ami_') else 'PASSWORD'}"
    secret = os.environ.get(variable, "")
    if secret and (len(secret) < SHORTEST or not ALLOWED.issuperset(secret)):
        raise ValueError(f"{variable} must have at least {SHORTEST} characters, of letters, digits and _./:@%+=,~-")
    return secret


def provide(name: str, value: str) -> None:
    """Have each consumer's volume hold this secret, and say where it is from."""
    files = [FOLDER / consumer / name for consumer in CONSUMERS[name]]
    if not value and name in ONLY_GIVEN:
        for file in files:
            file.unlink(missing_ok=True)
        print(f"{name}: nobody has it")
        return
    source = "given" if value else "kept"
    if not value and not (value := kept(files)):
        value, source = secrets.token_urlsafe(32), "made at random"
    for file in files:
        write(file, value)
    print(f"{name}: {source}")


def kept(files: Iterable[Path]) -> str:
    """What an earlier start wrote for any of the consumers."""
    return next((secret for file in files if file.exists() and (secret := file.read_text())), "")


def write(file: Path, secret: str) -> None:
    """Whole or not at all. Anybody may read it who has the volume: whose containers run as different users."""
    if file.exists() and file.read_text() == secret:
        return
    unfinished = file.with_name(f".{file.name}.unfinished")
    with unfinished.open("w") as stream:
        stream.write(secret)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.chmod(0o444)
    unfinished.rename(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
