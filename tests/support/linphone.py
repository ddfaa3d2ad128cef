"""A real Linphone for tests, where the machine's mirrors carry it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from local import linphone
from local.debian import distribution
from local.linphone import Linphone

CARRIED = distribution() == "debian"
"""Whether this machine's mirrors carry the release that is tested. Where they do not, as on Ubuntu, its tests are not
collected: see the conftest.py of tests/integration/phones/linphone."""
NewLinphone = Callable[..., Linphone]


@contextlib.asynccontextmanager
async def started(phone: Linphone) -> AsyncIterator[Linphone]:
    """The phone runs until the block ends."""
    phone.start()  # in this thread: the child ends with the thread that started it
    try:
        yield phone
    finally:
        await asyncio.to_thread(phone.stop)


async def reaches(phone: Linphone, *states: str) -> str:
    """The newest of these states, as soon as the phone had one."""
    return await asyncio.to_thread(phone.wait_for, *states)


async def registers(phone: Linphone) -> bool:
    """Whether Asterisk accepts the phone's registration."""
    return await reaches(phone, "RegistrationOk", "RegistrationFailed") == "RegistrationOk"


@pytest.fixture(scope="session")
def linphone_packages() -> Path:
    """The packages: a test has a deadline, their download has none."""
    return linphone.packages_root()


@pytest.fixture
def new_linphone(linphone_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> NewLinphone:
    """Makes a phone that knows nothing but a URL, and is not started yet."""
    return lambda url, **options: Linphone(tmp_path_factory.mktemp("linphone"), url, **options)
