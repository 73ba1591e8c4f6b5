"""Numbers of a model's JSON files: the first and the last that are taken, and what is said of others."""

import math

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.llm.config_values import positive

DOCUMENT = parse_document("{}", "config.json")
LEAST, MOST = math.nextafter(0, 1), math.nextafter(1e30, 0)


@pytest.mark.parametrize("value", [LEAST, 1, 10**29, MOST])
def test_numbers_between_zero_and_the_end_are_taken_as_floats(value):
    found = positive(DOCUMENT, {"rope_theta": value}, "rope_theta", 7.0)
    assert (found, type(found)) == (float(value), float)


@pytest.mark.parametrize("config", [{}, {"rope_theta": None}])
def test_one_that_is_left_out_or_null_is_the_default_or_missing(config):
    assert positive(DOCUMENT, config, "rope_theta", 7.0) == 7.0
    for at, named in ((None, "rope_theta: is missing"), ("rope_scaling", "rope_scaling: rope_theta is missing")):
        with pytest.raises(InputError) as refused:
            positive(DOCUMENT, config, "rope_theta", None, at)
        assert str(refused.value) == f"config.json:1: {named}; expected a positive number below 1e+30"


@pytest.mark.parametrize("value", [0, 0.0, -LEAST, -1, 1e30, 10**31, math.inf, math.nan, True, "1", [1]])
def test_what_is_no_such_number_is_named_with_what_is(value):
    for at, named in ((None, "rope_theta: is "), ("rope_scaling", "rope_scaling: rope_theta is ")):
        with pytest.raises(InputError) as refused:
            positive(DOCUMENT, {"rope_theta": value}, "rope_theta", 7.0, at)
        (problem,) = refused.value.problems
        assert str(refused.value).startswith(f"config.json:1: {named}")
        assert problem.expected == "a positive number below 1e+30"
