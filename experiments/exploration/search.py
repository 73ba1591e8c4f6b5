"""Which designs of a space are evaluated: all of them, or as many as the budget allows, in batches from one seed.

A search proposes batches of a fixed size with Optuna (`ask`), evaluates what is new in them and reports the values in
the order of the proposals (`tell`). On a discrete space samplers repeat themselves: a design is evaluated once, only
distinct ones count, and the room that repetitions leave in a batch goes to neighbours of the Pareto set so far, one
step of one knob away, then to designs drawn at random. The same seed and values give the same designs in the same
order, however many processes evaluate them.
"""

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bitjoule.experiments.exploration.scores import Scores
from bitjoule.experiments.exploration.space.knobs import Space
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.study import Study
    from optuna.trial import Trial

GRID_BATCH = 256
PACKAGES = "pip install 'bitjoule[explore]'"


class Settings(Protocol):
    """The part of an exploration's file that decides the search."""

    @property
    def budget(self) -> int:
        """Number of designs evaluated."""

    @property
    def sampler(self) -> str:
        """Name of the sampler."""

    @property
    def seed(self) -> int:
        """Of the sampler."""

    @property
    def batch(self) -> int:
        """Designs proposed before any of them is evaluated."""


Score = Callable[[Sequence[int]], Scores]


def search(settings: Settings, space: Space, score: Score, objectives: int) -> None:
    """Evaluate the designs of a space: all if the budget allows, or those that a sampler proposes.

    Parameters
    ----------
    settings
        Of the exploration.
    space
        Of its knobs.
    score
        Evaluates designs, none of which was evaluated before, and returns their scores.
    objectives
        Number of objectives.

    Raises
    ------
    SimulatorError
        The space is larger than the budget, and Optuna is not installed.
    """
    if len(space) <= settings.budget:
        for start in range(0, len(space), GRID_BATCH):
            score(range(start, min(start + GRID_BATCH, len(space))))
    elif settings.sampler == "random":
        for batch in _batches(_drawn(space, settings.seed), settings.batch, settings.budget):
            score(batch)
    else:
        _Sampled(settings, space, score, objectives).run()


def _batches(designs: Iterator[int], size: int, budget: int) -> Iterator[list[int]]:
    for start in range(0, budget, size):
        yield [next(designs) for _ in range(min(size, budget - start))]


def _drawn(space: Space, seed: int) -> Iterator[int]:
    """Yield every design of a space once, in random order: drawn anew while few are known, then the rest shuffled."""
    generator = np.random.default_rng(seed)
    drawn: set[int] = set()
    while len(drawn) < len(space) // 2:
        number = int(generator.integers(len(space)))
        if number not in drawn:
            drawn.add(number)
            yield number
    rest = np.array([number for number in range(len(space)) if number not in drawn], dtype=np.int64)
    yield from map(int, generator.permutation(rest))


class _Sampled:
    """A search with one of Optuna's samplers."""

    def __init__(self, settings: Settings, space: Space, score: Score, objectives: int) -> None:
        if find_spec("optuna") is None:
            wrong = f"optuna, which searches spaces larger than the budget ({settings.budget} of {len(space)} designs)"
            raise SimulatorError(f"{wrong}, is not installed: {PACKAGES}, or `sampler: random`")
        self.settings, self.space, self._score = settings, space, score
        self._numbers: list[int] = []
        self._rows: dict[int, int] = {}
        self._scores: Scores | None = None
        self._drawn = _drawn(space, settings.seed)
        with _quiet():
            import optuna

            self._study: Study = optuna.create_study(
                directions=["minimize"] * objectives, sampler=_sampler(settings.sampler, settings.seed, settings.batch)
            )
            self._distributions: dict[str, Any] = {
                str(i): optuna.distributions.IntDistribution(0, len(knob) - 1)
                if knob.ordered
                else optuna.distributions.CategoricalDistribution(range(len(knob)))
                for i, knob in enumerate(space.knobs)
            }

    def run(self) -> None:
        """Evaluate as many distinct designs as the budget allows."""
        budget = min(self.settings.budget, len(self.space))
        with _quiet():
            while len(self._numbers) < budget:
                self._batch(min(self.settings.batch, budget - len(self._numbers)))

    def _batch(self, size: int) -> None:
        trials = [self._study.ask(self._distributions) for _ in range(size)]
        numbers = [self.space.number([trial.params[str(i)] for i in range(len(self.space.knobs))]) for trial in trials]
        new = list(dict.fromkeys(number for number in numbers if number not in self._rows))
        for number in self._further(size - len(new), new):
            self._study.enqueue_trial({str(i): int(v) for i, v in enumerate(self.space.indices([number])[0])})
            trials.append(self._study.ask(self._distributions))
            numbers.append(number)
            new.append(number)
        scores = self._score(new)
        self._rows.update({number: len(self._numbers) + i for i, number in enumerate(new)})
        self._numbers += new
        self._scores = scores if self._scores is None else Scores.joined([self._scores, scores])
        for trial, number in zip(trials, numbers, strict=True):
            self._tell(trial, self._rows[number])

    def _further(self, count: int, besides: Sequence[int]) -> list[int]:
        """Return designs that were not evaluated: neighbours of the Pareto set, the latest first, then others."""
        chosen: dict[int, None] = {}
        taken = {*self._rows, *besides}
        if count and self._scores is not None:
            for row in np.flatnonzero(self._scores.front)[::-1].tolist():
                if len(chosen) >= count:
                    break
                chosen |= dict.fromkeys(n for n in self.space.neighbours(self._numbers[row]) if n not in taken)
        while len(chosen) < count:
            number = next(self._drawn, None)
            if number is None:
                break
            if number not in taken:
                chosen[number] = None
        return list(chosen)[:count]

    def _tell(self, trial: "Trial", row: int) -> None:
        from optuna.trial import TrialState

        scores = self._scores
        assert scores is not None  # noqa: S101 (set by the batch)
        if not scores.finite[row]:
            self._study.tell(trial, state=TrialState.FAIL)
            return
        for i, excess in enumerate(scores.excesses[row].tolist()):
            trial.set_constraint(str(i), excess)
        self._study.tell(trial, [_scaled(value) for value in scores.objectives[row].tolist()])


def _scaled(value: float) -> float:
    """Return an objective on a logarithmic scale, on which samplers that fit densities see ratios."""
    size = max(abs(value), sys.float_info.min)
    return math.log(size) if value >= 0 else -math.log(size)


def _sampler(name: str, seed: int, batch: int) -> "BaseSampler":
    import optuna

    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    return optuna.samplers.NSGAIISampler(seed=seed, population_size=batch)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna's log and its warnings about what it calls experimental."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            yield
        finally:
            optuna.logging.set_verbosity(verbosity)
