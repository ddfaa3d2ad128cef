"""Texts that strangers choose: none makes a terminal obey, or begins a line of its own, wherever it is printed."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable

import pytest
import structlog

from service.cli.output import Columns, Json, Text
from tests.unit.test_secrets_stay_hidden import logged

__all__ = ["logged"]

HOSTILE = {
    "a colour": "x\x1b[31mred",
    "a title": "\x1b]0;owned\x07",
    "a colour in one letter": "x\x9b31m",
    "a line": "x\r\nerror: all is well",
    "a line of Unicode": "x\u2028error: all is well",
    "backwards": "x\u202egnp.exe",
    "deleted": "x\x7f\x08\x08y",
    "half a letter": "x\ud800",
}
hostile = pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])


def assert_harmless(written: str, lines: int | None = None) -> None:
    assert [letter for letter in written if not letter.isprintable() and letter != "\n"] == []
    assert lines is None or len(written.splitlines()) == lines, written


def let_pytest_keep_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take pytest's handlers off: not every version of xdist can send half a letter to another process."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [each for each in root.handlers if type(each) is logging.StreamHandler])
    assert root.handlers


@hostile
@pytest.mark.parametrize("logged", ["json", "console"], indirect=True)
def test_a_log_record_is_one_line_that_no_terminal_obeys(
    logged: io.StringIO, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_pytest_keep_none(monkeypatch)
    structlog.get_logger("service.bug").warning("service_unavailable", path=text, error=f"{text} with spaces")
    logging.getLogger("aiohttp.server").error("bad request: %s", text)
    assert_harmless(logged.getvalue(), 2)


@hostile
@pytest.mark.parametrize("logged", ["json", "console"], indirect=True)
def test_no_terminal_obeys_a_traceback(logged: io.StringIO, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    let_pytest_keep_none(monkeypatch)
    try:
        raise RuntimeError(text)
    except RuntimeError:
        structlog.get_logger("service.bug").exception("internal_error")
    assert "Traceback" in logged.getvalue()
    assert_harmless(logged.getvalue())


@hostile
@pytest.mark.parametrize(
    "show",
    [
        lambda text: Text().done(f"Deactivated user {text}."),
        lambda text: Text().line(text),
        lambda text: Text().failed(f"there is no user {text.replace(chr(10), '')}"),
        lambda text: Text().report([text], [], (), {}),
        lambda text: Columns(["name"]).print([{"name": text}]),
    ],
    ids=["done", "line", "failed", "report", "table"],
)
def test_the_command_line_prints_one_line_that_no_terminal_obeys(
    capsys: pytest.CaptureFixture[str], show: Callable[[str], None], text: str
) -> None:
    show(text)
    printed = capsys.readouterr()
    assert_harmless(printed.out.removeprefix("name\n") + printed.err, 1)


@hostile
def test_json_of_the_command_line_is_the_text_itself_and_no_terminal_obeys_it(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    text = text.replace("\ud800", "")  # neither PostgreSQL nor JSON can hold it
    Json().record({"name": text})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": text}
    assert [letter for letter in printed if (ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160] == []
