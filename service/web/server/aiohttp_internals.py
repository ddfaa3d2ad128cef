"""aiohttp's private names that the service uses, each with its purpose.

`FastPathConnection` alone uses them. With an aiohttp that lacks one, `HttpServer` makes a `BoundedConnection` for each
client, which needs public names only: see docs/decisions/0019.
"""

from __future__ import annotations

from typing import NamedTuple

import aiohttp
import structlog
from aiohttp import web
from aiohttp.http import HttpRequestParser

log = structlog.get_logger(__name__)


class PrivateName(NamedTuple):
    """An undocumented attribute of aiohttp."""

    owner: type
    name: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"


NAMES = (
    PrivateName(web.RequestHandler, "_messages", "queue of parsed requests: take one out and answer it without a task"),
    PrivateName(
        web.RequestHandler, "_waiter", "future of aiohttp's idle task: tell an idle connection from a busy one"
    ),
    PrivateName(web.RequestHandler, "_parser", "parser of the connection: report a request that was taken out"),
    PrivateName(HttpRequestParser, "message_consumed", "free the parser's slot of a request that was taken out"),
    PrivateName(web.RequestHandler, "_next_keepalive_close_time", "end of the keep-alive period: set it, read it"),
    PrivateName(web.RequestHandler, "_buffer_paused", "whether reading is paused until a buffer drains"),
    PrivateName(web.RequestHandler, "_pause_reading_for_buffer", "pause reading behind a request in progress"),
    PrivateName(web.RequestHandler, "_resume_reading_if_drained", "resume reading after that request"),
)
MISSING = tuple(str(each) for each in NAMES if not hasattr(each.owner, each.name))
"""The names that the installed aiohttp lacks. Its connections have `__slots__`, so the class has every attribute."""


def report_missing() -> None:
    """Log the names that the installed aiohttp lacks, if any."""
    if MISSING:
        log.warning("aiohttp_internals_missing", version=aiohttp.__version__, names=MISSING)
