"""Mutate the accelerator and count what the shipped testbench finds: ``python -m tests.mutation.rtl.run --csv FILE``.

Of each array, Yosys puts as many mutations into the flat netlist as asked for, in one build; an input chooses one of
them (`mutate -ctrl`). Each mutant runs in the testbench that `bitjoule rtl testbench` writes. One that it does not find
runs beside the accelerator on random streams, pauses and resets: without a difference within `judge.CYCLES` it is set
apart. The others survive, and are printed. The exit status is 1 if the share that is found of those that differ is
below ``--goal``. ``--csv`` replaces the rows of the arrays that ran.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutation.rtl.build import build
from tests.mutation.rtl.judge import CYCLES, Judged, Outcome, first_difference, judge, passes
from tests.sim.bench.coverage import configuration

ARRAYS = ("tiny_8x4", "int4_8x4 with one column", "fp16_fused_8x4 with one column")
COUNT, SEED, GOAL = 300, 1, 0.95
HEADER = ("array", "quantity", "value")


def quantities(judged: Sequence[Judged], seed: int) -> dict[str, float]:
    """Return what the table holds of an array.

    Parameters
    ----------
    judged
        Its mutants.
    seed
        Of the draw.
    """
    counts = Counter(each.outcome for each in judged)
    differ = counts[Outcome.FOUND] + counts[Outcome.SURVIVES]
    return {
        "seed": seed,
        "mutants": len(judged),
        "no difference": counts[Outcome.SAME],
        "differ": differ,
        "found": counts[Outcome.FOUND],
        "survive": counts[Outcome.SURVIVES],
        "share found": counts[Outcome.FOUND] / differ if differ else 1.0,
    }


def run(array: str, count: int, seed: int, folder: Path, cycles: int = CYCLES) -> list[Judged]:
    """Return the outcome of each mutant of an array.

    Parameters
    ----------
    array
        As `tests.sim.bench.coverage.configuration` takes it.
    count, seed
        Mutations and their draw.
    folder
        Where everything goes.
    cycles
        As for `judge.first_difference`.
    """
    mutants = build(configuration(array), count, seed, folder)
    assert passes(mutants, 0), "the accelerator without a mutation fails"
    assert first_difference(mutants, 0, cycles) is None
    judged = []
    for each in judge(mutants, range(1, count + 1), cycles):
        judged.append(each)
        if each.outcome is not Outcome.FOUND:
            print(f"{array}: {each.mutant}: {each.outcome}, cycle {each.cycle}: {each.change}", flush=True)
    return judged


def write(file: Path, array: str, values: dict[str, float]) -> None:
    """Replace an array's rows of a table.

    Parameters
    ----------
    file
        The table; made if there is none.
    array, values
        Its name and quantities.
    """
    rows = list(csv.reader(file.read_text().splitlines()))[1:] if file.exists() else []
    kept = [row for row in rows if row[0] != array]
    new = [[array, what, f"{value:.4g}"] for what, value in values.items()]
    order = sorted([*kept, *new], key=lambda row: ARRAYS.index(row[0]) if row[0] in ARRAYS else len(ARRAYS))
    with file.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([HEADER, *order])


def main(words: Sequence[str]) -> int:
    """Run, print and write.

    Parameters
    ----------
    words
        Of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--array", action="append", help=f"default: {', '.join(ARRAYS)}")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--goal", type=float, default=GOAL)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args(words)
    below = False
    for array in arguments.array or ARRAYS:
        with TemporaryDirectory() as folder:
            values = quantities(run(array, arguments.count, arguments.seed, Path(folder)), arguments.seed)
        print(f"{array}: {values}", flush=True)
        below |= values["share found"] < arguments.goal
        if arguments.csv:
            write(arguments.csv, array, values)
    return int(below)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
