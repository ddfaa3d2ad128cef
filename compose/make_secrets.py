"""Gives each container of the compose project its secrets: from the environment, else random ones that are kept.

It runs first, at each `up`. Each consumer has a volume of its own, so no container can read another's secrets; a shared
secret is copied. The environment takes precedence over kept values. Nothing is written unless all given values are
valid. With `--check` nothing is written at all.
"""

import hashlib
import hmac
import os
import re
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path("/secrets")
CONSUMERS = {
    "superuser_database": ("postgres",),
    "owner_database": ("postgres", "migrate"),
    "service_database": ("migrate", "service", "collector"),
    "asterisk_database": ("migrate", "asterisk"),
    "ami_monitor": ("migrate", "service", "collector", "asterisk"),  # `migrate` only validates its settings
    "ami_presence": ("service", "collector", "asterisk"),
    "ami_sync": ("service", "collector", "asterisk"),
    "bus_collector": ("collector", "nats"),
    "bus_follower": ("service", "nats"),
    "secrets_key": ("migrate", "service", "collector"),
    "secrets_previous_key": ("migrate", "service", "collector"),
    "secrets_keys": ("asterisk",),
}
ONLY_GIVEN = frozenset({"ami_sync", "secrets_key", "secrets_previous_key", "secrets_keys"})
"""Never created at random: the account `sync` equals a shell on Asterisk, and SIP passwords are lost with their key."""
CALL_SERVER = "main"
ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+=,~-")
"""The characters that Asterisk's configuration can hold (see asterisk/render)."""
SHORTEST = 12


def main(arguments: list[str]) -> int:
    try:
        wanted = {name: given(name) for name in CONSUMERS if not name.startswith("secrets_")}
        wanted |= given_keys()
        if arguments == ["--check"]:
            print("the secrets are valid")
            return 0
        for name, value in wanted.items():
            provide(name, value)
        write(FOLDER / "nats" / "passwords.conf", bus_passwords())
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def given(name: str) -> str:
    """The value in the environment, such as `AMI_SYNC_SECRET`; empty if unset. Raises ValueError if it is invalid."""
    variable = f"{name.upper()}_{'SECRET' if name.startswith('ami_') else 'PASSWORD'}"
    secret = os.environ.get(variable, "")
    if secret and (len(secret) < SHORTEST or not ALLOWED.issuperset(secret)):
        raise ValueError(f"{variable} must have at least {SHORTEST} characters, of letters, digits and _./:@%+=,~-")
    return secret


def given_keys() -> dict[str, str]:
    """The keys of SIP passwords, and those of Asterisk that follow from them: it never sees the keys themselves.

    Raises ValueError. service/domain/secret_keys.py derives the same.
    """
    keys, derived = {}, []
    for name in ("secrets_key", "secrets_previous_key"):
        variable = name.upper()
        keys[name] = os.environ.get(variable, "")
        if keys[name] and not re.fullmatch("[0-9a-fA-F]{64}", keys[name]):
            raise ValueError(f"{variable} must have 64 hexadecimal digits, as `openssl rand -hex 32` prints")
        if master := bytes.fromhex(keys[name]):
            key = hmac.digest(master, CALL_SERVER.encode(), "sha256").hex()
            derived.append(f"{hashlib.sha256(master).hexdigest()[:8]}:{key}")
    if keys["secrets_previous_key"] and not keys["secrets_key"]:
        raise ValueError("SECRETS_PREVIOUS_KEY is given without SECRETS_KEY")
    return {**keys, "secrets_keys": ",".join(derived)}


def provide(name: str, value: str) -> None:
    """Write the secret to each consumer's volume, and print where it comes from."""
    files = [FOLDER / consumer / name for consumer in CONSUMERS[name]]
    if not value and name in ONLY_GIVEN:
        for file in files:
            file.unlink(missing_ok=True)
        print(f"{name}: not created")
        return
    source = "given" if value else "kept"
    if not value and not (value := kept(files)):
        value, source = secrets.token_urlsafe(32), "random"
    for file in files:
        write(file, value)
    print(f"{name}: {source}")


def bus_passwords() -> str:
    """What deploy/nats/nats.conf includes. ALLOWED has no character that ends a string there."""
    values = {user: (FOLDER / "nats" / f"bus_{user}").read_text() for user in ("collector", "follower")}
    return "".join(f'{user.upper()}_PASSWORD: "{value}"\n' for user, value in values.items())


def kept(files: Iterable[Path]) -> str:
    """The value that an earlier start wrote for any of the consumers; else empty."""
    return next((secret for file in files if file.exists() and (secret := file.read_text())), "")


def write(file: Path, secret: str) -> None:
    """Write atomically. Every user may read the file: containers with the volume run as different users."""
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
