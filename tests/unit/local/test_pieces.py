"""The pure parts of what `make run` is made of."""

from __future__ import annotations

import io
import itertools
import os
import pwd
import socket
from pathlib import Path

import pytest

from local import data_folder, ports
from local.accounts import NoAccountError, unprivileged_account
from local.baresip import _netstrings
from local.bootstrap import PROJECT, download_line
from local.cache import staged
from local.demo_data import curl_lines
from local.postgres import quote_identifier, quote_literal
from local.reload import described
from local.restarter import LONGEST_DELAY_S, Restarter, restart_delays
from local.run import overridden


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  Downloading asyncpg-0.32.0-cp311-cp311-manylinux_x86_64.whl (3.4 MB)\n", "asyncpg-0.32.0 (3.4 MB)"),
        ("Downloading https://index.example/a/six-1.16.0-py2.py3-none-any.whl (11 kB)", "six-1.16.0 (11 kB)"),
        ("  Downloading six-1.16.0-py2.py3-none-any.whl.metadata (1.8 kB)\n", None),
        ("Collecting six==1.16.0\n", None),
    ],
)
def test_pip_output_is_told_by_its_downloads(line: str, told: str | None) -> None:
    assert download_line(line) == told


def test_delays_double_up_to_the_longest() -> None:
    assert list(itertools.islice(restart_delays(), 7)) == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_DELAY_S, LONGEST_DELAY_S]


class Fragile:
    """A program that ends when it is told."""

    def __init__(self) -> None:
        self.running = False
        self.starts = 0
        self.refuses = False

    def start(self) -> None:
        self.starts += 1
        if self.refuses:
            raise OSError("no")
        self.running = True

    def is_running(self) -> bool:
        return self.running

    def stop(self) -> None:
        self.running = False


class Watched:
    """A Restarter of a Fragile, and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.program = Fragile()
        self.restarter = Restarter(
            "fragile", self.program, clock=lambda: self.now, log=lambda _, text: self.said.append(text)
        )
        self.restarter.start()

    def after(self, seconds: float) -> int:
        """How often it was started by then, looked at every quarter of a second."""
        for _ in range(int(seconds * 4)):
            self.now += 0.25
            self.restarter.poll()
        return self.program.starts


def test_a_running_program_is_left_alone() -> None:
    assert Watched().after(100) == 1


def test_a_program_that_ended_is_started_again_soon_and_said_once() -> None:
    watched = Watched()
    watched.program.running = False
    assert watched.after(1) == 2
    assert watched.said == ["fragile has ended; restarting it in 0.5 s"]


def test_a_program_that_keeps_ending_is_started_ever_later() -> None:
    watched = Watched()
    watched.program.running = False
    watched.program.refuses = True
    assert watched.after(60) < 10
    assert "fragile does not start: no" in watched.said


def test_a_program_that_ran_well_for_long_is_started_soon_again() -> None:
    watched = Watched()
    watched.program.running = False
    watched.program.refuses = True
    watched.after(60)
    watched.program.refuses = False
    watched.after(60)
    starts = watched.program.starts
    watched.program.running = False
    assert watched.after(1) == starts + 1


def test_a_restart_is_at_once_and_forgets_earlier_failures() -> None:
    watched = Watched()
    watched.program.running = False
    watched.program.refuses = True
    watched.after(60)
    watched.program.refuses = False
    starts = watched.program.starts
    watched.restarter.restart()
    assert watched.program.starts == starts + 1
    watched.program.running = False
    assert watched.after(1) == starts + 2


def test_the_changed_files_are_named_the_first_few_of_many() -> None:
    files = [PROJECT / f"service/{name}.py" for name in "dcba"]
    assert described({files[0]}) == "service/d.py"
    assert described({*files}) == "service/a.py, service/b.py, service/c.py and 1 more"


def test_a_folder_of_the_cache_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "cache/thing"

    def fail() -> None:
        with staged(target) as folder:
            (folder / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(target.parent.iterdir()) == []
    with staged(target) as slower, staged(target) as faster:
        (slower / "slower").touch()
        (faster / "faster").touch()
    assert [path.name for path in target.iterdir()] == ["faster"]
    assert list(target.parent.iterdir()) == [target]


def test_root_runs_servers_as_the_first_user_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    nobody = pwd.getpwnam("nobody")
    account = unprivileged_account("A server", ("no-such-user", "nobody"))
    assert account == {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with pytest.raises(NoAccountError, match="A server does not run as root, and there is no user a-b or c-d"):
        unprivileged_account("A server", ("a-b", "c-d"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged_account("A server", ("nobody",)) == {}


def test_a_port_in_use_is_not_free_and_not_chosen() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.free_port(port) != port


def test_the_preferred_port_is_kept_where_it_is_free_and_not_taken() -> None:
    port = ports.free_port()
    assert ports.free_port(port) == port
    assert ports.free_port(port, taken=[port]) != port


def test_a_port_that_was_chosen_and_is_not_bound_yet_is_not_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "CANDIDATES", range(20_000, 20_440))  # 220 to choose from: chance would repeat some
    chosen = [ports.free_port() for _ in range(50)]
    assert len({*chosen}) == len(chosen)


def test_secrets_are_made_once_and_are_the_owners_only(tmp_path: Path) -> None:
    first = data_folder.load_or_create_secrets(tmp_path, ["a", "b"])
    assert len({*first.values()}) == 2
    assert data_folder.load_or_create_secrets(tmp_path, ["a", "b", "c"]).items() >= first.items()
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_settings_survive_the_file_whatever_is_in_them(tmp_path: Path) -> None:
    settings = {"CONNECTOR_X": "my$up3erP@ss 'w0rd'; \"=#", "CONNECTOR_Y": ""}
    data_folder.write_env(tmp_path, settings)
    assert data_folder.read_env(tmp_path) == settings
    assert (tmp_path / data_folder.ENV_FILE).stat().st_mode & 0o777 == 0o600


def test_a_data_folder_serves_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        data_folder.locked(tmp_path),
        pytest.raises(data_folder.InUseError, match="in use"),
        data_folder.locked(tmp_path),
    ):
        pass
    with data_folder.locked(tmp_path):
        pass


def test_names_and_texts_are_quoted_for_postgresql() -> None:
    assert quote_identifier('a"b') == '"a""b"'
    assert quote_literal("a'b") == "'a''b'"


def test_baresips_messages_are_read_one_by_one() -> None:
    stream = io.BytesIO(b'11:{"event":1},14:{"type":"A,b"},')
    assert list(_netstrings(stream)) == [{"event": 1}, {"type": "A,b"}]


def test_the_curl_lines_are_the_two_documented_calls() -> None:
    registration, user = curl_lines("http://127.0.0.1:8080")
    assert '{"id": "ByehQjC44FwMeiLbX"}' in registration
    assert user.endswith("'http://127.0.0.1:8080/v1//user/1795'")


def test_settings_of_the_environment_that_make_run_does_not_use_are_named() -> None:
    own = {"CONNECTOR_HTTP_HOST": "127.0.0.1", "CONNECTOR_HTTP_PORT": "8080", "CONNECTOR_LOG_FORMAT": "console"}
    given = {"CONNECTOR_HTTP_HOST": "::", "CONNECTOR_HTTP_PORT": "8080", "CONNECTOR_LOG_FORMAT": "", "PATH": "/bin"}
    assert overridden(own, given) == ["CONNECTOR_HTTP_HOST"]
