"""When a link tries again: how long it waits, and what of several failures is the one to tell."""

from __future__ import annotations

import random
from collections.abc import Iterator

from service.ami.client import LoginRefused, NotPermitted
from service.errors import CallServerUnavailable


def delays() -> Iterator[float]:
    """Seconds to wait before each next try: doubling from half a second to ten, with jitter so that replicas part."""
    base = 0.5
    while True:
        yield base * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
        base = min(base * 2, 10.0)


def is_refusal(error: CallServerUnavailable) -> bool:
    """Whether only an operator can mend it."""
    return isinstance(error, LoginRefused | NotPermitted)


def foremost(failures: BaseExceptionGroup[CallServerUnavailable]) -> CallServerUnavailable:
    """A refusal, if there is one; else whichever came first."""
    found: list[CallServerUnavailable] = []
    queue: list[BaseException] = [failures]
    while queue:
        error = queue.pop(0)
        if isinstance(error, BaseExceptionGroup):
            queue.extend(error.exceptions)
        elif isinstance(error, CallServerUnavailable):
            found.append(error)
    return next(filter(is_refusal, found), found[0])
