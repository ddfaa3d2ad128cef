"""Tokens, ids, SIP secrets and password hashes: how they are made and compared.

Tokens are 32 random bytes, base64url without padding (43 characters); only their SHA-256 is stored. Passwords are
bcrypt, `$2b$12$` as in the seed, about 0.2 s each: they are worked on in threads, a few at a time, never on the loop.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from service.errors import Invalid, Overloaded

T = TypeVar("T")

UID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
UID_LENGTH = 17
TOKEN_LENGTH = 43
PASSWORD_BYTES = 72
"""bcrypt looks at no more; a longer password is refused, not cut."""

# The hash of a password that nobody has, of the usual cost: an unknown name takes as long as a wrong password.
_NOBODY = b"$2b$12$rVHDygCt5QKVt7OgK.D9KuQZHhpQnMP75Sg.8TgLMfw50bTQ8R2K."

_HASH = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}", re.ASCII)


def new_token() -> str:
    """A new token, as the client gets it."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a token: its SHA-256, 32 bytes. Total: any header value may come, and any string in JSON."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def new_uid() -> str:
    """A new 17-character user id."""
    return "".join(secrets.choice(UID_ALPHABET) for _ in range(UID_LENGTH))


def is_uid(text: str) -> bool:
    """Whether it could be somebody's id at all."""
    return len(text) == UID_LENGTH and all(letter in UID_ALPHABET for letter in text)


def new_sip_secret() -> str:
    """A new SIP password: 24 random bytes, base64url, so it needs no quoting in any phone's configuration."""
    return base64.urlsafe_b64encode(secrets.token_bytes(24)).decode()


def usable(password: str) -> bytes:
    """A new password's bytes. Raises Invalid for one that is empty, or that bcrypt would cut."""
    raw = password.encode("utf-8", "surrogatepass")
    if not raw or len(raw) > PASSWORD_BYTES or b"\0" in raw:
        raise Invalid(f"a password has 1 to {PASSWORD_BYTES} bytes in UTF-8 and no NUL")
    return raw


def is_hash(text: str) -> bool:
    """Whether it looks like what is stored of a password, rather than like one."""
    return _HASH.fullmatch(text) is not None


class PasswordHasher:
    """bcrypt in a bounded number of threads. Owns its threads: use it as a context manager."""

    def __init__(self, *, threads: int = 2, waiting: int = 64, rounds: int = 12) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")
        self._free = threads + waiting
        self._rounds = rounds

    def __enter__(self) -> PasswordHasher:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The bcrypt hash of a new password. Raises Invalid, and Overloaded when too many wait already."""
        return (await self._run(bcrypt.hashpw, usable(password), bcrypt.gensalt(self._rounds))).decode()

    async def verify(self, password: str, hashed: str | None) -> bool:
        """Whether the password fits. It takes as long for an unknown user (`hashed` None) as for a known one.

        Raises Overloaded when too many wait already.
        """
        raw = password.encode("utf-8", "surrogatepass")
        usable = bool(raw) and len(raw) <= PASSWORD_BYTES and b"\0" not in raw
        known = hashed.encode() if hashed is not None else _NOBODY
        try:
            fits = await self._run(bcrypt.checkpw, raw if usable else b"-", known)
        except ValueError:  # a stored hash that is none, such as an imported placeholder, fits nothing
            fits = False
        return fits and usable and hashed is not None

    async def _run(self, work: Callable[..., T], *arguments: object) -> T:
        if self._free <= 0:
            raise Overloaded("too many passwords are waiting to be checked")
        self._free -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        finally:
            self._free += 1
