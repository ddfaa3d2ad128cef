"""How a run ends, what stays of it, and what stands side by side. Those that end have a folder of their own."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from signal import SIGKILL

import pytest

from local import ports
from tests.e2e import processes
from tests.e2e.leaks import leaks
from tests.e2e.program import BY_CTRL_C
from tests.e2e.run import Run, printed_lines, supervisor
from tests.support.eventually import wait_until

GONE_WITHIN_S = 40.0


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Run:
    """Its data lies where only its owner may enter, behind a path with blanks that is too long for a socket's."""
    data = tmp_path_factory.mktemp("second") / f"a path {'of some length ' * 6}".strip()
    return Run(data, folder / "tmp-of-second")


def lines_of_its_own(printed: str) -> list[str]:
    """Without make's remark on the exit code."""
    return [line for line in printed.splitlines() if not line.startswith("make: ***")]


def nothing_stays(run: Run, were: dict[int, str]) -> None:
    """But the data folder."""

    def left() -> list[str]:
        return [*(processes.alive(were) | processes.mentioning(run.data)).values(), *map(str, run.taken_ports())]

    wait_until(lambda: not left(), GONE_WITHIN_S, "no process of it stays, and no socket")
    assert (run.data / "postgres/cluster/PG_VERSION").exists()


def test_a_data_folder_in_use_is_refused_in_one_line(run: Run) -> None:
    for done in (run.make("run", HTTP_PORT=str(ports.free_port())), run.make("clean-run")):
        assert done.returncode
        assert lines_of_its_own(done.stderr) == [
            f"error: {run.data} is in use by another `make run`; DATA_DIR names another one"
        ]
    assert run.registration().status == 200


def test_a_port_in_use_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    done = run.make("run", DATA_DIR=str(tmp_path / "data"))
    assert done.returncode
    next_one = run.http_port + 1
    assert lines_of_its_own(done.stdout + done.stderr) == [
        f"error: port {run.http_port} is in use; `HTTP_PORT={next_one} make run` takes another one"
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٨٠٨٠"])
def test_what_is_no_port_is_refused_in_one_line(run: Run, port: str) -> None:
    done = run.make("run", HTTP_PORT=port)
    assert done.returncode
    assert lines_of_its_own(done.stderr) == [f"error: HTTP_PORT must be a port's number, not '{port}'"]


def test_a_data_folder_that_is_a_file_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run.make("run", DATA_DIR=str(tmp_path / "file"), HTTP_PORT=str(ports.free_port()))
    assert done.returncode
    told = f"error: DATA_DIR must be a folder, and {tmp_path / 'file'} cannot be one: a file is in the way"
    assert lines_of_its_own(done.stderr) == [told]


def test_ctrl_c_while_it_sets_itself_up_ends_it_without_a_traceback(run: Run, tmp_path: Path) -> None:
    with run.program("make", "run", f"VENV={tmp_path / 'venv'}") as program:
        program.prints("^setup .* making a Python", 30)
        program.ctrl_c()
        program.ends()
        assert "Traceback" not in program.printed


def test_ctrl_c_ends_all_of_one_run_but_its_data_and_nothing_of_another(run: Run, second: Run) -> None:
    with second.start() as program:
        second.ready(program)
        run.shows("Unavailable")
        second.shows("Unavailable")
        second.cli("user", "create", "kept", given="password-that-is-kept\n")
        assert f"DATA_DIR={second.data}" in shlex.split(printed_lines(program)[-1])
        were = processes.below(program.pid)
        assert len(were) > 3
        program.ctrl_c()
        assert program.ends() in BY_CTRL_C
        nothing_stays(second, were)
        assert list(second.temporary.iterdir()) == []
        assert leaks(second, program.printed, {"kept": "password-that-is-kept"}) == []
        assert "Traceback" not in program.printed
    assert run.registration().status == 200


def test_the_next_start_has_the_data_and_what_it_started_ends_with_it_when_it_is_killed(second: Run) -> None:
    before = second.secrets()
    with second.start() as program:
        second.ready(program)
        assert second.login("kept", "password-that-is-kept")
        assert second.secrets() == before
        assert "demo-agent-password" not in program.printed
        were = processes.below(program.pid)
        os.kill(supervisor(program), SIGKILL)
        program.ends()
        nothing_stays(second, were)
        assert leaks(second, program.printed) == []


def test_it_ends_with_its_terminal(second: Run) -> None:
    with second.start() as program:
        second.ready(program)
        were = processes.below(program.pid)
        program.hang_up()
        program.ends()
        nothing_stays(second, were)


def test_ctrl_c_before_it_is_ready_leaves_nothing(second: Run) -> None:
    with second.start() as program:
        program.prints(r"^postgres \| .* ready to accept connections", 60)
        were = processes.below(program.pid)
        program.ctrl_c()
        assert program.ends() in BY_CTRL_C
        nothing_stays(second, were)
        assert "Traceback" not in program.printed


def test_clean_run_removes_the_data_folder_and_nothing_that_it_did_not_make(second: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    done = second.make("clean-run", DATA_DIR=str(tmp_path))
    assert done.returncode
    assert (tmp_path / "mine").exists()
    done = second.make("clean-run")
    assert (done.returncode, done.stdout) == (0, f"removed {second.data}\n")
    assert not second.data.exists()
