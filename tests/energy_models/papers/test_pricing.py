"""Energy is count times price."""

import numpy as np
import pytest

from bitjoule.energy_models.architecture.phases import PREFILL
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.papers.arithmetic import Action, Counts
from bitjoule.energy_models.papers.pricing import price_actions, price_keys
from bitjoule.energy_models.prices.technology import OperationRow, Technology, technologies


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


def test_the_first_case_and_its_first_action_without_a_price_are_named():
    both = Counts(ACTIONS, np.ones((3, 2)))
    with pytest.raises(KeyError) as error:
        price_actions(both, [technology("third", add_int8=(7, 8, 9))], np.array([1, 0, 0]), np.array([0, 0, 0]))
    assert error.value.args == ("third", "mul", "int8")
    with pytest.raises(KeyError) as error:
        price_actions(both, [technology("third", add_int8=(7, 8, 9))], np.array([0, 1, 1]), np.array([0, 0, 0]))
    assert error.value.args == ("third", "mul", "fp16")


def test_a_scheme_without_a_price_hides_none_of_those_behind_it():
    """BitNet may be named before FP16: its product has no price, needs none, and FP16's is found."""
    swapped = tuple(
        action._replace(formats=action.formats[::-1], weights=action.weights[::-1]) for action in ACTIONS
    )  # fmt: skip
    counts = Counts(swapped, np.array([[0.0, 3.0], [2.0, 3.0]]))
    energies = price_actions(counts, [FIRST, SECOND], np.array([0, 1]), np.array([0, 1]))
    np.testing.assert_array_equal(energies.nominal_pj, [[0, 24], [40, 150]])


ARRAYS = "45nm-measured-arrays"
MEASURED = (
    Action(PREFILL, "q_proj", "weights", "mul", ("int8", "fp32"), ("int8", "fp32")),
    Action(PREFILL, "q_proj", "partial_sums", "add", ("int8", "fp32"), ("int8", "fp32")),
    Action(PREFILL, "softmax", "elementwise", "mul", ("int8", "fp32"), ("int8", "fp32")),
    Action(PREFILL, "softmax", "elementwise", "add", ("int8", "fp32"), ("int8", "fp32")),
)


def test_terms_of_sums_are_priced_by_arrays_and_all_else_by_operators_and_the_keys_say_so():
    arrays, operators = technologies()[ARRAYS], technologies()["45nm-measured"]
    counts = Counts(MEASURED, np.ones((2, 4)))
    price = price_actions(counts, [arrays], np.array([0, 1]), np.array([0, 0])).nominal_pj
    of = {
        (name, number): operators.price(name, number).nominal_pj
        for name in ("mul", "add")
        for number in ("int8", "fp32")
    }
    mac = arrays.mac("int8", "int8", "int32").price(64, 16, 0.0).nominal_pj
    np.testing.assert_array_equal(price[0], [mac, 0.0, of["mul", "int8"], of["add", "int8"]])
    np.testing.assert_array_equal(price[1], [of["mul", "fp32"], of["add", "fp32"]] * 2)  # no array was measured
    own = [
        [f"technologies/45nm-measured.yaml:{place}" for place in places]
        for places in (
            ["mac:int8xint8+int32/weight_digits:64x16", "in-mac:int8xint8+int32/weight_digits", "mul:int8", "add:int8"],
            ["mul:fp32", "add:fp32", "mul:fp32", "add:fp32"],
        )
    ]
    table = [
        [f"operations.csv:7nm:{operation}:{name}" for operation in ("mul", "add") * 2] for name in ("int8", "fp32")
    ]
    assert price_keys(counts, [arrays, technologies()["7nm"]]) == [own, table]


def test_a_part_of_an_operation_costs_its_part_and_no_actions_have_no_keys():
    energies = price_actions(Counts(ACTIONS, np.array([[0.5, 1.0]])), [FIRST], np.array([0]), np.array([0]))
    np.testing.assert_array_equal(energies.nominal_pj, [[1.0, 5.0]])
    assert price_keys(Counts((), np.zeros((2, 0))), [FIRST, SECOND]) == [[], []]
