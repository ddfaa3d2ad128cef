"""Runs universes: `run` a range of seeds, `replay` one, or `shrink` the plan of one that fails; or the `mutants`.

python -m tests.simulation run --profile link --seeds 0-999
python -m tests.simulation replay 17 --keep 3,5
python -m tests.simulation shrink 17
python -m tests.simulation mutants --only cursor
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.profiles import DEFAULT, PROFILES

TAIL = 40
"""Lines of the journal that `replay` prints."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    if options.command == "mutants":
        from tests.simulation import killing, mutants  # which import nothing of the product

        chosen = [mutant for mutant in mutants.ALL if mutant.profile == options.profile and options.only in mutant.name]
        return killing.run(chosen, options.jobs)
    from tests.simulation import batch, profiles, shrinking  # after the hash seed is fixed

    if options.command == "run":
        return batch.run(
            options.profile, options.seeds, jobs=options.jobs, progress=options.progress, stop=options.stop,
            report=options.report,
        )  # fmt: skip
    keep = frozenset(options.keep) if options.keep is not None else None
    if options.command == "shrink":
        kept = shrinking.shrink(options.profile, options.seed, keep)
        print(shrinking.how_to_replay(options.profile, options.seed, kept))
        return 0
    result = profiles.run(options.profile, options.seed, keep, traced=True)
    print("\n".join([*map(str, result.plan), *result.tail[-options.tail :], f"digest {result.digest}"]))
    print(result.failure or "no failure")
    return 1 if result.failure else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.simulation", description="Run the service in a simulated world.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the universes of a range of seeds")
    run.add_argument("--seeds", type=_range, default=range(200), metavar="FIRST-LAST")
    run.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, by default one per core")
    run.add_argument("--progress", type=Path, help="file from which a stopped run goes on")
    run.add_argument("--stop", action="store_true", help="stop at the first failure")
    run.add_argument("--report", action="store_true", help="write the result into docs/reliability.md")
    mutants = commands.add_parser("mutants", help="run the mutants, which must be killed")
    mutants.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    mutants.add_argument("--only", default="", help="a part of the names")
    for name, text in (("replay", "run one universe"), ("shrink", "find the fewest faults that fail")):
        command = commands.add_parser(name, help=text)
        command.add_argument("seed", type=int)
        command.add_argument("--keep", type=_numbers, help="numbers of the faults that are kept, by default all")
        command.add_argument("--tail", type=int, default=TAIL, help="lines of the journal")
    for command in commands.choices.values():
        command.add_argument("--profile", choices=PROFILES, default=DEFAULT)
    return parser.parse_args(arguments)


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


if __name__ == "__main__":
    if sys.flags.hash_randomization:
        sys.exit("error: PYTHONHASHSEED=0 is needed; `make simulate` sets it")
    sys.exit(main())
