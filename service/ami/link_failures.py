"""Failures of a link: which one is reported, and which only an operator can mend."""

from __future__ import annotations

from service.ami.client import ActionNotPermitted, AmiLoginRefused
from service.errors import CallServerUnavailable


def is_refusal(error: CallServerUnavailable) -> bool:
    """Whether only an operator can mend it."""
    return isinstance(error, AmiLoginRefused | ActionNotPermitted)


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
