"""What the driver may raise, all of it: the caller's fault, not now or a bug; for feeders always not now."""

from __future__ import annotations

import errno
import socket
import ssl
import string

import asyncpg
import pytest
from asyncpg import exceptions
from hypothesis import given
from hypothesis import strategies as st

from service.db.errors import raises_unavailable, translate, translated
from service.errors import (
    AlreadyExists,
    ConfigurationError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    Invalid,
    NotFound,
    Refused,
    ServiceError,
    StatementOutdated,
)

SECRET = "hunter2"
SERVER = sorted(
    {kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, asyncpg.PostgresError)},
    key=lambda kind: kind.__name__,
)
CLIENT = sorted(
    {
        kind
        for kind in vars(exceptions).values()
        if isinstance(kind, type) and issubclass(kind, asyncpg.InterfaceError | asyncpg.InternalClientError)
    },
    key=lambda kind: kind.__name__,
)
SYSTEM = [
    OSError(errno.ENETUNREACH, "x"),
    ConnectionResetError(),
    BrokenPipeError(),
    socket.gaierror(-2, "x"),
    ssl.SSLError("x"),
    ssl.SSLCertVerificationError("x"),
    TimeoutError(),
    EOFError(),
]


def from_server(state: str, **fields: str) -> asyncpg.PostgresError:
    """An error as the driver makes it of the server's message."""
    return asyncpg.PostgresError.new({"S": "ERROR", "V": "ERROR", "C": state, "M": "told", **fields})


def for_request(error: Exception, *, lost: bool = False) -> Exception:
    """What a request meets."""
    with pytest.raises(Exception) as raised, translated(lambda: lost):  # noqa: PT011 - any is the point
        raise error
    return raised.value


def for_feeder(error: Exception) -> Exception:
    """What a feeder or a writer meets."""
    with pytest.raises(Exception) as raised, raises_unavailable():  # noqa: PT011
        raise error
    return raised.value


def test_there_are_as_many_classes_as_expected() -> None:
    assert len(SERVER) > 250
    assert len(CLIENT) > 6


@pytest.mark.parametrize("kind", SERVER, ids=lambda kind: kind.__name__)
def test_no_error_of_the_server_ends_a_feeder_and_each_is_decided_for_a_request(
    kind: type[asyncpg.PostgresError],
) -> None:
    error = from_server(kind.sqlstate or "ZZ999")
    assert isinstance(for_feeder(error), DatabaseUnavailable)
    decided = translate(error)
    assert decided is None or isinstance(decided, DatabaseUnavailable | Refused)
    assert for_request(error) is error if decided is None else type(for_request(error)) is type(decided)


@pytest.mark.parametrize("kind", [*SERVER, *CLIENT], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("lost", [True, False])
def test_no_error_without_the_servers_fields_ends_a_feeder(kind: type[Exception], lost: bool) -> None:
    error = kind("told")
    assert isinstance(for_feeder(error), DatabaseUnavailable)
    decided = translate(error, lost=lost)
    assert decided is None or isinstance(decided, ServiceError)


@pytest.mark.parametrize("error", SYSTEM, ids=repr)
def test_what_the_system_raises_is_not_now(error: Exception) -> None:
    assert isinstance(for_feeder(error), DatabaseUnavailable)
    assert isinstance(for_request(error), DatabaseUnavailable)


@given(st.text(string.ascii_uppercase + string.digits, min_size=5, max_size=5))
def test_a_sqlstate_that_nobody_knows_is_decided_by_its_class_and_else_not_now(state: str) -> None:
    decided = translate(from_server(state))
    if state[:2] in ("22", "23", "44"):
        assert isinstance(decided, Refused)
    elif state[:2] not in ("25", "42"):
        assert isinstance(decided, DatabaseUnavailable)
    assert isinstance(for_feeder(from_server(state)), DatabaseUnavailable)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ("25006", DatabaseReadOnly),  # a read-only transaction, and much of what a standby refuses
        ("57P03", DatabaseUnavailable),  # starting, recovering
        ("55P03", DatabaseUnavailable),  # lock timeout
        ("57014", DatabaseUnavailable),  # statement timeout, cancelled
        ("53100", DatabaseUnavailable),  # disk full
        ("53300", DatabaseUnavailable),  # too many connections
        ("42501", DatabaseUnavailable),  # no permission
        ("42P01", DatabaseUnavailable),  # no such table, while a migration runs
        ("42703", DatabaseUnavailable),  # no such column
        ("42883", DatabaseUnavailable),  # no such function
        ("0A000", DatabaseUnavailable),  # not supported, by a pooler for instance
        ("26000", DatabaseUnavailable),  # no such prepared statement: a pooler's transaction mode
        ("42P05", DatabaseUnavailable),  # duplicate prepared statement: the same
        ("28P01", DatabaseUnavailable),  # wrong password
        ("3D000", DatabaseUnavailable),  # no such database
        ("40P01", DatabaseUnavailable),  # deadlock
        ("25P03", DatabaseUnavailable),  # idle in a transaction for too long
        ("XX000", DatabaseUnavailable),  # the server's own bug
        ("23505", AlreadyExists),
        ("23503", NotFound),
        ("23514", Invalid),
        ("22021", Invalid),  # NUL in a text
        ("22P05", Invalid),  # no such character in the database's encoding
        ("P0001", DatabaseUnavailable),  # a function of an operator's fails; one that judges values has class 23
        ("42601", None),  # syntax
        ("42P02", None),  # a parameter that was never given
        ("25P02", None),  # went on after an error
    ],
)
def test_what_servers_say_most_often(state: str, wanted: type[Exception] | None) -> None:
    decided = translate(from_server(state))
    assert type(decided) is wanted if wanted else decided is None


def test_a_cached_plan_is_told_apart_whatever_the_servers_language() -> None:
    error = from_server("0A000", R="RevalidateCachedQuery", M="der Plan darf den Ergebnistyp nicht ändern")
    assert type(translate(error)) is StatementOutdated
    assert type(translate(asyncpg.OutdatedSchemaCacheError("x"))) is StatementOutdated


def test_misuse_of_the_driver_is_a_bug_while_the_line_is_well_and_an_outage_when_it_broke() -> None:
    error = asyncpg.InterfaceError("the server expects 1 argument for this query, 0 were passed")
    assert for_request(error) is error
    assert isinstance(for_request(error, lost=True), DatabaseUnavailable)


def test_a_value_of_a_wrong_type_is_our_bug_and_one_out_of_range_is_the_callers() -> None:
    ours, theirs = asyncpg.DataError(f"invalid input: {SECRET!r}"), asyncpg.DataError(f"invalid input: {SECRET!r}")
    ours.__cause__, theirs.__cause__ = TypeError("expected str, got int"), OverflowError("value out of int64 range")
    assert for_request(ours) is ours
    refused = for_request(theirs)
    assert isinstance(refused, Invalid)
    assert SECRET not in str(refused)
    assert refused.__suppress_context__


def test_an_answer_does_not_hold_the_row_that_was_refused() -> None:
    refused = for_request(from_server("23514", M="violates check", D=f"Failing row contains ({SECRET})."))
    assert isinstance(refused, Invalid)
    assert SECRET not in str(refused)


def test_a_mistake_in_the_url_is_one_of_the_settings() -> None:
    assert isinstance(for_request(asyncpg.ClientConfigurationError("x"), lost=True), ConfigurationError)


def test_a_bug_of_ours_stays_one_for_everybody() -> None:
    error = KeyError("no_such_column")
    assert for_request(error) is error
    assert for_feeder(error) is error


def test_an_error_that_something_wraps_is_found() -> None:
    wrapped = RuntimeError("SQLAlchemy's")
    wrapped.__cause__ = from_server("55P03")
    assert isinstance(for_request(wrapped), DatabaseUnavailable)
