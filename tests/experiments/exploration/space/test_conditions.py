"""Constraints: how they are read, and which is nearest to being met."""

import numpy as np
import pytest
from pydantic_core import PydanticCustomError

from bitjoule.experiments.exploration.space.conditions import Constraint, nearest, parse

METRICS = {"area_mm2": None, "tokens_per_s": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("area_mm2 <= 2", ("area_mm2", "<=", 2.0)),
        ("  tokens_per_s>=20.5 ", ("tokens_per_s", ">=", 20.5)),
        ("area_mm2 <= 1e-3", ("area_mm2", "<=", 0.001)),
        ("area_mm2 >= -.5", ("area_mm2", ">=", -0.5)),
    ],
)
def test_a_constraint_is_a_metric_a_comparison_and_a_number(text, expected):
    assert tuple(parse(text, METRICS)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area_mm2 < 2", "unknown comparison '<'"),
        ("area_mm2 == 2", "unknown comparison '=='"),
        ("area_mm <= 2", "unknown metric 'area_mm' (did you mean 'area_mm2'?)"),
        ("2 >= area_mm2", "got '2 >= area_mm2'"),
        ("area_mm2 <= two", "got 'area_mm2 <= two'"),
        ("area_mm2 <= 1e999", "limit 1e999 is not finite"),
        ("area_mm2 <= nan", "got 'area_mm2 <= nan'"),
        ("__import__('os').getcwd() <= 2", "got "),
        ("area_mm2 <= 2 or area_mm2 <= 3", "got "),
        ("", "got ''"),
        (7, "got 7"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(text, message):
    with pytest.raises(PydanticCustomError) as caught:
        parse(text, METRICS)
    assert str(caught.value).startswith(message)
    expected = "one of area_mm2, tokens_per_s" if "unknown metric" in message else "a metric, <= or >=, and a number"
    assert f"; expected {expected}" in str(caught.value)


def test_what_counts_is_the_model_that_is_hardest_to_allow():
    values = np.array([[1.0, 3.0], [4.0, 2.0]])
    assert Constraint("area_mm2", "<=", 3).worst(values).tolist() == [3, 4]
    assert Constraint("tokens_per_s", ">=", 3).worst(values).tolist() == [1, 2]


def test_the_excess_is_relative_to_the_limit_and_a_value_without_end_misses_by_infinity():
    values = np.array([1.0, 2.0, 2.5, np.nan, np.inf, -np.inf])
    most = Constraint("area_mm2", "<=", 2)
    assert most.excess(values).tolist() == [0, 0, 0.25, np.inf, np.inf, np.inf]
    assert most.met(values).tolist() == [True, True, False, False, False, False]
    least = Constraint("tokens_per_s", ">=", 2)
    assert least.excess(values).tolist() == [0.5, 0, 0, np.inf, np.inf, np.inf]
    assert Constraint("area_mm2", "<=", 0).excess(np.array([0.75])).tolist() == [0.75]


def test_nearest_is_the_least_miss_of_a_single_constraint():
    excesses = np.array([[0.3, 0.0], [0.0, 0.2], [0.01, 0.01], [np.inf, 0.0]])
    found = nearest(excesses * 10, excesses)
    assert found is not None
    assert (found.constraint, found.design, found.excess, found.value, found.alone) == (1, 1, 0.2, 2.0, True)


def test_without_a_single_miss_nearest_is_the_least_of_the_largest_misses():
    excesses = np.array([[0.3, 0.4], [0.2, 0.1], [np.inf, 0.05]])
    found = nearest(excesses, excesses)
    assert found is not None
    assert (found.constraint, found.design, found.excess, found.alone) == (0, 1, 0.2, False)
    assert nearest(excesses[2:], excesses[2:]) is None
