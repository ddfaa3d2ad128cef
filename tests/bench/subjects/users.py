"""`GET /user/{user_id}`, beside a bare handler over `pool.fetchrow`."""

from __future__ import annotations

from service.db import sql
from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.servers import PEOPLE, Rig
from tests.bench.rig.targets import Target, measure, seen

TITLE = f"GET /user/{{user_id}} of {PEOPLE:,} people: 64 connections, keep-alive"


def run(rig: Rig) -> list[Row]:
    """Both read the user's row at each request; the bare one asks nobody for a token."""
    asked = people.user_reads(PEOPLE)
    reads = rig.asked("users", asked)
    service = rig.served()
    _, headers = seen(service.url, asked[0])
    with rig.bare("user", {"statement": sql.load("users")["get"], "headers": headers}) as bare:
        ours = Target("service", service.url, service.pid, reads)
        least = Target("bare handler over pool.fetchrow", bare.url, bare.pid, reads)
        measure([ours, least], rig.postgres_pid)
    postgres = [
        Row(f"{target.name}: PostgreSQL's CPU per answer", target.postgres_cpu, "us") for target in (ours, least)
    ]
    return [
        *(target.rate_row() for target in (ours, least)),
        *(target.cpu_row() for target in (ours, least)),
        *postgres,
        ratio("service / bare handler, CPU", ours.cpu_row(), least.cpu_row(), "<= 0.57"),
        ratio("the same for PostgreSQL", postgres[0], postgres[1]),
    ]
