"""What is wrong with single extensions, said once for each, and not for thousands at once."""

from __future__ import annotations

import logging

import structlog

SAID = 20
"""Extensions that are named, at most, until some of them are well again. Of 20,000 the log would tell nothing."""


class ExtensionWarnings:
    """Log lines about extensions. Each is said once at its level; repeats, and what is too much, at debug."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self._said: dict[str, set[str]] = {}  # events by extension
        self._too_many = False

    def log(self, level: int, event: str, extension: str, **fields: object) -> None:
        """Something is wrong with this extension."""
        said = self._said.get(extension)
        if said is None and len(self._said) >= SAID:
            if not self._too_many:
                self._log.warning("extension_warnings_suppressed", limit=SAID)
            self._too_many = True
            level = logging.DEBUG
        elif said is not None and event in said:
            level = logging.DEBUG
        else:
            self._said.setdefault(extension, set()).add(event)
        self._log.log(level, event, extension=extension, **fields)

    def over(self, extension: str) -> None:
        """It is well again, or gone: what happens to it next is news."""
        self._said.pop(extension, None)
        if not self._said:
            self._too_many = False
