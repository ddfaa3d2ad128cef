"""Alert rules, their unit tests, "Watching it" and the runbook are about the same alerts."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.support.command_line import ROOT
from tests.unit.test_log_events import ROW

FOLDER = ROOT / "deploy/prometheus"
RULE = re.compile(
    r"- alert: (\w+)\n +expr: '(.*)'\n(?: +for: (\w+)\n)? +labels:\n +severity: (\w+)\n +annotations:\n"
    r" +summary: (.+)\n +runbook: (.+)\n"
)


class Alert(NamedTuple):
    """A rule."""

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    runbook: str


def rules() -> list[Alert]:
    """The rules of the file."""
    text = (FOLDER / "asterisk-connector.rules.yml").read_text()
    found = [Alert(*each) for each in RULE.findall(text)]
    assert len(found) == text.count("- alert:") > 20
    return found


def test_watching_it_lists_every_alert_with_its_expression() -> None:
    text = (ROOT / "docs/operations.md").read_text().partition("## Watching it")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \[(\w+)\]\(runbook\.md#(\w+)\) \| `(.+?)` \| ([\w-]+) \| ", text, re.MULTILINE)
    assert rows == [
        (each.name, each.name.lower(), each.expression.replace("|", r"\|"), each.lasting or "-") for each in rules()
    ]


def test_every_alert_has_a_section_in_the_runbook_that_it_names() -> None:
    text = (ROOT / "docs/runbook.md").read_text()
    sections = dict(re.findall(r"^### (Connector\w+)\n\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert [*sections] == [each.name for each in rules()]
    for each in rules():
        assert each.runbook == f"docs/runbook.md#{each.name.lower()}"
        assert sections[each.name].startswith(each.summary), each.name
        assert re.search(r"\n```sh\n.+\n```\n\n\S", sections[each.name]), f"{each.name}: no command, or nothing to do"


def test_the_runbook_names_log_events_that_exist() -> None:
    events = {name for name, *_ in ROW.findall((ROOT / "docs/log-events.md").read_text())}
    named = re.findall(r"Log event: `(\w+)`", (ROOT / "docs/runbook.md").read_text())
    assert len(named) > 20
    assert set(named) - events == set()


def test_every_alert_has_a_unit_test_in_which_it_is_silent_and_one_in_which_it_fires() -> None:
    text = (FOLDER / "asterisk-connector.test.yml").read_text()
    for each in rules():
        cases = re.findall(rf"- alertname: {each.name}\n +eval_time: \w+\n +exp_alerts:( \[\])?", text)
        assert cases == [" []", ""], each.name


def test_the_names_of_metrics_in_alerts_are_those_of_the_code() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "service/web/ops").glob("*.py"))
    for each in rules():
        for name in re.findall(r"\bconnector_(\w+)", each.expression):
            word = re.sub(r"_(total|bucket)$", "", name)
            parts = {word, word.removeprefix("link_"), word.removeprefix("bus_"), word.removeprefix("phones_secret_")}
            assert any(f'"{prefix}{part}"' in sources for part in parts for prefix in ("", "connector_")), name
