"""What 1,000 softphones cost in log lines: while they register, while they poll, and when Asterisk restarts."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tests.bench.report import Row
from tests.bench.rig import people
from tests.bench.rig.processes import Program
from tests.bench.rig.servers import BOOT_DEADLINE, Rig

PHONES, INTERVAL, SECONDS = 1_000, 10, 60
RESTARTED = 60.0
"""Seconds that are counted from a restart of Asterisk on: the link, and all states, are there again long before."""
TITLE = f"Log lines of {PHONES:,} softphones that register, and poll every {INTERVAL} s, with the default level"


def run(rig: Rig) -> list[Row]:
    """Lines of each phase."""
    service = rig.served()
    polls = rig.asked("log-lines", people.polls(PHONES))
    before = rig.log_lines()
    with rig.phones(PHONES):
        registered = rig.log_lines()
        arguments = (urlsplit(service.url).port, PHONES // INTERVAL, SECONDS, polls)
        with Program("tests.bench.programs.paced_polls", *arguments) as client:
            client.line(2 * SECONDS)
        polled = rig.log_lines()
        rig.asterisk.stop()
        rig.asterisk.start()
        rig.asterisk.wait_ready(BOOT_DEADLINE)
        time.sleep(RESTARTED)
        restarted = rig.log_lines()
    return [
        Row(f"{PHONES:,} phones register", [registered - before], "lines", "<= 10"),
        Row("they poll for a minute", [polled - registered], "lines", "<= 1"),
        Row("Asterisk restarts", [restarted - polled], "lines", "<= 20"),
    ]
