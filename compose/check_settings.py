"""Rejects settings in `.env` that the project would ignore, before anything starts.

The environment holds all of `.env`. GIVEN lists the names that compose sets itself although `.env` sets them, UNUSED
those of variables that docker-compose.prod.yml does not use. After that it loads the service's own settings, which
rejects unknown names and invalid values.
"""

import os
import re
import sys

from service import settings
from service.errors import ConfigurationError

INSTEAD = {
    "HTTP_HOST": "HTTP_BIND says where HTTP is published",
    "HTTP_PORT": "HTTP_PORT, without CONNECTOR_, is the published port",
    "PUBLISHED_ON": "it is made from HTTP_BIND and PHONE_BIND",
    "DATABASE_URL": "the project has a PostgreSQL of its own",
    "DATABASE_PASSWORD": "SERVICE_DATABASE_PASSWORD",
    "OWNER_DATABASE_URL": "the project has a PostgreSQL of its own",
    "OWNER_DATABASE_PASSWORD": "OWNER_DATABASE_PASSWORD, without CONNECTOR_",
    "SECRETS_KEY": "SECRETS_KEY, without CONNECTOR_",
    "SECRETS_PREVIOUS_KEY": "SECRETS_PREVIOUS_KEY, without CONNECTOR_",
    "CALL_SERVERS__MAIN__HOST": "PHONE_HOST",
    "CALL_SERVERS__MAIN__WEBSOCKET_SCHEME": "WEBSOCKET_SCHEME",
    "CALL_SERVERS__MAIN__WEBSOCKET_PORT": "PHONE_WEBSOCKET_PORT",
    "CALL_SERVERS__MAIN__SIP_HOST": "PHONE_ADDRESS",
    "CALL_SERVERS__MAIN__SIP_PORT": "SIP_PORT",
    "CALL_SERVERS__MAIN__AMI_HOST": "`main` is the project's own Asterisk; add others in call-servers.env",
    "CALL_SERVERS__MAIN__MONITOR_SECRET": "AMI_MONITOR_SECRET",
    "CALL_SERVERS__MAIN__PRESENCE_SECRET": "AMI_PRESENCE_SECRET",
    "CALL_SERVERS__MAIN__SYNC_SECRET": "AMI_SYNC_SECRET",
    "CALL_SERVERS__MAIN__CREDENTIALS": "`main` reads its endpoints from the project's PostgreSQL",
    "CALL_SERVERS__MAIN__CREDENTIALS_USERNAME": "`main` reads its endpoints from the project's PostgreSQL",
    "CALL_SERVERS__MAIN__CREDENTIALS_SECRET": "`main` reads its endpoints from the project's PostgreSQL",
    "CALL_SERVERS__MAIN__DATABASE_ROLE": "the project's Asterisk reads as asterisk_main",
    "CALL_SERVERS__MAIN__DATABASE_PASSWORD": "ASTERISK_DATABASE_PASSWORD",
}
"""Settings that compose sets itself, each with what an operator sets instead. The name of a secret may end in _FILE."""
BESIDES = 10.0
"""Seconds after its deadline that the service needs to close links and connections."""
OWN = f"{settings.PREFIX}CALL_SERVERS__MAIN__"


def main() -> int:
    given = os.environ.pop("GIVEN", "").split()
    mistakes = [f"  {name}: compose sets it: {INSTEAD[known(name)]}" for name in given]
    mistakes += [f"  {name}: docker-compose.prod.yml does not use it" for name in os.environ.get("UNUSED", "").split()]
    others = [name for name in sorted(os.environ) if name.startswith(f"{settings.PREFIX}CALL_SERVERS__")]
    for name in others:
        if not name.startswith(OWN):
            mistakes.append(f"  {name}: further call servers belong in call-servers.env")
            del os.environ[name]
    try:
        mistakes += grace_period_errors(settings.load().shutdown_deadline, os.environ.get("STOP_GRACE_PERIOD", ""))
    except ConfigurationError as error:
        mistakes += str(error).splitlines()[1:]
    if mistakes:
        print("error: .env has invalid settings:", *mistakes, sep="\n", file=sys.stderr)
        return 2
    print("the settings are valid")
    return 0


def grace_period_errors(deadline: float, period: str) -> list[str]:
    """An error if Docker would kill the service before its deadline. `period` is a duration as Docker writes it."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", period)
    if parts is None or not period:
        return [f"  STOP_GRACE_PERIOD: {period!r} is no duration such as 20s or 1m30s"]
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    if hours * 3600 + minutes * 60 + seconds >= deadline + BESIDES:
        return []
    return [f"  STOP_GRACE_PERIOD: {period} is not {BESIDES:g} s more than CONNECTOR_SHUTDOWN_DEADLINE, {deadline:g} s"]


def known(name: str) -> str:
    """The key of INSTEAD."""
    return name.removeprefix(settings.PREFIX).removesuffix("_FILE")


if __name__ == "__main__":
    sys.exit(main())
