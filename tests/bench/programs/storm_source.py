"""Sets the states of custom devices as fast as Asterisk takes them, or at a pace.

    AMI_SECRET=... python -m tests.bench.programs.storm_source PORT ROUND CHANGES DEVICES PER_SECOND

First comes a change of the device `Custom:begin-ROUND`, last one of `Custom:end-ROUND`. PER_SECOND 0 is as fast as
possible. Tells when the last change was answered, in seconds of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import os
import sys
import time

from tests.bench.rig.ami_socket import Ami
from tests.bench.rig.asterisk_config import BENCH
from tests.bench.rig.processes import emit

WINDOW, PACED_WINDOW = 500, 50
"""Changes that are sent before the answers to earlier ones are waited for."""
STATES = ("INUSE", "NOT_INUSE", "RINGING", "BUSY")


def main(port: int, name: str, changes: int, devices: int, per_second: int) -> None:
    with Ami(port, BENCH, os.environ["AMI_SECRET"]) as ami:
        began = time.monotonic()
        put(ami, [(f"begin-{name}", "INUSE")])
        window = PACED_WINDOW if per_second else WINDOW
        for first in range(0, changes, window):
            numbers = range(first, min(first + window, changes))
            put(ami, [(f"d{number % devices}", STATES[number // devices % 4]) for number in numbers])
            if per_second:
                time.sleep(max(0.0, began + numbers.stop / per_second - time.monotonic()))
        put(ami, [(f"end-{name}", "INUSE")])
        emit(began=began, ended=time.monotonic())


def put(ami: Ami, changes: list[tuple[str, str]]) -> None:
    """Send changes in one write and wait for their answers."""
    text = (
        f"Action: Setvar\r\nVariable: DEVICE_STATE(Custom:{name})\r\nValue: {state}\r\n\r\n" for name, state in changes
    )
    ami.send("".join(text))
    answers, tail = 0, b""
    while answers < len(changes):
        data = tail + ami.read()
        answers += data.count(b"Response: Success\r\n")
        tail = data[data.rfind(b"\n") + 1 :]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
