"""Matmuls that are searched together get the mappings that each gets alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitjoule.energy_models.system.mappings import batch_search
from bitjoule.energy_models.system.mappings.batch_search import best_mappings
from bitjoule.energy_models.system.mappings.batches import Batch, at_once, first_best, shared_key
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.mappings.search import search
from tests.energy_models.problems import SMALL, problems

SIZES = st.tuples(st.integers(2, 90), st.integers(1, 90), st.integers(1, 90), st.integers(8, 4000))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(problems(most=60, fractions=True, capacity=(8, 4000)), st.lists(SIZES, max_size=5), st.sampled_from(Objective))
def test_mappings_are_those_of_each_matmul_alone(problem, others, objective):
    """Not nearly: ties between mappings of equal energy go to the same one, so every number is equal."""
    chosen = [problem]
    for m, k, n, bits in others if problem.m > 1 else ():
        costs = problem.costs._replace(cycle_pj=problem.costs.cycle_pj * (bits % 3))
        room = (float(bits),) * len(problem.capacity_bits)
        off_chip_bits = problem.off_chip_bits * (1 + m % 2)
        chosen.append(problem._replace(m=m, k=k, n=n, capacity_bits=room, off_chip_bits=off_chip_bits, costs=costs))
    assert len({shared_key(one) for one in chosen}) == 1
    _, together, mapped = best_mappings(Batch.of(chosen), objective)
    alone = [search(one, objective) for one in chosen]
    assert mapped.tolist() == [i for i, found in enumerate(alone) if found is not None]
    rows = [found for found in alone if found is not None]
    for ours, single in ((together.tiles, "tiles"), (together.traffic, "traffic")):
        for name in ours._fields:
            expected = [getattr(getattr(row, single), name) for row in rows]
            found = np.broadcast_to(getattr(ours, name), len(rows))
            np.testing.assert_array_equal(found, expected, err_msg=name)


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("computing_pj", [-3.0, -3000.0])  # the least energy is above zero, and below
def test_costs_below_zero_are_searched_without_bounds(computing_pj, objective):
    """A cycle that saves energy, as of a part that idles at more watts than it computes with."""
    saving = SMALL._replace(costs=SMALL.costs._replace(computing_pj=computing_pj))
    (_, together, mapped), alone = best_mappings(Batch.of([saving, saving]), objective), search(saving, objective)
    assert mapped.tolist() == [0, 1]
    assert together.traffic.cycles.tolist() == [alone.traffic.cycles] * 2


def test_matmuls_of_different_places_are_not_searched_together():
    for other in (
        SMALL._replace(width_bits=(16,)), SMALL._replace(array=SMALL.array._replace(depth=2)),
        SMALL._replace(weights=SMALL.weights._replace(bits=4)), SMALL._replace(m=1),
    ):  # fmt: skip
        assert shared_key(other) != shared_key(SMALL)
    other = SMALL._replace(m=9, k=2, n=5, capacity_bits=(7.0,), distinct=0.5, off_chip_bits=16)
    assert shared_key(other._replace(costs=SMALL.costs._replace(cycle_pj=1.0))) == shared_key(SMALL)


def test_spans_hold_all_matmuls_and_few_tiles():
    counts = [5, 1 << 20, 1, 1 << 13, 1 << 13, 1]
    spans = list(at_once(counts))
    assert [i for span in spans for i in range(len(counts))[span]] == list(range(len(counts)))
    assert spans[0] == slice(0, 1)
    assert list(at_once([])) == []


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0, [2, 5]), (0.2, [1, 4])])
def test_ties_go_to_the_secondary_value_and_then_to_the_first(tolerance, expected):
    """The tolerance is relative: of the second run, 2.3 is within a fifth of 2."""
    value, secondary = np.array([2.0, 1.1, 1.0, 3.0, 2.3, 2.0, 2.0]), np.array([0.0, 5.0, 6.0, 0.0, 0.5, 1.0, 1.0])
    assert first_best(value, secondary, np.array([0, 3]), tolerance).tolist() == expected


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0, [2, 4]), (0.2, [1, 4])])
def test_least_values_below_zero_tie_too(tolerance, expected):
    value, secondary = np.array([-2.0, -3.0, -3.3, 0.0, -1.0, -1.0]), np.array([0.0, 5.0, 6.0, 0.0, 1.0, 1.0])
    assert first_best(value, secondary, np.array([0, 3]), tolerance).tolist() == expected


@pytest.mark.parametrize("objective", Objective)
def test_a_single_matmul_of_many_tiles_has_the_mapping_of_the_exhaustive_search(objective, monkeypatch):
    problem = SMALL._replace(m=37, k=61.5, n=90, capacity_bits=(3000.0,))
    exhaustive = search(problem, objective)
    monkeypatch.setattr(batch_search, "search", None)  # which is not asked
    monkeypatch.setattr(batch_search, "MANY", 1)
    assert batch_search.best_mapping.__wrapped__(problem, objective) == exhaustive
    assert batch_search.best_mapping.__wrapped__(problem._replace(capacity_bits=(1.0,)), objective) is None
