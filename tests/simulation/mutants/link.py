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
        seeds=(2, *range(20)),
    ),
    Mutant(
        "a routine snapshot overwrites what events said meanwhile",
        STATES,
        "if device in self._touched or (after is None",
        "if (after is None",
        seeds=(14, *range(20)),
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
        seeds=(3, *range(20)),
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
        seeds=(9, *range(20)),
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
        "if link is None or self._current.get(call_server) is link.states.current:",
        "if link is None or self._current.get(call_server) is not None:",
    ),
    Mutant(
        "a caller that has left stays",
        "service/domain/queue_callers.py",
        "        callers.pop(unique_id, None)\n",
        "",
    ),
    Mutant(
        "the events of a list's window are not applied to the callers once more",
        "service/domain/queue_callers.py",
        "in events:",
        "in []:",
        seeds=(8, *range(20)),
    ),
    Mutant(
        "a caller joins one place too far ahead",
        "service/domain/queue_callers.py",
        "caller.position - 1)",
        "caller.position - 2)",
    ),
    Mutant(
        "the callers of a list are in any order",
        "service/domain/queue_callers.py",
        "sorted(snapshot.items(), key=lambda item: item[1].position)",
        "reversed(snapshot.items())",
    ),
    Mutant(
        "a pause of a member is not heard",
        "service/ami/queue_sync.py",
        '"QueueMemberStatus", "QueueMemberPause", ',
        '"QueueMemberStatus", ',
    ),
    Mutant(
        "a member that was removed stays",
        "service/ami/queue_sync.py",
        'self.queues.member_gone(queue, header_text(message, "Interface"))',
        "pass",
    ),
    Mutant(
        "a list of queues or presence wins over the events of its window",
        "service/domain/snapshot_map.py",
        "{**snapshot, **events}",
        "{**events, **snapshot}",
    ),
    Mutant(
        "a list of presence is dropped",
        "service/ami/link.py",
        "self.presences.end_snapshot(presences)",
        "self.presences.end_snapshot({})",
    ),
    Mutant(
        "a presence message keeps its escapes",
        "service/ami/custom_presence_parsing.py",
        'unescape(header_text(message, "Message"))',
        'header_text(message, "Message")',
    ),
    Mutant(
        "queues are shown after the end of the connection, until the next list",
        "service/ami/events.py",
        "        self._queue_sync.lost()\n",
        "",
        seeds=(5, *range(20)),
    ),
    Mutant(
        "contacts are shown after the end of the connection, until the next reading",
        "service/ami/events.py",
        "        self.contacts.lost()\n",
        "",
    ),
    Mutant(
        "an endpoint that Asterisk has lost is not reloaded",
        "service/ami/endpoint_tracker.py",
        "            await self._reloads.reload(connection, device)\n",
        "",
        seeds=(7, *range(20)),
    ),
    Mutant(
        "the account of presence is not tried again after a refusal",
        "service/ami/kept_connection.py",
        "            await asyncio.sleep(max(delay, REFUSED_DELAY))\n",
        "            await asyncio.Event().wait()\n",
    ),
    Mutant(
        "an account that is accepted again counts as refused",
        "service/ami/account_checks.py",
        "self.refused.pop(kind, None)",
        "self.refused.get(kind)",
    ),
    Mutant(
        "a change of a device does not touch the presence feed",
        "service/runtime/presence_composer.py",
        "                touch_one(number)\n",
        "                pass\n",
    ),
    Mutant(
        "what remains of a long batch is not handled",
        "service/ami/protocol.py",
        "self._next_batch = self._loop.call_soon(self._handle_batch)",
        "pass",
    ),
    Mutant(
        "the state of an extension is that of its first device",
        "service/domain/combined_state.py",
        "return _LIVE[combined_state(states)] if",
        "return _LIVE[states[0]] if",
    ),
    Mutant(
        "a link is not checked at its deadline",
        "service/runtime/presence_composer.py",
        "left + PAST_DEADLINE if left >= 0 else",
        "max(left, MIN_CHECK_INTERVAL) if left >= 0 else",
    ),
]
