"""Registration polls, beside a service that asks Asterisk for each: what following it is worth."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from urllib.request import urlopen

from local import ports
from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.asterisk_config import BENCH
from tests.bench.rig.processes import BenchError, Program
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.servers import PEOPLE, Rig, Served
from tests.bench.rig.targets import Target, measure

TITLE = "Registration polls, beside a service that asks AMI for each poll (stock panoramisk, one connection)"
ROUNDS = 3


def run(rig: Rig) -> list[Row]:
    """CPU of the services, and of the services with Asterisk's."""
    polls = rig.asked("polls", people.polls(PEOPLE))
    numbers = rig.asked("numbers", [LoadRequest(f"/poll?extension={number}") for number in people.numbers(PEOPLE)])
    service = rig.served()
    with _asking(rig, "show") as show, _asking(rig, "getvar") as getvar:
        ours = Target("service", service.url, service.pid, polls, rig.asterisk_pid)
        shown = Target("asking PJSIPShowEndpoint", show.url, show.pid, numbers, rig.asterisk_pid)
        got = Target("asking Getvar, for the state alone", getvar.url, getvar.pid, numbers, rig.asterisk_pid)
        targets = (ours, shown, got)
        measure(targets, rig.postgres_pid, rounds=ROUNDS)
    both = {target: Row("", target.with_other()) for target in targets}
    return [
        *(target.rate_row() for target in targets),
        *(target.cpu_row() for target in targets),
        ratio("service / asking PJSIPShowEndpoint, CPU", ours.cpu_row(), shown.cpu_row(), "<= 0.1"),
        ratio("service / asking Getvar, CPU", ours.cpu_row(), got.cpu_row()),
        ratio("service / asking PJSIPShowEndpoint, CPU with Asterisk's", both[ours], both[shown]),
        ratio("service / asking Getvar, CPU with Asterisk's", both[ours], both[got]),
    ]


@contextlib.contextmanager
def _asking(rig: Rig, what: str) -> Iterator[Served]:
    port = ports.free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = (port, rig.asterisk.config.ami_port, BENCH, what)
    with Program("tests.bench.programs.ami_service", *arguments, environment={"AMI_SECRET": rig.secret}) as program:
        program.line()
        with urlopen(f"{url}/poll?extension={people.FIRST}", timeout=5) as answer:  # noqa: S310 - loopback
            told = json.load(answer)
        if told["state"] not in ("Not in use", "NOT_INUSE"):  # it is the one with a phone
            raise BenchError(f"Asterisk tells no state: {told}")
        yield Served(url, program.pid)
