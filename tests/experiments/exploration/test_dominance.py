"""Pareto sets, hypervolumes and what bands leave undecided, against their definitions."""

import itertools

import numpy as np
import pytest

from bitjoule.experiments.exploration import dominance
from bitjoule.experiments.exploration.dominance import hypervolume, pareto_set, reference_of, undecided
from bitjoule.experiments.exploration.space.metrics import METRICS, Amounts, metric_values


def by_definition(objectives):
    """Return which designs no other one dominates, pair by pair."""
    return np.array([
        not any((other <= own).all() and (other < own).any() for other in objectives) for own in objectives
    ])  # fmt: skip


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_the_pareto_set_is_that_of_the_definition_with_and_without_moocore(objectives, seed):
    values = np.random.default_rng(seed).integers(0, 6, (80, objectives)).astype(float)  # with equal designs
    expected = by_definition(values)
    assert pareto_set(values).tolist() == expected.tolist()
    assert dominance._pareto_set(values).tolist() == expected.tolist()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_rather_than_emptying_the_set(wrong):
    values = np.array([[1.0, 2.0], [2.0, 1.0], [wrong, 0.0]])
    with pytest.raises(ValueError, match="not finite"):
        pareto_set(values)
    with pytest.raises(ValueError, match="not finite"):
        hypervolume(values, np.array([3.0, 3.0]))


def test_the_hypervolume_is_the_area_of_the_union_of_boxes():
    front = np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 2.0], [3.0, 1.0], [9.0, 0.5]])
    assert hypervolume(front, np.array([4.0, 4.0])) == 3 * 1 + 2 * 1 + 1 * 1
    cube = np.array([[-2.0, 0.0, 1.0]])
    assert hypervolume(cube, np.array([0.0, 3.0, 5.0])) == 2 * 3 * 4


def test_a_wrong_direction_is_an_error_rather_than_a_hypervolume_of_zero():
    with pytest.raises(ValueError, match="within the reference"):
        hypervolume(np.array([[5.0, 5.0]]), np.array([4.0, 6.0]))


def test_the_default_reference_lies_a_tenth_of_the_range_beyond_the_set():
    assert reference_of(np.array([[1.0, -4.0], [3.0, -8.0]])).tolist() == pytest.approx([3.2, -3.6])
    assert reference_of(np.array([[2.0, -5.0]])).tolist() == pytest.approx([2.2, -4.5])


def amounts_of(certain, rows, time_s):
    """Return amounts and bands of designs of one model: certain energies, those of each row, and times."""
    designs = len(certain)
    bands = {str(i): np.repeat(rows[:, None, None, i], 2, axis=2) for i in range(rows.shape[1])}
    energy = np.repeat((certain[:, None] + rows.sum(axis=1))[:, None, None], 2, axis=2)
    ones = np.ones((designs, 1))
    spans = np.repeat(time_s[:, None, None], 2, axis=2)
    return Amounts(energy, spans, spans * 0 + 7, ones, ones, ones, ones, ones), bands


@pytest.mark.parametrize("objectives", [("energy_j", "latency_s"), ("tokens_per_joule", "latency_s"),
                                        ("energy_j", "energy_delay_j_s"), ("energy_j",)])  # fmt: skip
@pytest.mark.parametrize("seed", range(6))
def test_undecided_are_those_that_no_member_dominates_at_every_corner_of_the_prices(objectives, seed):
    generator = np.random.default_rng(seed)
    designs, prices = 30, 3
    use = generator.integers(0, 4, (designs, prices)).astype(float)
    price = np.stack(
        [generator.integers(1, 4, prices), generator.integers(4, 6, prices), generator.integers(6, 12, prices)]
    )
    certain, time_s = generator.integers(20, 40, designs).astype(float), generator.integers(1, 6, designs).astype(float)
    rows = use[:, :, None] * price.T[None]
    amounts, bands = amounts_of(certain, rows, time_s)

    def values_at(corner):
        energy = certain + (use * [price[end, i] for i, end in enumerate(corner)]).sum(axis=1)
        moved = amounts._replace(energy_j=np.broadcast_to(energy[:, None, None, None], amounts.energy_j.shape))
        values = metric_values(moved)
        return np.stack([(-1 if METRICS[name].maximised else 1) * values[name][:, 0] for name in objectives], axis=1)

    nominal = values_at((1,) * prices)
    front = by_definition(nominal)
    corners = [values_at(corner) for corner in itertools.product((0, 2), repeat=prices)]
    tolerance = 1e-9
    expected = []
    for i in range(designs):
        sure = [
            j for j in np.flatnonzero(front)
            if (nominal[j] < nominal[i]).any()
            and all((at[j] <= at[i] + tolerance * abs(at[i])).all() for at in corners)
        ]  # fmt: skip
        expected.append(not front[i] and not sure)
    found = undecided(objectives, nominal, amounts, bands, front)
    assert found.tolist() == expected


def test_without_bands_nothing_is_undecided():
    amounts, _ = amounts_of(np.array([1.0, 2.0]), np.zeros((2, 1, 3)), np.ones(2))
    values = np.array([[1.0], [2.0]])
    assert not undecided(("energy_j",), values, amounts, {}, np.array([True, False])).any()


def test_two_models_are_compared_one_by_one():
    # The mean says that the first is better, and of the second model it is worse: nothing rules the second design out.
    shape = (2, 2, 2, 3)
    energy = np.broadcast_to(np.array([[1.0, 3.0], [4.0, 2.0]])[:, :, None, None], shape)
    band = np.zeros(shape)
    band[..., 2] = 0.5
    ones, spans = np.ones(shape[:2]), np.ones(shape[:3])
    amounts = Amounts(energy, spans, spans, ones, ones, ones, ones, ones)
    values = np.array([[3**0.5], [8**0.5]])
    assert undecided(("energy_j",), values, amounts, {"r": band}, np.array([True, False])).tolist() == [False, True]
