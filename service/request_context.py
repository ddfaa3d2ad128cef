"""The id of the request that the current task answers, so that whatever it logs names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id() -> str | None:
    """Return the id; None outside of a request."""
    return _request_id.get()


@contextlib.contextmanager
def answering(id_: str) -> Iterator[None]:
    """Answer the request with this id in the block. Tasks that begin in it belong to the request too."""
    token = _request_id.set(id_)
    try:
        yield
    finally:
        _request_id.reset(token)
