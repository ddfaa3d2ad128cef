"""The service with as many people as wanted, beside a scripted AMI server: what a real Asterisk takes too long for.

Each stage has a database of its own, so that stages of several sizes can be measured in turn.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from local import ports
from tests.bench.rig import people
from tests.bench.rig.processes import Program, wait_until_answers, wait_until_quiet
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import UNBOUND, Rig, Served

START = 120.0
"""Seconds that it may take until it is at rest: it asks for the contacts of everybody."""


@dataclass(frozen=True)
class Stage:
    """A service, and the Asterisk that it takes the peer for."""

    service: Served
    peer: ScriptedAsterisk
    database: str
    _watched: Program | None = None

    def held(self) -> float:
        """How long a watched service's loop was held at most since this was asked last."""
        assert self._watched is not None
        self._watched.process.send_signal(signal.SIGUSR1)
        held: float = self._watched.line()["held"]
        return held


@contextlib.contextmanager
def stage(rig: Rig, count: int, *, watched: bool = False, **settings: str) -> Iterator[Stage]:
    """The service at rest with `count` people; `watched`: with its loop measured (`programs.watched_service`)."""
    name = f"stage_{count}"
    with contextlib.ExitStack() as stack:
        peer = stack.enter_context(ScriptedAsterisk(f"PJSIP/{number}" for number in people.numbers(count)))
        port = ports.free_port()
        changed = {
            "CONNECTOR_HTTP_PORT": str(port),
            "CONNECTOR_DATABASE_URL": rig.database(name, count),
            "CONNECTOR_CALL_SERVERS__MAIN__AMI_PORT": str(peer.port),
            **settings,
        }
        program = None
        if watched:
            environment = {**rig.plan.service_settings(), **UNBOUND, **changed}
            program = stack.enter_context(Program("tests.bench.programs.watched_service", environment=environment))
            pid = program.pid
        else:
            service = rig.service(changed)
            stack.callback(service.stop)
            service.start()
            assert service.process is not None
            pid = service.process.pid
        url = f"http://127.0.0.1:{port}"
        wait_until_answers(f"{url}/readyz", '"ready"')
        wait_until_quiet(pid, within=START)
        yield Stage(Served(url, pid), peer, name, program)
