"""Registration polls of two processes, beside Asterisk's own REST interface, which tells the state alone, in C."""

from __future__ import annotations

from base64 import b64encode

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.asterisk_config import BENCH
from tests.bench.rig.processes import BenchError, wait_until_quiet
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.servers import PEOPLE, Rig
from tests.bench.rig.targets import Target, measure, seen

TITLE = "Registration polls of two workers, beside ARI's device states: 64 connections, keep-alive"
ROUNDS = 3


def ari(rig: Rig) -> list[LoadRequest]:
    """The state of each person's device, asked of Asterisk with one account for all."""
    login = b64encode(f"{BENCH}:{rig.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    return [LoadRequest(f"/ari/deviceStates/PJSIP%2F{number}", headers) for number in people.numbers(PEOPLE)]


def ari_base(rig: Rig) -> str:
    """Where it answers. Raises BenchError where it does not."""
    base = f"http://127.0.0.1:{rig.asterisk.config.http_port}"
    answer, _ = seen(base, ari(rig)[0])
    if "NOT_INUSE" not in answer:  # it is the one with a phone
        raise BenchError(f"ARI tells no state: {answer}")
    return base


def run(rig: Rig) -> list[Row]:
    """All three share two cores, and so does wrk: what it takes, they do not get."""
    rig.populate()
    polls, states = rig.asked("polls", people.polls(PEOPLE)), rig.asked("ari", ari(rig))
    with rig.another(CONNECTOR_WORKERS="2") as two:
        wait_until_quiet(two.pid, rig.asterisk_pid)
        ours = Target("two workers", two.url, two.pid, polls)
        theirs = Target("ARI deviceStates", ari_base(rig), rig.asterisk_pid, states)
        measure([ours, theirs], rig.postgres_pid, rounds=ROUNDS)
    return [
        *(target.rate_row() for target in (ours, theirs)),
        *(target.cpu_row() for target in (ours, theirs)),
        ratio("two workers / ARI, answers a second", ours.rate_row(), theirs.rate_row(), ">= 0.8"),
        ratio("two workers / ARI, CPU", ours.cpu_row(), theirs.cpu_row()),
    ]
