"""Options of `check`."""

from __future__ import annotations

import pytest

from service.cli import parser
from service.cli.check import parse_expected
from service.errors import Invalid


def test_a_number_alone_is_for_the_only_call_server() -> None:
    assert parse_expected(["1008"], ["main"]) == {"main": 1008}
    assert parse_expected([], ["main"]) == {}


def test_each_call_server_has_a_number_of_its_own() -> None:
    assert parse_expected(["east=12", "west=0"], ["east", "west"]) == {"east": 12, "west": 0}


@pytest.mark.parametrize(
    "given", ["12", "north=12", "east=", "east=-1", "east=1.5", "east=\u0661\u0662", "=12", "east=1=2", "x" * 99]
)
def test_what_is_no_number_of_a_call_server_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="--expect-endpoints"):
        parse_expected([given], ["east", "west"])


@pytest.mark.parametrize("given", ["-1", "nan", "inf", "3601", "a minute"])
def test_a_time_that_nobody_watches_for_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["check", f"--watch={given}"])
    assert "--watch" in capsys.readouterr().err
