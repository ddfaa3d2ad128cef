"""The table of faults in the runbook, and the runbook's commands."""

from __future__ import annotations

import asyncio
import os
import re
import shlex

from tests.integration.faults import of_asterisk, of_clients, of_postgresql, of_the_service
from tests.integration.faults.scene import FAULTS, Fault, Scene
from tests.support import command_line

PROVOKED = of_the_service, of_postgresql, of_asterisk, of_clients
RUNBOOK = command_line.ROOT / "docs/runbook.md"
BEGIN = "| fault | alert | log event | command | its output |\n| --- | --- | --- | --- | --- |\n"


def test_the_runbook_has_the_table_of_provoked_faults() -> None:
    """`WRITE_FAULTS=1` writes it."""
    text = RUNBOOK.read_text()
    before, found, rest = text.partition(BEGIN)
    assert found
    rows, _, after = rest.partition("\n\n")
    expected = "\n".join(map(row, FAULTS.values()))
    if os.environ.get("WRITE_FAULTS"):
        RUNBOOK.write_text(f"{before}{BEGIN}{expected}\n\n{after}")
    else:
        assert rows == expected


def row(fault: Fault) -> str:
    alert = f"[{fault.alert}](#{fault.alert.lower()})" if fault.alert else "-"
    event = f"`{fault.event}`" if fault.event else "-"
    return f"| {fault.name} | {alert} | {event} | `{fault.command}` | `{fault.says}` |"


def symptoms() -> list[tuple[str, str]]:
    """The command of each symptom, and where more is said."""
    text = RUNBOOK.read_text().partition("\n## What")[0]
    return re.findall(r"^\| [^|]+ \| [^|]+ \| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)


def test_each_command_of_the_table_is_one_of_the_runbook_for_its_alert() -> None:
    """Of the alert's section, or of a symptom that leads there."""
    text = RUNBOOK.read_text()
    sections = dict(re.findall(r"^### (Connector\w+)\n\n.*?```sh\n(.+?)\n```", text, re.MULTILINE | re.DOTALL))
    for fault in FAULTS.values():
        named = {command for command, where in symptoms() if f"#{fault.alert.lower()})" in where or not fault.alert}
        assert fault.command in {*named, sections.get(fault.alert)}, fault.name


async def test_the_commands_of_the_runbook_run(scene: Scene) -> None:
    """With a dead Asterisk: `check` exits with 1, and all others with 0."""
    service = await scene.start()
    text = RUNBOOK.read_text()
    commands = {*re.findall(r"^```sh\n(.+)\n```$", text, re.MULTILINE)}
    commands |= {command for command, _ in symptoms()}
    assert len(commands) > 8
    variables = command_line.environment(scene.database, HTTP_PORT=str(service.port))
    for each in sorted(commands):
        program, *arguments = shlex.split(each.replace("--watch 60", "--watch 1"))
        if program == "curl":
            assert (await service.get(arguments[-1].partition(":8080")[2])).status == 200, each
        elif program == "python":
            assert arguments[:2] == ["-m", "service"], each
            done = await asyncio.to_thread(command_line.command, variables, *arguments[2:])
            expected = int(arguments[2] == "check")
            assert (done.returncode, "Traceback" in done.stderr) == (expected, False), f"{each}: {done.stderr}"
        else:
            assert program == "date", each
