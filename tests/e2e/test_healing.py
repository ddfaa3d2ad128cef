"""Whatever is killed comes back by itself, and meanwhile nothing is told that is not so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from http import HTTPStatus
from signal import SIGCONT, SIGKILL, SIGSTOP

from tests.e2e.program import Program
from tests.e2e.run import HEALED_WITHIN_S, IN_TIME_S, Run, server, supervisor
from tests.support.eventually import wait_until

STALE = "x-directory-stale-since"
NOTICED_WITHIN_S = 15.0


def kill(program: Program, name: str) -> int:
    """Without a word to anybody; answers which process it was."""
    pid = server(program, name)
    os.kill(pid, SIGKILL)
    return pid


def is_back(program: Program, name: str, killed: int) -> bool:
    """Whether another one runs in its place."""
    try:
        return server(program, name) != killed
    except AssertionError:
        return False


@contextlib.contextmanager
def nobody_restarts(program: Program) -> Iterator[None]:
    """The supervisor is held, so that what was killed stays away."""
    held = supervisor(program)
    os.kill(held, SIGSTOP)
    try:
        yield
    finally:
        os.kill(held, SIGCONT)


def a_phone_registers(run: Run) -> None:
    with run.phone() as phone:
        phone.wait_registered()
        run.shows("Not in use", within_s=IN_TIME_S)
    run.shows("Unavailable", within_s=IN_TIME_S)


def test_killing_asterisk_makes_the_state_unknown_at_once_and_its_return_heals(run: Run, program: Program) -> None:
    with run.phone() as phone:
        phone.wait_registered()
        run.shows("Not in use", within_s=IN_TIME_S)
        killed = kill(program, "asterisk")
        run.shows("Unknown", within_s=IN_TIME_S, live=False)
        answer = run.registration()
        assert answer.headers["x-state-reason"] in ("disconnected", "synchronising")
        assert "x-state-since" in answer.headers
    wait_until(lambda: is_back(program, "asterisk", killed), HEALED_WITHIN_S, "Asterisk is back")
    run.shows("Unavailable")
    a_phone_registers(run)


def test_without_postgresql_phones_are_answered_from_memory_but_no_user_and_its_return_heals(
    run: Run, program: Program
) -> None:
    run.shows("Unavailable")
    with nobody_restarts(program):
        killed = kill(program, "postgres")
        wait_until(lambda: run.user().status != HTTPStatus.OK, 10, "its own children have noticed")
        answer = run.user()
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.json()["error_type"] == "service_unavailable"
        assert "retry-after" in answer.headers
        wait_until(lambda: STALE in run.registration().headers, NOTICED_WITHIN_S, "what is from memory is marked")
        assert run.line() == ("Unavailable", True)

    def answered() -> bool:
        assert run.line() == ("Unavailable", True)
        return run.user().status == HTTPStatus.OK

    wait_until(answered, HEALED_WITHIN_S, "the user is answered")
    assert is_back(program, "postgres", killed)
    wait_until(lambda: STALE not in run.registration().headers, HEALED_WITHIN_S, "nothing is stale")
    a_phone_registers(run)


def test_a_killed_service_comes_back_and_knows_the_state(run: Run, program: Program) -> None:
    with run.phone() as phone:
        phone.wait_registered()
        run.shows("Not in use", within_s=IN_TIME_S)
        killed = kill(program, "service")
        wait_until(lambda: is_back(program, "service", killed), HEALED_WITHIN_S, "the service is back")
        run.shows("Not in use")
    run.shows("Unavailable", within_s=IN_TIME_S)


def test_what_ends_is_told_in_one_line(program: Program) -> None:
    told = [line for line in program.printed.splitlines() if "has ended; starting it again in" in line]
    assert all(line.startswith("run      | ") for line in told)
    assert "Traceback" not in program.printed
