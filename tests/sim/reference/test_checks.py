"""Wrong floats, shapes and groups, refused alike everywhere."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.reference.norms import rms_norm, sub_ln
from bitjoule.sim.reference.quantisation import absmax, absmax_binary, absmean_ternary, sign_binary
from tests.sim.samples import ONES, TRITS


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("function", [absmean_ternary, sign_binary, absmax, absmax_binary, rms_norm, sub_ln])
def test_values_that_are_not_finite_in_float32_are_refused(function: Callable[..., Any], bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        function(np.array([[1.0, bad]]))


@pytest.mark.parametrize("function", [absmean_ternary, sign_binary, absmax, absmax_binary, rms_norm, sub_ln])
def test_integers_and_empty_arrays_are_refused_where_floats_are_due(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="expected floats"):
        function(TRITS)
    with pytest.raises(ValueError, match="shape"):
        function(np.ones((3, 0), np.float32))


@pytest.mark.parametrize("function", [absmean_ternary, sign_binary, absmax, absmax_binary, rms_norm, sub_ln])
@pytest.mark.parametrize(
    ("groups", "error"), [(0, ValueError), (-2, ValueError), (5, ValueError), (12, ValueError), (2.0, TypeError)]
)
def test_groups_that_do_not_divide_are_refused(
    function: Callable[..., Any], groups: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="groups"):
        function(ONES, groups=groups)
