"""What becomes of each mutant: found by the shipped testbench, or not, and whether it differs at all."""

import subprocess
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from tests.mutation.rtl.build import SELECT, Mutants

CYCLES = 50_000  # of random streams, after which a mutant without a difference is set apart
PATIENCE_S = 600  # both simulations end by themselves, after some cycles


class Outcome(StrEnum):
    """Of one mutant."""

    FOUND = "found"
    SURVIVES = "survives"
    SAME = "no difference"


class Judged(NamedTuple):
    """A mutant and its outcome; where the bench did not find it, the cycle of the first difference."""

    mutant: int
    change: str
    outcome: Outcome
    cycle: int | None


def passes(mutants: Mutants, mutant: int) -> bool:
    """Return whether the shipped testbench finds nothing.

    Parameters
    ----------
    mutants
        The simulations.
    mutant
        Its number; 0 for none.
    """
    return "PASSED" in _run(mutants, str(mutants.bench), f"+{SELECT}={mutant}", "+seed=1", "+pause=128")


def first_difference(mutants: Mutants, mutant: int, cycles: int = CYCLES) -> int | None:
    """Return the cycle in which a mutant first differs from the accelerator, none if it does not.

    Parameters
    ----------
    mutants
        The simulations.
    mutant
        Its number; 0 for none.
    cycles
        Of random streams.
    """
    words = _run(mutants, str(mutants.comparison), f"+{SELECT}={mutant}", f"+cycles={cycles}").split()
    if "DIFFERS" in words:
        return int(words[words.index("cycle") + 1])
    assert "SAME" in words
    return None


def _run(mutants: Mutants, *command: str) -> str:
    run = subprocess.run(command, cwd=mutants.folder, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    return run.stdout


def judge(mutants: Mutants, numbers: Iterable[int], cycles: int = CYCLES) -> Iterator[Judged]:
    """Yield the outcome of each mutant.

    Parameters
    ----------
    mutants
        The simulations.
    numbers
        Which mutants.
    cycles
        As for `first_difference`.
    """
    for number in numbers:
        change, cycle = mutants.changes[number - 1], None
        outcome = Outcome.FOUND
        if passes(mutants, number):
            cycle = first_difference(mutants, number, cycles)
            outcome = Outcome.SAME if cycle is None else Outcome.SURVIVES
        yield Judged(number, change, outcome, cycle)
