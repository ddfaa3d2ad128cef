"""Runs one universe of a profile in a world of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from tests.simulation import world as worlds
from tests.simulation.plan import Fault
from tests.simulation.result import Lied, Result


def run_universe(
    seed: int,
    planned: Iterable[Fault],
    keep: frozenset[int] | None,
    live: Callable[[worlds.World, list[Fault], Result], Awaitable[None]],
    *,
    traced: bool,
) -> Result:
    """Have `live` run with the planned faults, or those of the numbers `keep`, and say what became of it."""
    faults = [fault for fault in planned if keep is None or fault.number in keep]
    result = Result(seed, plan=faults)

    async def main(world: worlds.World) -> None:
        await live(world, faults, result)

    ended = worlds.run(seed, main, traced=traced)
    if ended.error is not None:
        result.failure = str(ended.error) if isinstance(ended.error, Lied) else repr(ended.error)
    result.digest = ended.world.digest()
    result.tail = ended.world.journal_tail
    return result
