"""Mutants of the link, of what it keeps, and of the presence feed."""

from __future__ import annotations

from functools import partial

from tests.simulation.mutants.mutant import Mutant as AnyMutant

Mutant = partial(AnyMutant, profile="link")

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
