"""What `extension import` tells people and programs: bounded tables, all of it in JSON, and progress on a terminal."""

from __future__ import annotations

import pytest

from service.cli import extension_import
from service.cli.import_report import MAX_SHOWN, facts, lines, rows
from service.db.imports import Options, PlannedImport
from service.domain.imports.people import PeoplePlan
from service.domain.imports.plan import ExistingPhone, Plan, PlannedPhone
from service.domain.imports.source import Skipped
from service.domain.models import Profile

SECRET = "a-secret-of-sip"


def planned(new: int = 0, gone: int = 0) -> PlannedImport:
    phones = [PlannedPhone(str(number), str(number), "login", SECRET, Profile.SIP) for number in range(new)]
    stored = [ExistingPhone(str(number), str(number), "login", SECRET, Profile.SIP) for number in range(gone)]
    plan = Plan(new_phones=tuple(phones), gone_phones=tuple(stored), skipped=(Skipped("trunk", "no inbound auth"),))
    return PlannedImport(plan, PeoplePlan(), 0)


def test_people_see_a_bounded_number_of_each_kind_and_programs_all() -> None:
    shown = rows(planned(1000))
    assert len(shown) == MAX_SHOWN + 2
    assert shown[MAX_SHOWN] == {
        "change": "new phones",
        "extension": None,
        "endpoint": None,
        "detail": f"and {1000 - MAX_SHOWN} more; --json lists all",
    }
    told = facts(planned(1000), Options())
    assert len(told["new_phones"]) == told["counts"]["new_phones"] == 1000
    assert SECRET not in f"{shown}{told}"


def test_what_is_gone_is_said_to_be_kept_or_deleted() -> None:
    kept = list(lines(planned(gone=1), Options(), applied=False))
    assert kept[0] == "gone phones: 1, skipped: 1"
    assert "kept and marked as missing" in kept[-1]
    deleted = list(lines(planned(gone=1), Options(remove_gone=True), applied=True))
    assert deleted[1:] == ["Imported.", "What is gone is deleted."]


def test_progress_is_one_line_that_ends(capsys: pytest.CaptureFixture[str]) -> None:
    for done in (0, 500, 1000):
        extension_import._progress(done, 1000)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "\rread 0 of 1000 endpoints\rread 500 of 1000 endpoints\rread 1000 of 1000 endpoints\n"
