"""Translates errors of the driver, the server and the system into this service's errors. One pure function decides.

An error of the caller becomes `Refused`. One that may pass, by itself or by an operator's action, becomes
`DatabaseUnavailable`. One that only our own code can cause is a bug and stays untranslated. No list of errors is
complete: so SQLSTATE classes decide, single SQLSTATEs only where they differ from their class, and an unknown one means
`DatabaseUnavailable`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from types import TracebackType

import asyncpg

from service.errors import (
    AlreadyExists,
    ConfigurationError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    Invalid,
    NotFound,
    Refused,
    RowUnreadable,
    ServiceError,
    StatementOutdated,
)

_CALLER_ERROR_CLASSES = frozenset(
    {
        "22",  # data exception
        "23",  # integrity constraint violation
        "44",  # with check option violation
    }
)
_READ_ONLY = "25006"
_STATEMENT_BUGS = frozenset(
    {
        "25001",  # active transaction
        "25P01",  # no active transaction
        "25P02",  # in a failed transaction
        "42601",  # syntax
        "42602",  # invalid name
        "42622",  # name too long
        "42712",  # duplicate alias
        "42803",  # grouping
        "42P02",  # undefined parameter
        "42P03",  # duplicate cursor
        "42P08",  # ambiguous parameter
        "42P09",  # ambiguous alias
        "42P10",  # invalid column reference
        "42P18",  # indeterminate type
        "42P19",  # recursion
        "42P20",  # windowing
    }
)
"""SQLSTATEs that follow from the text and order of statements alone, whatever the schema, privileges and settings."""
_OPERATOR_CLASSES = frozenset({"28", "3D", "42"})
"""Classes in which the server answers but an operator must act, mostly by running `migrate`."""


def translate(error: BaseException, *, lost: bool = False) -> ServiceError | None:
    """Translate an error; None for a bug of ours. `lost`: its connection is closed, or was never opened."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, asyncpg.DataError) and error.severity is None:
        return _translate_driver_error(error)
    if isinstance(error, asyncpg.PostgresError):
        return _translate_server_error(error)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return ConfigurationError(f"the database URL cannot be used: {_text(error)}")
    if isinstance(error, asyncpg.InterfaceError) and not lost:
        return None
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return DatabaseUnavailable("PostgreSQL is a standby, or takes no changes: no server is the primary")
    if isinstance(error, asyncpg.OutdatedSchemaCacheError):
        return StatementOutdated(f"PostgreSQL's types have changed: {_text(error)}")
    if not is_driver_error(error):
        return None
    if isinstance(error, ValueError | ArithmeticError) and not isinstance(error, OSError | asyncpg.InterfaceError):
        return RowUnreadable(f"the driver cannot read a row: {_text(error)}")
    return DatabaseUnavailable(f"PostgreSQL is out of reach: {_text(error)}")


def is_driver_error(error: BaseException) -> bool:
    """Return whether the driver, the server or the system raised the error, perhaps through a wrapper of the driver."""
    if isinstance(error, OSError | EOFError | TimeoutError | asyncpg.PostgresError):
        return True
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    return _has_driver_frame(error.__traceback__)


@contextlib.contextmanager
def translated(lost: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Translate errors that the block raises. A bug passes untranslated."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        translation = translate(_unwrapped(error), lost=lost())
        if translation is None:
            raise
        # The server's details may hold the whole row, and the driver's the parameters: neither may reach a traceback.
        raise translation from (None if isinstance(translation, Refused) else error)


@contextlib.contextmanager
def raises_unavailable() -> Iterator[None]:
    """For background tasks that retry: every driver error becomes DatabaseUnavailable."""
    try:
        with translated():
            yield
    except DatabaseUnavailable:
        raise
    except ServiceError as error:
        raise DatabaseUnavailable(f"PostgreSQL refuses us: {_text(error)}") from error
    except Exception as error:
        if not is_driver_error(_unwrapped(error)):
            raise
        raise DatabaseUnavailable(f"the driver refuses us: {_text(error)}") from error


def _translate_server_error(error: asyncpg.PostgresError) -> ServiceError | None:
    """Translate by SQLSTATE, which the server sends even if the driver has no class for it."""
    state = error.sqlstate or ""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return StatementOutdated(f"PostgreSQL's tables have changed: {_text(error)}")
    if state == "23505":
        return AlreadyExists(_unique_violation_text(error))
    if state == "23503":
        return NotFound(error.detail or error.args[0])
    if state[:2] in _CALLER_ERROR_CLASSES:
        return Invalid(error.args[0])  # not its detail, which holds the whole row, secrets included
    if state in _STATEMENT_BUGS:
        return None
    if state == _READ_ONLY:
        return DatabaseReadOnly(f"PostgreSQL takes no changes: {error.args[0]}")
    if state[:2] in _OPERATOR_CLASSES:
        return DatabaseUnavailable(f"PostgreSQL refuses us: {_text(error)}")
    return DatabaseUnavailable(f"PostgreSQL is out of reach: {_text(error)}")


def _translate_driver_error(error: asyncpg.PostgresError) -> ServiceError | None:
    """Translate the driver's own refusal of a value. Its text holds the value. A value of a wrong type is a bug."""
    if isinstance(error.__cause__, TypeError):
        return None
    return Invalid("a value is out of range, or holds what is no text")


def _unique_violation_text(error: asyncpg.PostgresError) -> str:
    """Rephrase `Key (folded(name))=(ada) already exists.` for people."""
    match = re.fullmatch(r"Key \(.*\)=\((.*)\) already exists\.", error.detail or "", re.DOTALL)
    return f"{match[1]} is taken" if match else str(error.args[0])


def _unwrapped(error: BaseException) -> BaseException:
    """Return the driver's error inside a wrapper such as SQLAlchemy's."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError):
            return inner
        inner = inner.__cause__
    return error


def _has_driver_frame(trace: TracebackType | None) -> bool:
    """Return whether the traceback has a frame of the driver, which passes on errors of codecs and the event loop."""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "asyncpg":
            return True
        trace = trace.tb_next
    return False


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
