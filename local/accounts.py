"""Unprivileged accounts: which user a server runs as when its parent is root."""

import os
import pwd
from typing import NotRequired, TypedDict


class Account(TypedDict):
    """The arguments of `subprocess` that run a child as another user. Empty: it runs as the parent's user."""

    user: NotRequired[int]
    group: NotRequired[int]
    extra_groups: NotRequired[list[int]]


class NoAccountError(OSError):
    """The machine has no unprivileged account to run a program as."""


def unprivileged_account(program: str, users: tuple[str, ...]) -> Account:
    """Root's choice for `program`: the first of `users` that exists. Empty for everybody else.

    Raises NoAccountError.
    """
    if os.geteuid() != 0:
        return {}
    for name in users:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return account_of(found.pw_uid, found.pw_gid)
    raise NoAccountError(f"{program} does not run as root, and there is no user {' or '.join(users)}")


def account_of(user: int, group: int) -> Account:
    """This user and group, and no other group."""
    return {"user": user, "group": group, "extra_groups": []}
