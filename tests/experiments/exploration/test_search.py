"""Which designs a search evaluates, on spaces whose scores are a closed form."""

from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.experiments.exploration import search as searching
from bitjoule.experiments.exploration.dominance import hypervolume, reference_of
from bitjoule.experiments.exploration.scores import Scores
from bitjoule.experiments.exploration.search import search
from bitjoule.experiments.exploration.space.knobs import Knob, Space
from bitjoule.sim.bench.simulators import SimulatorError

SIZES = (8, 8, 6, 6, 4)  # 9216 designs
SPACE = Space(tuple(Knob(f"k{i}", tuple({f"k{i}": v} for v in range(size))) for i, size in enumerate(SIZES)))


def settings(sampler="nsga2", budget=921, seed=0, batch=32):
    """Return the settings of a search."""
    return SimpleNamespace(sampler=sampler, budget=budget, seed=seed, batch=batch)


def scored(numbers):
    """Return scores: power falls and area rises with parallel units; three knobs have a best setting each."""
    x = SPACE.indices(list(numbers)).astype(float)
    waste = 1 + 0.1 * ((x[:, 2] - 5) ** 2 + (x[:, 3] - 1) ** 2)
    time = waste * (1 + x[:, 4] / 4) / (1 + x[:, 0])
    area = (1 + x[:, 0]) * 2 ** (x[:, 1] / 4)
    energy = waste * (2 + (7 - x[:, 1]) / 2)
    excess = np.maximum(area - 20, 0)[:, None] / 20
    return Scores(np.stack([energy, time, area], axis=1), area[:, None], excess, x[:, 4] != 3)


def run(**changes):
    """Return the designs that a search evaluates, batch by batch."""
    batches = []

    def score(numbers):
        batches.append([*numbers])
        return scored(numbers)

    search(settings(**changes), SPACE, score, 3)
    return batches


def flat(batches):
    """Return the designs of all batches."""
    return [number for batch in batches for number in batch]


def volume(numbers, reference):
    """Return the hypervolume of designs."""
    scores = scored(numbers)
    return hypervolume(scores.objectives[scores.front], reference)


def test_a_space_within_the_budget_is_evaluated_whole_and_in_order():
    for changes in ({"budget": len(SPACE)}, {"budget": 10**6, "sampler": "tpe"}):
        assert flat(run(**changes)) == list(range(len(SPACE)))


@pytest.mark.parametrize("sampler", ["nsga2", "random", "tpe"])
def test_designs_are_distinct_as_many_as_the_budget_and_the_same_for_the_same_seed(sampler):
    budget = 100 if sampler == "tpe" else 300
    first = run(sampler=sampler, budget=budget)
    numbers = flat(first)
    assert len(numbers) == len(set(numbers)) == budget
    assert all(len(batch) == 32 for batch in first[:-1])
    assert run(sampler=sampler, budget=budget) == first
    assert run(sampler=sampler, budget=budget, seed=1) != first


@pytest.mark.parametrize("sampler", ["nsga2", "random"])
def test_a_search_of_nearly_all_designs_ends_with_distinct_ones(sampler):
    numbers = []

    def score(batch):
        numbers.extend(batch)
        x = np.array([*batch], dtype=float)
        zeros = np.zeros((len(x), 0))
        return Scores(np.stack([x, -x], axis=1), zeros, zeros, np.ones(len(x), dtype=bool))

    search(settings(sampler=sampler, budget=63), Space(SPACE.knobs[:2]), score, 2)
    assert len(numbers) == len(set(numbers)) == 63


@pytest.mark.parametrize("seed", range(3))
def test_a_tenth_of_a_space_have_nearly_all_of_its_hypervolume_and_more_than_random_designs(seed):
    scores = scored(range(len(SPACE)))
    reference = reference_of(scores.objectives[scores.front])
    whole = volume(range(len(SPACE)), reference)
    found = volume(flat(run(seed=seed)), reference) / whole
    random = volume(flat(run(seed=seed, sampler="random")), reference) / whole
    assert found > 0.99
    assert found > random


def test_without_optuna_a_larger_space_says_how_to_get_it_and_what_works_without(monkeypatch):
    monkeypatch.setattr(searching, "find_spec", lambda name: None if name == "optuna" else True)
    with pytest.raises(SimulatorError, match=r"optuna.*921 of 9216.*bitjoule\[explore\].*sampler: random"):
        run()
    assert len(flat(run(sampler="random"))) == 921


def test_a_smaller_objective_is_a_smaller_one_for_a_sampler_whatever_its_sign():
    """Of metrics that are maximised the objective is negative; ratios stay ratios."""
    for values in (np.geomspace(1e-9, 1e9, 40), -np.geomspace(1e9, 1e-9, 40)):
        scaled = np.array([searching._scaled(value) for value in values.tolist()])
        np.testing.assert_allclose(np.diff(scaled), np.log(10) * 18 / 39, rtol=1e-9)
    assert np.isfinite(searching._scaled(0.0))


@pytest.mark.parametrize(("size", "budget"), [(5, 12), (5, 10), (12, 5), (1, 3)])
def test_random_designs_come_in_batches_of_the_size_that_was_asked_for_and_a_rest(size, budget):
    batches = run(sampler="random", budget=budget, batch=size)
    assert [len(batch) for batch in batches] == [size] * (budget // size) + [budget % size] * (budget % size > 0)


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_a_sampler_is_told_the_objectives_the_excesses_and_what_has_no_result(monkeypatch, sampler):
    """Of each design: logarithms of positive values to be minimised, and by how much it misses each constraint."""
    optuna = pytest.importorskip("optuna")
    studies, made, create = [], [], optuna.create_study
    samplers = {"nsga2": "NSGAIISampler", "tpe": "TPESampler"}
    kind = getattr(optuna.samplers, samplers[sampler])
    monkeypatch.setattr(optuna, "create_study", lambda **named: studies.append(create(**named)) or studies[-1])
    monkeypatch.setattr(optuna.samplers, samplers[sampler], lambda **named: made.append(named) or kind(**named))

    def score(numbers):
        found = scored(numbers)
        return found._replace(excesses=np.maximum(found.limited - 8, 0) / 8)

    search(settings(sampler=sampler, budget=96, batch=24, seed=3), SPACE, score, 3)
    (named,) = made
    wanted = {"seed": 3, "population_size": 24} if sampler == "nsga2" else {"seed": 3, "constant_liar": True}
    assert wanted.items() <= named.items()
    (study,) = studies
    assert [direction.name for direction in study.directions] == ["MINIMIZE"] * 3
    states = optuna.trial.TrialState
    trials = [(trial, SPACE.number([trial.params[str(i)] for i in range(5)])) for trial in study.trials]
    assert {trial.state for trial, _ in trials} == {states.COMPLETE, states.FAIL}
    for trial, number in trials:
        scores = score([number])
        if trial.state is states.FAIL:
            assert SPACE.indices([number])[0][4] == 3  # such designs have no result
            continue
        assert SPACE.indices([number])[0][4] != 3
        np.testing.assert_allclose(trial.values, np.log(scores.objectives[0]), rtol=1e-12)
        assert [*trial.constraints.values()] == scores.excesses[0].tolist()
    assert {trial.constraints.get("0", 0) > 0 for trial, _ in trials} == {False, True}


def test_knobs_with_an_order_are_numbers_to_a_sampler_and_others_are_not(monkeypatch):
    optuna = pytest.importorskip("optuna")
    studies, create = [], optuna.create_study
    monkeypatch.setattr(optuna, "create_study", lambda **named: studies.append(create(**named)) or studies[-1])
    space = Space((Knob("n", tuple({"n": v} for v in (1, 2, 4))), Knob("s", tuple({"s": v} for v in "abc"))))
    search(settings(budget=6, batch=3), space, scored, 3)
    kinds = {name: type(of).__name__ for name, of in studies[0].trials[0].distributions.items()}
    assert kinds == {"0": "IntDistribution", "1": "CategoricalDistribution"}


def test_what_repetitions_leave_goes_to_neighbours_of_the_latest_members_of_the_pareto_set(monkeypatch):
    """A sampler that proposes one design again and again: the rest of each batch is filled without it."""
    optuna = pytest.importorskip("optuna")
    space = Space(SPACE.knobs[:2])  # 64 designs in order, whose neighbours are one step away

    class Same(optuna.samplers.RandomSampler):
        def sample_independent(self, *_):
            return 4

    def points(numbers):
        x = space.indices(list(numbers)).astype(float)
        return np.stack([9 - x[:, 0] + x[:, 1] / 9, 1 + x[:, 0]], axis=1)  # best: the second knob at its first setting

    batches = []

    def score(numbers):
        batches.append([*numbers])
        none = np.zeros((len(numbers), 0))
        return Scores(points(numbers), none, none, np.ones(len(numbers), dtype=bool))

    monkeypatch.setattr(searching, "_sampler", lambda *_: Same())
    search(settings(budget=20, batch=4), space, score, 2)
    for i in range(1, len(batches)):
        before = flat(batches[:i])
        values = points(before)
        front = [
            number for number, own in zip(before, values, strict=True)
            if not any((other <= own).all() and (other < own).any() for other in values)
        ]  # fmt: skip
        wanted: list[int] = []
        for number in reversed(front):
            row, column = divmod(number, 8)
            beside = [(r, column) for r in (row - 1, row + 1)] + [(row, c) for c in (column - 1, column + 1)]
            wanted += [8 * r + c for r, c in beside if 0 <= r < 8 and 0 <= c < 8]
        wanted = [number for number in dict.fromkeys(wanted) if number not in before]
        assert batches[i][: len(wanted)] == wanted[:4], i
