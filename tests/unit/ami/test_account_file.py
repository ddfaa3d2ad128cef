"""What manager.conf says of the account that reads events: its read classes and filters."""

from __future__ import annotations

import pytest

from service.ami.diagnostics.account_file import EVENTS, report_classes, report_filters
from service.domain.models import Verdict

ALL = [("eventfilter", f"^Event: {name}") for name in EVENTS]


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([("read", "system, call,agent")], Verdict.OK),
        ([("read", "all")], Verdict.OK),
        ([("read", "system"), ("READ", "system,call,agent,log")], Verdict.OK),
        ([("read", "system,call")], Verdict.OPTIONAL),
        ([("read", "system,agent")], Verdict.MISSING),
        ([], Verdict.MISSING),
    ],
)
def test_the_last_line_of_read_classes_counts(lines: list[tuple[str, str]], verdict: Verdict) -> None:
    (finding,) = report_classes("asterisk main", "monitor", lines)
    assert finding.verdict is verdict


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ALL,
        [("eventfilter", "!Event: Newexten"), ("eventfilter", "!Event: RTCP")],
        [*ALL[1:], ("eventfilter", "^(Event: .*|Queue: 600)")],
        [("eventfilter(action(include),name(Reload))", "")],
        [*ALL[:7], ("eventfilter", "^Event: Queue"), ("eventfilter", "Event: Agent")],
    ],
)
def test_filters_that_let_every_event_through_or_cannot_be_judged_raise_no_alarm(lines: list[tuple[str, str]]) -> None:
    assert list(report_filters("asterisk main", "monitor", lines)) == []


@pytest.mark.parametrize(
    ("lines", "lacking", "verdict"),
    [
        (ALL[1:], "DeviceStateChange", Verdict.MISSING),
        ([*ALL, ("eventfilter", "!Event: Reload")], "Reload", Verdict.MISSING),
        (ALL[:-1], "AgentComplete", Verdict.OPTIONAL),
    ],
)
def test_events_that_no_filter_lets_through_are_named(
    lines: list[tuple[str, str]], lacking: str, verdict: Verdict
) -> None:
    (finding,) = report_filters("asterisk main", "monitor", lines)
    assert (finding.what, finding.verdict) == (f"the filters of 'monitor' lack {lacking}", verdict)
