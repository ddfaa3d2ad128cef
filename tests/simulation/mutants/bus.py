"""Mutants of the rules between collectors and followers."""

from __future__ import annotations

from functools import partial

from tests.simulation.mutants.mutant import Mutant as AnyMutant

Mutant = partial(AnyMutant, profile="bus")

REPLICA, FOLLOWER = "service/bus/replica.py", "service/bus/follower.py"
MUTANTS = [
    Mutant(
        "another epoch voids nothing",
        REPLICA,
        "        if epoch != self.epoch:\n            self.void()\n            self.epoch = epoch\n",
        "        if epoch != self.epoch:\n            self.epoch = epoch\n",
        seeds=(2, *range(20)),
    ),
    Mutant(
        "a change that is missing voids nothing",
        REPLICA,
        "        elif changes.sequence != self.sequence + 1:\n",
        "        elif changes.sequence < 0:\n",
        seeds=(2, *range(20)),
    ),
    Mutant(
        "changes that come during a snapshot are dropped",
        REPLICA,
        "            self._put(table, values)\n            if not self.complete:\n",
        "            if self.complete:\n                self._put(table, values)\n            else:\n",
    ),
    Mutant(
        "what is gone stays in a copy",
        REPLICA,
        "                stored.pop(key, None)\n",
        "                pass\n",
    ),
    Mutant(
        "the age of the Ping is not counted",
        REPLICA,
        "sent_at, sent_at - echo.ping_age, echo.sequence",
        "sent_at, sent_at, echo.sequence",
        seeds=(7, *range(20)),
    ),
    Mutant(
        "an echo proves freshness by when it arrives",
        FOLLOWER,
        "replica.take_echo(message, sent_at)",
        "replica.take_echo(message, self._clock())",
        seeds=(3, *range(20)),
    ),
    Mutant(
        "another copy is shown without the difference",
        FOLLOWER,
        "            if not await apply_difference(self._server, replica, lambda: self._shown):\n",
        "            if False:\n",
    ),
    Mutant(
        "the difference leaves what is gone",
        "service/bus/change_over.py",
        "        for all_keys in (list(wanted), keys(server, table)):\n",
        "        for all_keys in (list(wanted),):\n",
    ),
    Mutant(
        "changes of a collector that is not shown are applied",
        FOLLOWER,
        "if replica.change(message) and replica is self._shown and replica.sequence > before:",
        "if replica.change(message) and replica.sequence > before:",
    ),
    Mutant(
        "no other copy is shown before the deadline",
        REPLICA,
        "return self.complete and echo_is_awaited and now - self.confirmed_at <= CONFIRMATION_PATIENCE * deadline",
        "return self.complete and (echo_is_awaited or now - self.confirmed_at <= 9 * deadline)",
    ),
    Mutant(
        "the deadline voids nothing",
        FOLLOWER,
        "        if shown is None or now - shown.echoed_at > self._deadline:\n",
        "        if shown is None:\n",
        seeds=(2, *range(20)),
    ),
    Mutant(
        "the reason is not the bus",
        FOLLOWER,
        "            self._server.void(Freshness.NO_COLLECTOR)\n",
        "            self._server.void(Freshness.DISCONNECTED)\n",
        seeds=(1, *range(20)),
    ),
    Mutant(
        "snapshots are not limited",
        "service/bus/snapshot_requests.py",
        "        if last is not None and now < (",
        "        if last is not None and now < 0 * (",
    ),
    Mutant(
        "garbage raises",
        "service/bus/messages.py",
        "    except (msgspec.DecodeError, RecursionError) as error:\n",
        "    except RecursionError as error:\n",
    ),
    Mutant(
        "an act waits for its reply for ever",
        "service/bus/following.py",
        "            async with asyncio.timeout(ACT_DEADLINE):\n",
        "            async with asyncio.timeout(None):\n",
    ),
    Mutant(
        "an act that failed is said to be done",
        "service/bus/following.py",
        "        if error is not None:\n            raise CallServerUnavailable(error)\n",
        "",
    ),
]
