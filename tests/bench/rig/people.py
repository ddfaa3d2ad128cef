"""People with an extension and a token each, as many as wanted: written straight into PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from local.demo_data import ADMIN_UID, REGISTRATION_PATH
from local.plan import DATABASE
from local.postgres import Postgres
from tests.bench.rig.request_file import LoadRequest

FIRST = 20_000
"""Extension and user id of the first."""
ADMIN_TOKENS = 2_000
AT_ONCE = 20_000
"""Written by one call of psql, which has a deadline: triggers see each row."""
SIP_PASSWORD = "my$up3erP@ssw0rd"

# The same as in the functions below: user ids hold no 0 and no 1.
SQL = """
insert into users (user_id, uid, name, passwd, user_type)
select n, translate(lpad(n::text, 17, 'x'), '01', 'ab'), 'bench' || n, '-', 'agent'
from generate_series({first}, {last}) as n on conflict do nothing;

insert into call_servers (name) select unnest('{call_servers}'::text[]) on conflict do nothing;

insert into extensions (extension, secret, call_server, user_id)
select n::text, '{password}', ('{call_servers}'::text[])[(n - {first_of_all}) / {per_call_server} + 1], n
from generate_series({first}, {last}) as n on conflict do nothing;

insert into tokens (token_hash, user_id, expires_at)
select sha256(convert_to('bench-' || lpad(n::text, 37, '0'), 'UTF8')), n, now() + interval '1 day'
from generate_series({first}, {last}) as n on conflict do nothing;

insert into tokens (token_hash, user_id, expires_at)
select sha256(convert_to('admin-' || lpad(n::text, 37, '0'), 'UTF8')), 1, now() + interval '1 day'
from generate_series(1, {admin_tokens}) as n on conflict do nothing;

analyze;
"""


def create(postgres: Postgres, count: int, database: str = DATABASE, call_servers: Sequence[str] = ("main",)) -> None:
    """Make the first `count` people, where they are not there; equal shares on these call servers, in their order."""
    for first in range(FIRST, FIRST + count, AT_ONCE):
        last = min(first + AT_ONCE, FIRST + count) - 1
        sql = SQL.format(
            first=first,
            last=last,
            password=SIP_PASSWORD,
            admin_tokens=ADMIN_TOKENS,
            call_servers=f"{{{','.join(call_servers)}}}",
            first_of_all=FIRST,
            per_call_server=count // len(call_servers),
        )
        postgres.sql(sql, database)


def numbers(count: int) -> list[str]:
    """Their extensions."""
    return [str(number) for number in range(FIRST, FIRST + count)]


def polls(count: int) -> list[LoadRequest]:
    """Each person's poll of their own registration info."""
    return [LoadRequest(f"{REGISTRATION_PATH}?id={_uid(n)}", headers_of(n)) for n in range(FIRST, FIRST + count)]


def headers_of(number: int) -> dict[str, str]:
    """Who the person with this number is."""
    return {"X-Auth-Token": f"bench-{number:037d}", "X-User-Id": _uid(number)}


def user_reads(count: int) -> list[LoadRequest]:
    """An admin's reads of each person."""
    return [
        LoadRequest(
            f"/user/{FIRST + number}",
            {"X-Auth-Token": f"admin-{number % ADMIN_TOKENS + 1:037d}", "X-User-Id": ADMIN_UID},
        )
        for number in range(count)
    ]


def _uid(number: int) -> str:
    return f"{number}".rjust(17, "x").translate(str.maketrans("01", "ab"))
