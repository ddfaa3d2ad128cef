"""The snapshot of many custom devices. The last subject: with so many Asterisk itself becomes slow."""

from __future__ import annotations

from tests.bench.programs.storm_source import put
from tests.bench.report import Row
from tests.bench.rig.ami_socket import Ami
from tests.bench.rig.asterisk_config import BENCH
from tests.bench.rig.servers import Rig
from tests.bench.subjects.snapshot import compared

TITLE = "Snapshot of custom devices: the same"
DEVICES, AT_ONCE = 50_000, 500


def run(rig: Rig) -> list[Row]:
    """They come on top of whatever the subjects before have left."""
    with Ami(rig.asterisk.config.ami_port, BENCH, rig.secret) as ami:
        for first in range(0, DEVICES, AT_ONCE):
            put(ami, [(f"x{number}", "INUSE") for number in range(first, first + AT_ONCE)])
    return compared(rig, f"{DEVICES:,} custom devices", DEVICES, 0)
