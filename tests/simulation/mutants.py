"""Faults of the product that the simulation must see: each is a change of one place in a copy of the sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Mutant:
    """A change of the product."""

    name: str
    file: str
    before: str
    after: str
    within: int = 20
    """Seeds, from 0, one of which must fail."""

    def apply(self, folder: Path) -> None:
        """Change the copy of the sources in a folder. Raises ValueError if the place is not there once."""
        path = folder / self.file
        text = path.read_text()
        if text.count(self.before) != 1:
            raise ValueError(f"{self.file} has the place of {self.name!r} {text.count(self.before)} times")
        path.write_text(text.replace(self.before, self.after))


STATES = "service/domain/device_states.py"
MUTANTS = [
    Mutant(
        "the snapshot overwrites what events said meanwhile",
        STATES,
        "for device in self._touched | self._assumed - snapshot.keys()}",
        "for device in self._assumed - snapshot.keys()}",
    ),
    Mutant(
        "a routine snapshot overwrites what events said meanwhile",
        STATES,
        "if device in self._touched or (after is None",
        "if (after is None",
    ),
    Mutant(
        "a confirmation never grows old",
        STATES,
        "overdue = self._clock() - self._confirmed_at - self._deadline",
        "overdue = 0.0",
    ),
    Mutant(
        "a Pong confirms the moment of its arrival",
        "service/ami/link.py",
        "        self.states.confirm(sent_at)",
        "        self.states.confirm(self._clock())",
    ),
    Mutant(
        "the clock of freshness does not count suspended time",
        "service/clock.py",
        "return time.clock_gettime(_CLOCK)",
        "return time.monotonic()",
    ),
    Mutant(
        "the events of one read are applied newest first",
        "service/ami/protocol.py",
        "        self._buffer = self._buffer[self._position :] + data\n",
        "        if data.startswith(b'Event: ') and data.endswith(b'\\r\\n\\r\\n') and b'ActionID' not in data:\n"
        "            data = b''.join(part + b'\\r\\n\\r\\n' for part in reversed(data.split(b'\\r\\n\\r\\n')[:-1]))\n"
        "        self._buffer = self._buffer[self._position :] + data\n",
    ),
    Mutant(
        "the position in the buffer is off by one",
        "service/ami/protocol.py",
        "        self._buffer = self._buffer[self._position :] + data\n",
        "        self._buffer = self._buffer[self._position + 1 :] + data\n",
    ),
    Mutant(
        "a message is complete before its end has arrived",
        "service/ami/protocol.py",
        r'Device: ([^\r\n]+)\r\nState: ([^\r\n]*)\r\n\r\n"',
        r'Device: ([^\r\n]+)\r\nState: ([^\r\n]*)(?:\r\n\r\n)?"',
    ),
    Mutant(
        "a phone's first sign does not void an assumed state",
        "service/ami/endpoint_tracker.py",
        "doubted = self._states.doubt(device)",
        "doubted = device not in self._states",
    ),
    Mutant(
        "an untracked endpoint is not qualified",
        "service/ami/endpoint_tracker.py",
        "                    await connection.qualify(device[len(PJSIP) :])\n",
        "                    pass\n",
    ),
    Mutant(
        "a list of contacts wins over events that came meanwhile",
        "service/domain/contacts.py",
        "        for uri, event in events.items():\n            event.apply_to(read, uri)\n",
        "",
    ),
    Mutant(
        "a contact that is removed stays",
        "service/domain/contacts.py",
        '        if self.status == "Removed":\n            contacts.pop(uri, None)\n            return\n',
        '        if self.status == "Removed":\n            return\n',
    ),
    Mutant(
        "a hint that is gone still maps its number",
        "service/domain/extension_hints.py",
        "        yield from (number for number in before if number not in self._texts)\n",
        "",
    ),
    Mutant(
        "an action waits for its response for ever",
        "service/ami/protocol.py",
        "            async with asyncio.timeout(deadline):\n",
        "            async with asyncio.timeout(None):\n",
    ),
    Mutant(
        "the end of a connection leaves its actions waiting",
        "service/ami/protocol.py",
        "        for future in [*pending, self.greeted]:\n",
        "        for future in [self.greeted]:\n",
    ),
    Mutant(
        "the greeting has no deadline",
        "service/ami/connection.py",
        "        async with asyncio.timeout(CONNECT_DEADLINE):\n            await protocol.greeted\n",
        "        async with asyncio.timeout(None):\n            await protocol.greeted\n",
    ),
    Mutant(
        "the cursor is off by one",
        "service/domain/presence/change_numbers.py",
        "            if at <= number:\n",
        "            if at <= number + 1:\n",
    ),
    Mutant(
        "a subscription loses the first of the changes that it has not taken",
        "service/domain/presence/subscription.py",
        "        self._items[extension] = item\n        self._version = version\n",
        "        if self._items or self._version % 2:\n            self._items[extension] = item\n"
        "        self._version = version\n",
    ),
    Mutant(
        "a link that has become silent changes no item",
        "service/runtime/presence_composer.py",
        "            if self._current.get(name) is not link.states.current:\n",
        "            if self._current.get(name) is None:\n",
    ),
]


def kill(mutant: Mutant, folder: Path, jobs: int = 1) -> tuple[int, str] | None:
    """The seed that kills the mutant, and how; None if it survives. The sources are copied to the folder."""
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").symlink_to(ROOT / "tests")
    mutant.apply(folder)
    command = [sys.executable, "-m", "tests.simulation", "run", "--stop", "--jobs", str(jobs)]
    command += ["--seeds", f"0-{mutant.within - 1}"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        assert done.returncode == 0, done.stderr[-2000:]
        return None
    return int(found[1]), found[2]
