"""Say what of `.env` the project would not heed, before anything is started: nothing that is set is ignored silently.

Sees all of `.env`; the names that compose sets itself come in GIVEN where somebody gave them as well. Then the
service's own settings are loaded, so that unknown names and bad values are told too.
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
    "CALL_SERVERS__MAIN__HOST": "PHONE_HOST",
    "CALL_SERVERS__MAIN__WEBSOCKET_SCHEME": "WEBSOCKET_SCHEME",
    "CALL_SERVERS__MAIN__WEBSOCKET_PORT": "PHONE_WEBSOCKET_PORT",
    "CALL_SERVERS__MAIN__AMI_HOST": "`main` is the project's own Asterisk; add others in call-servers.env",
    "CALL_SERVERS__MAIN__MONITOR_SECRET": "AMI_MONITOR_SECRET",
    "CALL_SERVERS__MAIN__PRESENCE_SECRET": "AMI_PRESENCE_SECRET",
    "CALL_SERVERS__MAIN__SYNC_SECRET": "AMI_SYNC_SECRET",
    "CALL_SERVERS__MAIN__DATABASE_ROLE": "the project's Asterisk reads as asterisk_main",
    "CALL_SERVERS__MAIN__DATABASE_PASSWORD": "ASTERISK_DATABASE_PASSWORD",
}
"""What compose sets itself, each with what an operator sets instead. A secret may also come by the name of its file."""
BESIDES = 10.0
"""Seconds that the service takes after its deadline to give up links and connections."""
OWN = f"{settings.PREFIX}CALL_SERVERS__MAIN__"


def main() -> int:
    given = os.environ.pop("GIVEN", "").split()
    mistakes = [f"  {name}: compose sets it: {INSTEAD[known(name)]}" for name in given]
    others = [name for name in sorted(os.environ) if name.startswith(f"{settings.PREFIX}CALL_SERVERS__")]
    for name in others:
        if not name.startswith(OWN):
            mistakes.append(f"  {name}: further call servers belong in call-servers.env")
            del os.environ[name]
    try:
        mistakes += too_short_a_grace(settings.load().shutdown_deadline, os.environ.get("STOP_GRACE_PERIOD", ""))
    except ConfigurationError as error:
        mistakes += str(error).splitlines()[1:]
    if mistakes:
        print("error: .env cannot be used:", *mistakes, sep="\n", file=sys.stderr)
        return 2
    print("the settings can be used")
    return 0


def too_short_a_grace(deadline: float, period: str) -> list[str]:
    """Whether Docker would kill the service before its deadline is over. `period` is in Docker's spelling."""
    parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", period)
    if parts is None or not period:
        return [f"  STOP_GRACE_PERIOD: {period!r} is no period such as 20s or 1m30s"]
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    if hours * 3600 + minutes * 60 + seconds >= deadline + BESIDES:
        return []
    return [f"  STOP_GRACE_PERIOD: {period} is not {BESIDES:g} s more than CONNECTOR_SHUTDOWN_DEADLINE, {deadline:g} s"]


def known(name: str) -> str:
    """The key of INSTEAD."""
    return name.removeprefix(settings.PREFIX).removesuffix("_FILE")


if __name__ == "__main__":
    sys.exit(main())
