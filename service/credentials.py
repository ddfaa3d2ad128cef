"""Tokens, ids, SIP secrets and password hashes: how they are made and compared.

Tokens are 32 random bytes, base64url without padding (43 characters); only their SHA-256 is stored. Passwords are
bcrypt, `$2b$12$` as in the seed, about 0.2 s each: they are worked on in threads, a few at a time, never on the loop.
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
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}", re.ASCII)
PASSWORD_LENGTH = 8
"""Characters that a new password has at least; what is stored already goes on working."""
PASSWORD_BYTES = 72
"""bcrypt looks at no more; a longer password is refused, not cut."""

# What follows the cost in the hash of a password that nobody has.
_NOBODY = "rVHDygCt5QKVt7OgK.D9KuQZHhpQnMP75Sg.8TgLMfw50bTQ8R2K."

_HASH = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}", re.ASCII)

MOST_ROUNDS = 16
"""The cost of the most expensive hash that is compared, which takes seconds. Each more doubles it: 31 takes a day."""

Rank = tuple[int, int]
"""Who comes first where many wait: the smallest."""
FIRST: Rank = (-1, 0)
WAIT_DEADLINE = 5.0
"""Seconds that a password waits for its turn."""


def new_token() -> str:
    """A new token, as the client gets it."""
    return secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    """Whether it could be a token at all."""
    return _TOKEN.fullmatch(text) is not None


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
    """A new password's bytes. Raises Invalid for one that is too short, or that bcrypt would cut."""
    raw = password.encode("utf-8", "surrogatepass")
    if len(password) < PASSWORD_LENGTH or len(raw) > PASSWORD_BYTES or b"\0" in raw:
        raise Invalid(
            f"a password has at least {PASSWORD_LENGTH} characters, at most {PASSWORD_BYTES} bytes in UTF-8, and no NUL"
        )
    return raw


def is_hash(text: str) -> bool:
    """Whether it looks like what is stored of a password, rather than like one."""
    return _HASH.fullmatch(text) is not None


class PasswordHasher:
    """bcrypt in a bounded number of threads. Owns its threads: use it as a context manager.

    A bounded number waits; where one too many comes, whoever has the worst rank goes.
    """

    def __init__(self, *, threads: int = 2, waiting: int = 64, rounds: int = 12) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="bcrypt")
        self._free = threads
        self._most = waiting
        self._waiting: dict[asyncio.Future[None], tuple[Rank, int]] = {}
        self._numbers = itertools.count()
        self._rounds = rounds

    def __enter__(self) -> PasswordHasher:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The bcrypt hash of a new password. Raises Invalid, and Overloaded when too many wait already."""
        return (await self._run(FIRST, bcrypt.hashpw, usable(password), bcrypt.gensalt(self._rounds))).decode()

    async def verify(self, password: str, hashed: str | None, rank: Rank = FIRST) -> bool:
        """Whether the password fits.

        It takes as long for an unknown user (`hashed` None), a hash that is none, and one that costs less than ours, as
        for a known one. A hash of more than MOST_ROUNDS fits nothing: a thread that compares it cannot be stopped.
        Raises Overloaded when too many wait already, or for too long.
        """
        raw = password.encode("utf-8", "surrogatepass")
        usable = bool(raw) and len(raw) <= PASSWORD_BYTES and b"\0" not in raw
        fits = await self._run(rank, _compared, raw if usable else b"-", hashed or "", self._rounds)
        return fits and usable

    async def _run(self, rank: Rank, work: Callable[..., T], *arguments: object) -> T:
        if self._free:
            self._free -= 1
        else:
            await self._turn(rank)
        # A thread cannot be stopped: its place is free when it is done, not when nobody waits for it any more.
        working = asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        working.add_done_callback(self._next)
        return await asyncio.shield(working)

    async def _turn(self, rank: Rank) -> None:
        """Wait until a thread is free and nobody with a better rank waits. Raises Overloaded."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[place] = rank, next(self._numbers)
        if len(self._waiting) > self._most:
            last = max(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[last]
            if not last.done():
                last.set_exception(Overloaded("too many passwords are waiting to be checked"))
        taken = False
        try:
            async with asyncio.timeout(WAIT_DEADLINE):
                await place
            taken = True
        except TimeoutError:
            raise Overloaded(f"a password was not checked within {WAIT_DEADLINE:g} s") from None
        finally:
            self._waiting.pop(place, None)
            if not taken and place.done() and not place.cancelled() and place.exception() is None:
                self._next(place)  # its turn came when it had gone

    def _next(self, _: object) -> None:
        while self._waiting:
            first = min(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[first]
            if not first.done():  # else whoever waited has given up, and has not had a turn of the loop yet
                first.set_result(None)
                return
        self._free += 1


def _compared(password: bytes, hashed: str, rounds: int) -> bool:
    """Whether the password fits the hash; in the time that a hash of so many rounds takes, if it has no more."""
    found = _HASH.fullmatch(hashed)
    cost = int(found[1]) if found else rounds
    if cost > max(rounds, MOST_ROUNDS):
        found, cost = None, rounds
    stored = hashed if found else f"$2b${rounds:02}${_NOBODY}"
    try:
        fits = bcrypt.checkpw(password, stored.encode())
    except ValueError:  # a stored hash that only looks like one, such as an imported placeholder, fits nothing
        fits, cost = False, 3
    for missing in range(max(cost, 4), rounds):  # each costs twice as much as the one before
        bcrypt.checkpw(password, f"$2b${missing:02}${_NOBODY}".encode())
    return fits and found is not None
