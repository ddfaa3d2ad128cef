"""What `status` prints of what strangers choose: a phone's user agent, a name."""

from __future__ import annotations

import pytest

from service.cli.output import Columns
from service.cli.status_rows import COLUMNS, CONTACT_COLUMNS, MAX_CELL, contact_row, extension_row, summary
from service.web.openapi.examples import EXAMPLES

(STATUS,) = EXAMPLES["getStatus"]["answer"]["extensions"]
(SERVER,) = EXAMPLES["getStatus"]["answer"]["callServers"]
WHY = {"code": "login-refused", "cause": "Refused.", "nextStep": "Correct it."}
DOWN = {"connected": False, "since": None, "reason": WHY}
EVIL = "\x1b[2Jphone\r\n\u202e\x00" + "x" * 500


@pytest.mark.parametrize("field", ["username", "userAgent"])
def test_control_characters_are_replaced_and_a_long_text_is_cut(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    Columns(COLUMNS).print([extension_row({**STATUS, field: EVIL})])
    head, line = capsys.readouterr().out.splitlines()
    assert "?[2Jphone????x" in line
    assert line.isprintable()
    assert len(line) < len(head) + 3 * MAX_CELL


def test_a_registration_shows_its_user_agent_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    (device,) = EXAMPLES["getStatusByExtension"]["answer"]["devices"]
    (contact,) = device["contacts"]
    Columns(CONTACT_COLUMNS).print([contact_row(device, {**contact, "userAgent": EVIL})])
    _, line = capsys.readouterr().out.splitlines()
    assert line.isprintable()


def test_pages_follow_each_other_below_one_head_and_columns_only_widen(capsys: pytest.CaptureFixture[str]) -> None:
    columns = Columns(("a", "b"))
    for page in ([{"a": 1, "b": None}], [{"a": "wide", "b": True}], [], [{"a": "x", "b": False}]):
        columns.print(page)
    assert capsys.readouterr().out.splitlines() == ["a  b", "1  -", "wide  yes", "x     no"]


@pytest.mark.parametrize(
    ("link", "presence", "end"),
    [
        (None, SERVER["presence"], "1 registered."),
        (None, None, "1 registered."),
        (None, DOWN, "1 registered. No presence can be set: Refused. Correct it."),
        (WHY, DOWN, "1 registered. Refused. Correct it. No presence can be set either."),
        ({**WHY, "cause": "Away."}, DOWN, "Away. Correct it. No presence can be set: Refused. Correct it."),
    ],
)
def test_the_line_of_a_call_server_says_why_no_presence_can_be_set(link: object, presence: object, end: str) -> None:
    answer = EXAMPLES["getStatus"]["answer"]
    [line] = summary({**answer, "callServers": [{**SERVER, "reason": link, "presence": presence}]})
    assert line.endswith(end)
