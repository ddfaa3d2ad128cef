"""Logging: one line per event, with fields; as JSON, or coloured for a console. No field ever holds a secret."""

from __future__ import annotations

import io
import logging
import sys
from typing import TextIO

import structlog

from service.request_context import request_id
from service.settings import Settings


def configure(settings: Settings, *, worker: int | None = None) -> None:
    """Write structlog's and the libraries' records to standard error in one format, with the worker's number."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    shared.append(_add_request_id)
    if worker is not None:
        shared.append(lambda _logger, _method, event: {"worker": worker, **event})
    if settings.log_format == "json":
        renderers: list[structlog.typing.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        renderers = [
            _escape_texts,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_format_exception),
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # At level debug panoramisk logs whole messages, secrets included.
    for name in ("panoramisk", "asyncio"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _add_request_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the id of the request that the current task answers."""
    current = request_id()
    return event if current is None or "request_id" in event else {"request_id": current, **event}


def _escape_texts(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escape the texts of a record, which may quote what a client sent. The renderer escapes only some of them."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _format_exception(target: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Write a traceback without variables, which the default would show if `rich` is installed, and escaped."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    target.write("\n".join(map(_escaped, text.getvalue().split("\n"))))


def _escaped(text: str) -> str:
    """Escape what is not printable: a terminal would obey it, and a line break would begin a record of its own."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
