"""Energy is count times price."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import PREFILL
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.papers.arithmetic import Action, Counts
from bitjoule.energy_models.papers.pricing import price_actions
from bitjoule.energy_models.prices.technology import OperationRow, Technology


def technology(name: str, **prices: tuple[float, float, float]) -> Technology:
    rows = {}
    for key, values in prices.items():
        operation, number_format = key.split("_")
        rows[operation, number_format] = OperationRow(operation, number_format, 7, Price(*values), "s", "w", "")
    return Technology(name, 7, rows)


ACTIONS = (
    Action(PREFILL, "q_proj", "weights", "mul", ("fp16", "int8"), ("fp16", "int8")),
    Action(PREFILL, "q_proj", "partial_sums", "add", ("fp16", "int8"), ("fp16", "int8")),
)
FIRST = technology("first", mul_fp16=(1, 2, 3), add_fp16=(4, 5, 6), add_int8=(7, 8, 9))
SECOND = technology("second", mul_fp16=(10, 20, 30), add_fp16=(40, 50, 60), add_int8=(70, 80, 90))


def test_each_case_takes_the_price_of_its_scheme_and_technology():
    counts = Counts(ACTIONS, np.array([[2.0, 3.0], [0.0, 3.0], [2.0, 3.0]]))
    energies = price_actions(counts, [FIRST, SECOND], np.array([0, 1, 0]), np.array([0, 0, 1]))
    np.testing.assert_array_equal(energies.nominal_pj, [[4, 15], [0, 24], [40, 150]])
    np.testing.assert_array_equal(energies.low_pj, [[2, 12], [0, 21], [20, 120]])
    np.testing.assert_array_equal(energies.high_pj, [[6, 18], [0, 27], [60, 180]])


def test_an_action_that_happens_without_a_price_is_named():
    counts = Counts(ACTIONS, np.array([[1.0, 1.0], [1.0, 1.0]]))
    with pytest.raises(KeyError) as error:
        price_actions(counts, [FIRST], np.array([0, 1]), np.array([0, 0]))
    assert error.value.args == ("first", "mul", "int8")


def test_no_actions_cost_nothing():
    energies = price_actions(Counts((), np.zeros((2, 0))), [FIRST], np.array([0, 0]), np.array([0, 0]))
    assert energies.nominal_pj.shape == (2, 0)
