"""What `make nightly` writes into docs/reliability.md."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.support.nightly import PAGE, written


def report(
    test: str, outcome: Literal["passed", "failed"] = "passed", measured: str | None = None
) -> pytest.TestReport:
    properties: list[tuple[str, object]] = [("measured", measured)] if measured else []
    return pytest.TestReport(test, ("", None, ""), {}, outcome, None, "call", user_properties=properties, duration=61.4)


def test_a_result_replaces_the_one_before_and_nothing_else() -> None:
    page = PAGE.read_text()
    first = written(page, "2026-01-01", [report("first")])
    second = written(first, "2026-01-02, commit abc", [report("a", measured="5 cycles"), report("b", "failed")])
    assert "2026-01-02, commit abc: **1 failed, 1 passed**." in second
    assert "| `a` | passed | 5 cycles; 61 s |\n| `b` | failed | 61 s |\n" in second
    assert "2026-01-01" not in second
    assert page.partition("<!--")[0] == second.partition("<!--")[0]
    assert page.rpartition("<!--")[2] == second.rpartition("<!--")[2]
