"""What the driver, the server or the system may raise, and what that is for us: one pure function decides.

There are three answers. The caller's fault is a `Refused`. What may be better in a moment, or once an operator has
acted, is a `DatabaseUnavailable`. What only our own code can have caused is a bug, and stays what it is. No list of
errors is whole, so classes of SQLSTATEs are decided, single ones only where they differ from their class, and what is
not known at all is "not now".
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

_REFUSED_CLASSES = frozenset(
    {
        "22",  # data exception
        "23",  # integrity constraint violation
        "44",  # with check option violation
    }
)
_READ_ONLY = "25006"
_OUR_TEXT = frozenset(
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
"""What follows from a statement's text and order alone: no schema, right or setting makes it come or go."""
_REFUSES_US = frozenset({"28", "3D", "42"})
"""Classes in which the server is there, but an operator must act, `migrate` first of all."""


def fact(error: BaseException, *, lost: bool = False) -> ServiceError | None:
    """What an error is for us; None for a bug of ours. `lost`: its connection is closed, or there was none yet."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, asyncpg.DataError) and error.severity is None:
        return _by_driver(error)
    if isinstance(error, asyncpg.PostgresError):
        return _by_server(error)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return ConfigurationError(f"the database URL cannot be used: {_told(error)}")
    if isinstance(error, asyncpg.InterfaceError) and not lost:
        return None
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return DatabaseUnavailable("PostgreSQL is a standby, or takes no changes: no server is the primary")
    if isinstance(error, asyncpg.OutdatedSchemaCacheError):
        return StatementOutdated(f"PostgreSQL's types have changed: {_told(error)}")
    if not of_driver(error):
        return None
    if isinstance(error, ValueError | ArithmeticError) and not isinstance(error, OSError | asyncpg.InterfaceError):
        return RowUnreadable(f"the driver cannot read a row: {_told(error)}")
    return DatabaseUnavailable(f"PostgreSQL is out of reach: {_told(error)}")


def of_driver(error: BaseException) -> bool:
    """Whether the driver, the server or the system raised it, perhaps through what wraps the driver."""
    if isinstance(error, OSError | EOFError | TimeoutError | asyncpg.PostgresError):
        return True
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return True
    return _passed_the_driver(error.__traceback__)


@contextlib.contextmanager
def translated(lost: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Raise what the driver raises as this service's errors. A bug goes through as it is."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        found = fact(_unwrapped(error), lost=lost())
        if found is None:
            raise
        # An answer must not hold what the server told of the whole row, nor a traceback what the driver was given.
        raise found from (None if isinstance(found, Refused) else error)


@contextlib.contextmanager
def not_now() -> Iterator[None]:
    """For whoever goes on by itself, a feeder or a writer: whatever the driver raises is DatabaseUnavailable."""
    try:
        with translated():
            yield
    except DatabaseUnavailable:
        raise
    except ServiceError as error:
        raise DatabaseUnavailable(f"PostgreSQL refuses us: {_told(error)}") from error
    except Exception as error:
        if not of_driver(_unwrapped(error)):
            raise
        raise DatabaseUnavailable(f"the driver refuses us: {_told(error)}") from error


def _by_server(error: asyncpg.PostgresError) -> ServiceError | None:
    """By its SQLSTATE: `error.sqlstate` is the server's own word, also where the driver knows no class for it."""
    state = error.sqlstate or ""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return StatementOutdated(f"PostgreSQL's tables have changed: {_told(error)}")
    if state == "23505":
        return AlreadyExists(_taken(error))
    if state == "23503":
        return NotFound(error.detail or error.args[0])
    if state[:2] in _REFUSED_CLASSES:
        return Invalid(error.args[0])  # its detail holds the whole row, secrets included
    if state in _OUR_TEXT:
        return None
    if state == _READ_ONLY:
        return DatabaseReadOnly(f"PostgreSQL takes no changes: {error.args[0]}")
    if state[:2] in _REFUSES_US:
        return DatabaseUnavailable(f"PostgreSQL refuses us: {_told(error)}")
    return DatabaseUnavailable(f"PostgreSQL is out of reach: {_told(error)}")


def _by_driver(error: asyncpg.PostgresError) -> ServiceError | None:
    """The driver's own word on a value, before the server saw it; its text holds the value. A wrong type is a bug."""
    if isinstance(error.__cause__, TypeError):
        return None
    return Invalid("a value is out of range, or holds what is no text")


def _taken(error: asyncpg.PostgresError) -> str:
    """`Key (folded(name))=(ada) already exists.` is not for people."""
    found = re.fullmatch(r"Key \(.*\)=\((.*)\) already exists\.", error.detail or "", re.DOTALL)
    return f"{found[1]} is taken" if found else str(error.args[0])


def _unwrapped(error: BaseException) -> BaseException:
    """The driver's error within one that wraps it, as SQLAlchemy's do."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError):
            return inner
        inner = inner.__cause__
    return error


def _passed_the_driver(trace: TracebackType | None) -> bool:
    """Whether one of the frames is the driver's: it lets through what a codec or the event loop raises."""
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "asyncpg":
            return True
        trace = trace.tb_next
    return False


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
