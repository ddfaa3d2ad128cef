"""Failures of a link: which one is reported, and which need an operator."""

from __future__ import annotations

from service.ami.client import ActionNotPermitted, AmiLoginRefused
from service.ami.unreachable_reasons import AmiUnreachable
from service.domain.status.facts import LinkFailure
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


def classify_failure(error: CallServerUnavailable) -> tuple[LinkFailure, str | None]:
    """The kind of a failure, and the remedy for it where one is known."""
    match error:
        case AmiLoginRefused():
            return LinkFailure.LOGIN_REFUSED, None
        case ActionNotPermitted():
            return LinkFailure.CLASS_MISSING, None
        case AmiUnreachable():
            return LinkFailure.UNREACHABLE, error.reason.value
    return LinkFailure.ENDED, None
