"""`make phone` and `make cli` beside `make run`."""

from __future__ import annotations

from local import demo_data
from service.cli.demo import SIP_PASSWORD
from tests.e2e.program import BY_CTRL_C, Program
from tests.e2e.run import IN_TIME_S, Run, printed_lines


def test_the_printed_phone_makes_the_state_not_in_use_and_its_end_makes_it_unavailable(
    run: Run, program: Program
) -> None:
    run.shows("Unavailable")
    with run.program("bash", "-c", printed_lines(program)[-1]) as phone:
        phone.prints(r"state: Not in use$", 40)
        assert run.line() == ("Not in use", True)
        phone.ctrl_c()
        assert phone.ends() in BY_CTRL_C
        run.shows("Unavailable", within_s=IN_TIME_S)
        states = [line.rpartition("state: ")[2] for line in phone.printed.splitlines() if "state: " in line]
        assert states == ["Unavailable", "Not in use", "Unavailable"]
        assert SIP_PASSWORD not in phone.printed


def test_an_extension_made_while_all_runs_is_live_and_so_is_its_phone(run: Run) -> None:
    run.cli("extension", "create", "777", "--profile", "sip")
    run.cli("extension", "assign", "777", "nophone")
    uid = run.login("nophone", "demo-nophone-password")["X-User-Id"]
    run.shows("Unavailable", within_s=15, uid=uid)
    with run.program("make", "phone", "EXT=777") as phone:
        phone.prints(r"state: Not in use$", 40)
        assert run.line(uid) == ("Not in use", True)
        phone.ctrl_c()
        assert phone.ends() in BY_CTRL_C
    run.shows("Unavailable", within_s=IN_TIME_S, uid=uid)
    run.cli("extension", "delete", "777")
    assert run.registration(uid).status == 404


def test_check_finds_everything_in_place(run: Run) -> None:
    told = run.cli("check").splitlines()[1:]
    assert told
    assert [line for line in told if " ok " not in line and "the demo" not in line] == []


def test_a_phone_for_an_extension_that_nobody_has_is_refused_in_one_line(run: Run) -> None:
    done = run.make("phone", EXT="778")
    assert done.returncode
    assert done.stderr.splitlines()[0] == "error: nobody has the extension 778"


def test_a_phone_or_a_command_without_a_run_says_so(run: Run) -> None:
    nowhere = str(run.data / "nowhere")
    for done in (run.make("phone", DATA_DIR=nowhere), run.make("cli", DATA_DIR=nowhere, ARGS="check")):
        assert done.returncode
        assert done.stderr.splitlines()[0] == f"error: there is no run in {nowhere}; `make run` makes one"


def test_the_demo_agent_may_ask_for_its_own_line(run: Run) -> None:
    headers = run.login("dnhai", "demo-agent-password")
    assert run.registration(headers=headers).status == 200
    assert run.registration(demo_data.ADMIN_UID, headers=headers).status == 403


def test_make_cli_shows_who_is_registered_and_why_not(run: Run) -> None:
    with run.phone() as phone:
        phone.wait_registered()
        run.shows("Not in use", within_s=IN_TIME_S)
        registered, other = run.cli("status").splitlines()[1:3]
    assert registered.split()[:6] == ["12342", "dnhai", "main", "Not", "in", "use"]
    assert other.endswith(" not-registered")
