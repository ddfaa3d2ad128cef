"""How long a revoked token lives in another process, beside the least that LISTEN and NOTIFY take."""

from __future__ import annotations

from statistics import quantiles
from urllib.parse import urlsplit

from local import ports
from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import Program
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import stage

TITLE = "A token is deleted: until the service refuses it, beside until a bare LISTEN heard of it"
PEOPLE, ROUNDS = 1_800, 3


def run(rig: Rig) -> list[Row]:
    """Every second token is for either side: both have the same moments."""
    found: dict[tuple[str, int], list[float]] = {(what, p): [] for what in ("refused", "told") for p in (50, 99)}
    polls = people.polls(PEOPLE)
    with stage(rig, PEOPLE) as on:
        listener = ports.free_port()
        url = rig.database(f"stage_{PEOPLE}", PEOPLE)
        environment = {
            "BENCH_DATABASE_URL": url,
            "BENCH_DATABASE_PASSWORD": rig.plan.secrets["service_database"],
        }
        port = urlsplit(on.service.url).port
        with Program("tests.bench.programs.notify_listener", listener, environment=environment) as listening:
            listening.line()
            for first in range(0, PEOPLE, PEOPLE // ROUNDS):
                file = rig.asked("revoked", polls[first : first + PEOPLE // ROUNDS])
                with Program("tests.bench.programs.revoker", file, port, listener, environment=environment) as revoking:
                    told = revoking.line()
                for what in ("refused", "told"):
                    cuts = quantiles(told[what], n=100)
                    for percent in (50, 99):
                        found[what, percent].append(cuts[percent - 1] * 1000)
    rows = {
        percent: (
            Row(f"refused by the service, p{percent}", found["refused", percent], "ms"),
            Row(f"heard by a bare LISTEN, p{percent}", found["told", percent], "ms"),
        )
        for percent in (50, 99)
    }
    return [
        *rows[50],
        *rows[99],
        ratio("refused / heard, p50", *rows[50]),
        ratio("refused / heard, p99", *rows[99], "<= 3"),
    ]
