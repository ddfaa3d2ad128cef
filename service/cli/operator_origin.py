"""The origin of what a command changes, for the audit trail: the operating system's user and machine."""

from __future__ import annotations

import os
import pwd
import socket

from service.domain.audit import Actor, ActorKind, Origin


def command_line_origin() -> Origin:
    """Who runs this command, and on which machine. With `sudo` both users are named.

    The name comes from the effective user id, as environment variables are anybody's; `SUDO_USER` is only a hint.
    """
    user_id = os.geteuid()
    try:
        name = pwd.getpwuid(user_id).pw_name
    except KeyError:  # in a container any user id may run this
        name = f"user id {user_id}"
    if sudo_user := os.environ.get("SUDO_USER"):
        name = f"{name} (sudo: {sudo_user})"
    return Origin(Actor(ActorKind.COMMAND_LINE, name), socket.gethostname())
