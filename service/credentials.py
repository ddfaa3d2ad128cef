"""Generates and verifies tokens, ids, SIP secrets and password hashes.

Tokens are 32 random bytes, base64url without padding (43 characters); only their SHA-256 is stored. One that is issued
with the scope `board` begins with BOARD_PREFIX: releases that know no scopes refuse it by its form. Passwords are
hashed with bcrypt, `$2b$12$` as in the contract. A hash takes about 0.2 s, so a few threads compute them, never the
event loop.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
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
BOARD_PREFIX = "board_"
_TOKEN = re.compile(rf"(?:{BOARD_PREFIX})?[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}", re.ASCII)
MIN_PASSWORD_LENGTH = 8
"""Minimum length of a new password in characters. Shorter stored ones stay valid."""
MAX_PASSWORD_BYTES = 72
"""bcrypt ignores further bytes, so a longer password is refused, not truncated."""

NO_PASSWORD = ""
"""Stored instead of a hash for a user who has no password yet: no password matches it."""

# Salt and digest of a hash that no password fits.
_UNMATCHABLE = "rVHDygCt5QKVt7OgK.D9KuQZHhpQnMP75Sg.8TgLMfw50bTQ8R2K."

_HASH = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)

MAX_COST = 16
"""Maximum cost of a hash that is compared, which takes seconds. Each step doubles the time: cost 31 takes a day."""

Rank = tuple[int, int]
"""Priority of a waiting password; the smallest comes first."""
FIRST: Rank = (-1, 0)
WAIT_DEADLINE = 5.0
"""Seconds that a password waits for a thread."""


def new_token() -> str:
    """Generate a token, in the form that the client gets."""
    return secrets.token_urlsafe(32)


def new_board_token() -> str:
    """Generate a token of a form that is only issued with the scope `board`."""
    return BOARD_PREFIX + new_token()


def is_token(text: str) -> bool:
    """Return whether the text has the form of a token."""
    return _TOKEN.fullmatch(text) is not None


def token_hash(token: str) -> bytes:
    """Return the token's SHA-256, 32 bytes, which is what is stored. Accepts any string, as clients may send any."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def new_uid() -> str:
    """Generate a uid of 17 characters."""
    return "".join(secrets.choice(UID_ALPHABET) for _ in range(UID_LENGTH))


def is_uid(text: str) -> bool:
    """Return whether the text has the form of a uid."""
    return len(text) == UID_LENGTH and all(letter in UID_ALPHABET for letter in text)


def new_sip_secret() -> str:
    """Generate a SIP password: 24 random bytes, base64url, so that no phone's configuration needs to quote it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(24)).decode()


def encode_new_password(password: str) -> bytes:
    """Encode a new password. Raises Invalid if it is too short, or if bcrypt would truncate it."""
    raw = password.encode("utf-8", "surrogatepass")
    if len(password) < MIN_PASSWORD_LENGTH or len(raw) > MAX_PASSWORD_BYTES or b"\0" in raw:
        raise Invalid(
            f"a password has at least {MIN_PASSWORD_LENGTH} characters, at most {MAX_PASSWORD_BYTES} bytes in UTF-8, "
            "and no NUL"
        )
    return raw


def is_hash(text: str) -> bool:
    """Return whether the text has the form of a stored hash rather than of a password."""
    return _HASH.fullmatch(text) is not None


class PasswordHasher:
    """Runs bcrypt in a bounded number of threads. A context manager, as it owns the threads.

    The queue is bounded too: when it is full, the entry with the lowest priority is rejected.
    """

    def __init__(self, *, threads: int = 2, waiting: int = 64, rounds: int = 12) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")
        self._free_threads = threads
        self._max_waiting = waiting
        self._waiting: dict[asyncio.Future[None], tuple[Rank, int]] = {}
        self._numbers = itertools.count()
        self._rounds = rounds

    def __enter__(self) -> PasswordHasher:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises Invalid, and Overloaded when the queue is full."""
        raw = encode_new_password(password)
        return (await self._run(FIRST, bcrypt.hashpw, raw, bcrypt.gensalt(self._rounds))).decode()

    async def verify(self, password: str, hashed: str | None, rank: Rank = FIRST) -> bool:
        """Return whether the password matches the hash.

        The time does not depend on whether the user is unknown (`hashed` None), the hash is malformed, or its cost is
        lower than ours. A hash with a cost above MAX_COST matches nothing, because its thread could not be stopped.
        Raises Overloaded when the queue is full or the wait takes too long.
        """
        raw = password.encode("utf-8", "surrogatepass")
        acceptable = bool(raw) and len(raw) <= MAX_PASSWORD_BYTES and b"\0" not in raw
        matches = await self._run(rank, _compare, raw if acceptable else b"-", hashed or "", self._rounds)
        return matches and acceptable

    async def _run(self, rank: Rank, work: Callable[..., T], *arguments: object) -> T:
        if self._free_threads:
            self._free_threads -= 1
        else:
            await self._wait_for_thread(rank)
        # A thread cannot be stopped: it is free when its work ends, not when the caller is cancelled.
        working = asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        working.add_done_callback(self._release_thread)
        return await asyncio.shield(working)

    async def _wait_for_thread(self, rank: Rank) -> None:
        """Wait until a thread is free and no entry with a higher priority waits. Raises Overloaded."""
        acquired: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[acquired] = rank, next(self._numbers)
        if len(self._waiting) > self._max_waiting:
            last = max(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[last]
            if not last.done():
                last.set_exception(Overloaded("too many passwords are waiting to be checked"))
        used = False
        try:
            async with asyncio.timeout(WAIT_DEADLINE):
                await acquired
            used = True
        except TimeoutError:
            raise Overloaded(f"a password was not checked within {WAIT_DEADLINE:g} s") from None
        finally:
            self._waiting.pop(acquired, None)
            if not used and acquired.done() and not acquired.cancelled() and acquired.exception() is None:
                self._release_thread(acquired)  # a thread was assigned after the caller had given up

    def _release_thread(self, _: object) -> None:
        while self._waiting:
            first = min(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[first]
            if not first.done():  # done: its caller has given up and has not run since
                first.set_result(None)
                return
        self._free_threads += 1


def _compare(password: bytes, hashed: str, rounds: int) -> bool:
    """Return whether the password matches. Takes at least as long as a hash of cost `rounds`."""
    parsed = _HASH.fullmatch(hashed)
    cost = int(parsed[1]) if parsed else rounds
    if cost > max(rounds, MAX_COST):
        parsed, cost = None, rounds
    stored = hashed if parsed else f"$2b${rounds:02}${_UNMATCHABLE}"
    try:
        matches = bcrypt.checkpw(password, stored.encode())
    except ValueError:  # it only has the form of a hash, such as an imported placeholder
        matches, cost = False, 3
    for missing in range(max(cost, 4), rounds):  # each costs twice as much as the one before
        bcrypt.checkpw(password, f"$2b${missing:02}${_UNMATCHABLE}".encode())
    return matches and parsed is not None
