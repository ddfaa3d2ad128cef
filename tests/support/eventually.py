"""Waiting for a condition, with a deadline. No test sleeps and hopes.

A wait ends with its event, so that a long deadline costs nothing but in a test that fails: the default suits a loaded
machine. A shorter one is for a result that a slower mechanism would bring as well.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(condition: Callable[[], Any], within: float = 30.0, what: str = "") -> Any:
    """The condition's first true value. Fails after `within` seconds, with its last value."""
    end = time.monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(
                f"not within {within:g} s: {what or inspect.getsource(condition).strip()}; last {value!r}"
            )
        await asyncio.sleep(0.02)


def wait_until(condition: Callable[[], object], within_s: float, what: str) -> None:
    """The same for tests without a loop. It asks rarely: the service limits what one token may ask."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"not within {within_s:g} s: {what}"
        time.sleep(0.1)
