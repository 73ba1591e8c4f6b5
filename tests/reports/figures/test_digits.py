"""Numbers as a person reads them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitjoule.reports.figures.digits import column_prefix, parameters, prefix, short_price, significant, with_unit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0578667, "0.0579"), (29.0934, "29.1"), (1234.5, "1230"), (0.9999, "1.00"), (0.00012345, "0.000123"),
        (2.79e-6, "2.79e-6"), (1.16e12, "1.16e12"),
        (123456789.0, "123000000"), (0.0, "0"), (float("nan"), ""), (-0.25, "-0.250"),
    ],
)  # fmt: skip
def test_three_significant_digits(value, text):
    assert significant(value) == text


@given(st.floats(1e-30, 1e30), st.integers(1, 6))
def test_the_text_is_within_half_a_unit_of_the_last_digit(value, digits):
    assert math.isclose(float(significant(value, digits)), value, rel_tol=0.51 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("joules", "text"),
    [(0.0578667, "57.9 mJ"), (5e-13, "500 fJ"), (0.9999, "1.00 J"), (70.5, "70.5 J"), (1234, "1.23 kJ")],
)
def test_a_value_gets_the_prefix_that_brings_it_to_one_to_a_thousand(joules, text):
    assert with_unit(joules, "J") == text


def test_the_smallest_prefix_serves_all_below():
    assert prefix(1e-18) == (1e-15, "f")


@pytest.mark.parametrize(
    ("count", "text"),
    [(97731072, "97.7M"), (6512582656, "6.51B"), (999885952, "1.00B"), (405853388800, "406B"), (1, "1")],
)
def test_parameters_as_the_field_writes_them(count, text):
    assert parameters(count) == text


@pytest.mark.parametrize(
    ("joules", "expected"),
    [
        ([2e-3, 3.0], (1.0, "")),  # the largest
        ([3.0, 2e-3], (1.0, "")),
        ([5e-4, 5e-2], (1e-3, "m")),
        ([4e-4, 3.9, 5e-3], (1.0, "")),  # 9 750 times the least
        ([4e-4, 4.0, 5e-3], (1e-3, "m")),  # 10 000 times: the middle one
        ([7e-7], (1e-9, "n")),
    ],
)
def test_a_column_gets_the_prefix_of_its_largest_value_or_of_the_middle_one_where_they_differ_much(joules, expected):
    assert column_prefix(joules) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("platforms/fp16-edge.yaml:static.host@242.743781511MHz", "platforms/fp16-edge.yaml:static.host@242.7MHz"),
        ("b.yaml:static.host@1019.99999MHz", "b.yaml:static.host@1020MHz"),
        ("b.yaml:static.host@500MHz", "b.yaml:static.host@500MHz"), ("doi:10.1109/5.12345", "doi:10.1109/5.12345"),
    ],
)  # fmt: skip
def test_the_clock_of_a_price_has_four_digits(name, expected):
    assert short_price(name) == expected
