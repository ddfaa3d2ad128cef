"""Tokens, ids, secrets, and passwords."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from random import Random, randrange
from time import process_time

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.credentials import (
    TOKEN_LENGTH,
    UID_ALPHABET,
    PasswordHasher,
    is_uid,
    new_sip_secret,
    new_token,
    new_uid,
    token_hash,
)
from service.errors import Invalid, Overloaded


@pytest.fixture
async def hasher() -> AsyncIterator[PasswordHasher]:
    with PasswordHasher(rounds=4) as made:
        yield made


def test_a_token_is_32_random_bytes_as_43_characters() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}", token) for token in tokens)


@settings(deadline=None)
@given(st.text())
def test_any_text_has_a_hash(text: str) -> None:
    assert len(token_hash(text)) == 32


@settings(deadline=None)
@given(st.text(st.sampled_from("\ud800\udbff\udc80\udcff\udfff"), min_size=1))
def test_half_surrogates_have_one_too(text: str) -> None:
    assert len(token_hash(text)) == 32


def test_an_id_is_17_characters_that_nobody_confuses() -> None:
    ids = {new_uid() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_uid(uid) for uid in ids)
    assert not set("01IOUVl") & set(UID_ALPHABET)
    assert is_uid("ByehQjC44FwMeiLbX")


@pytest.mark.parametrize(
    "text", ["", "ByehQjC44FwMeiLb", "ByehQjC44FwMeiLbXX", "ByehQjC44FwMeiLb0", "ByehQjC44FwMeiL\nX"]
)
def test_what_is_no_id_is_told_apart(text: str) -> None:
    assert not is_uid(text)


def test_a_sip_secret_needs_no_quoting_anywhere() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", new_sip_secret())


async def test_a_password_fits_its_own_hash_only(hasher: PasswordHasher) -> None:
    hashed = await hasher.hash("pässword")
    assert hashed.startswith("$2b$04$")
    assert await hasher.verify("pässword", hashed)
    assert not await hasher.verify("password", hashed)
    assert not await hasher.verify("pässword", None)


@pytest.mark.parametrize("password", ["", "seven77", "ü" * 7, "x" * 73, "é" * 37, "a\0bcdefgh"])
async def test_a_password_that_bcrypt_would_cut_is_refused_and_never_fits(
    hasher: PasswordHasher, password: str
) -> None:
    with pytest.raises(Invalid):
        await hasher.hash(password)
    assert not await hasher.verify(password, bcrypt.hashpw(b"-", bcrypt.gensalt(4)).decode())
    assert not await hasher.verify("x" * 73, bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode())


@pytest.mark.parametrize("stored", ["", "plain", "!", "$2b$", "$2b$12$short", "*LK*", "$1$md5$x", "ü"])
async def test_a_stored_hash_that_is_none_fits_nothing(hasher: PasswordHasher, stored: str) -> None:
    assert not await hasher.verify("x", stored)


async def test_a_hash_that_takes_hours_to_compare_fits_nothing_and_holds_no_thread(hasher: PasswordHasher) -> None:
    nobody = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ12345"
    async with asyncio.timeout(5):
        for cost in range(17, 32):
            assert not await hasher.verify("x", f"$2b${cost}${nobody}")


async def test_the_seeds_hash_can_be_checked(hasher: PasswordHasher) -> None:
    assert not await hasher.verify("wrong", "$2b$12$Z4Rs3ZKUzJwnoqaRS472D.UF5ZBMdAmAWd8umjZHMud3ulAh/GSgi")


async def test_more_than_may_wait_are_refused_and_the_loop_goes_on() -> None:
    with PasswordHasher(threads=1, waiting=2, rounds=4) as hasher:
        results = await asyncio.gather(*(hasher.hash("a password") for _ in range(10)), return_exceptions=True)
        assert sum(isinstance(result, Overloaded) for result in results) == 7
        assert (await hasher.hash("a password")).startswith("$2b$04$")


async def test_who_has_the_best_rank_is_next_and_who_has_the_worst_goes_when_too_many_wait() -> None:
    order = []
    with PasswordHasher(threads=1, waiting=3, rounds=4) as hasher:

        async def check(rank: int) -> None:
            try:
                await hasher.verify("x", None, (rank, 0))
                order.append(str(rank))
            except Overloaded:
                order.append(f"{rank} refused")

        await asyncio.gather(*map(check, (9, 5, 7, 6, 1, 8)))
    assert order == ["8 refused", "7 refused", "9", "1", "5", "6"]


async def test_a_client_that_gives_up_leaves_its_place_to_others() -> None:
    with PasswordHasher(threads=1, waiting=3, rounds=8) as hasher:
        async with asyncio.TaskGroup() as tasks:
            checks = [tasks.create_task(hasher.verify("x", None)) for _ in range(4)]
            await asyncio.sleep(0)
            for check in checks:
                check.cancel()
        assert await hasher.hash("a password")
        assert len(await asyncio.gather(*(hasher.hash("a password") for _ in range(4)))) == 4


CHEAP = bcrypt.hashpw(b"x", b"$2b$04$" + b"." * 22).decode()
"""With a salt that is always the same, as it is part of a test's name."""


@pytest.mark.parametrize("stored", [None, "!", "$2b$07$" + "." * 53, "$2b$99$" + "." * 53, CHEAP])
async def test_the_time_does_not_tell_what_is_stored(stored: str | None) -> None:
    """As much CPU for an unknown name, a placeholder and an imported, cheaper hash as for a hash of our own."""
    with PasswordHasher(rounds=9) as hasher:
        own = await hasher.hash("a password")

        async def quickest(hashed: str | None) -> float:
            times = []
            for _ in range(3):
                began = process_time()
                await hasher.verify("y", hashed)
                times.append(process_time() - began)
            return min(times)

        assert 0.5 < await quickest(stored) / await quickest(own) < 2


async def test_clients_that_give_up_at_any_moment_leave_every_thread_free_threads() -> None:
    seed = randrange(2**32)
    print("seed", seed)
    random = Random(seed)
    with PasswordHasher(threads=2, waiting=8, rounds=4) as hasher:
        checks: list[asyncio.Task[bool]] = []
        for _ in range(1_500):
            checks.append(asyncio.create_task(hasher.verify("x", None, (random.randrange(3), 0))))
            if random.random() < 0.5:
                random.choice(checks[-10:]).cancel()
            if random.random() < 0.6:
                await asyncio.sleep(0)
        await asyncio.gather(*checks, return_exceptions=True)
        async with asyncio.timeout(10):
            await asyncio.gather(*(hasher.hash("a password") for _ in range(4)))
        assert hasher._free_threads == 2
