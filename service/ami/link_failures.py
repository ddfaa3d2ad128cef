"""Failures of a link: which one is reported, and which need an operator."""

from __future__ import annotations

from service.ami.client import ActionNotPermitted, AmiLoginRefused
from service.errors import CallServerUnavailable


def is_refusal(error: CallServerUnavailable) -> bool:
    """Whether the failure needs an operator: a refused login or action."""
    return isinstance(error, AmiLoginRefused | ActionNotPermitted)


def failure_to_report(failures: BaseExceptionGroup[CallServerUnavailable]) -> CallServerUnavailable:
    """The first refusal; without one, the first failure."""
    found: list[CallServerUnavailable] = []
    queue: list[BaseException] = [failures]
    while queue:
        error = queue.pop(0)
        if isinstance(error, BaseExceptionGroup):
            queue.extend(error.exceptions)
        elif isinstance(error, CallServerUnavailable):
            found.append(error)
    return next(filter(is_refusal, found), found[0])
