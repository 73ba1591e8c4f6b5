"""What the bench tries: each size on both sides of the array's."""

from itertools import product

import numpy as np
import pytest

from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.bench.cases import directed_cases, operands


@pytest.mark.parametrize("name", ["tiny_8x4", "decode_64x5", "int8_8x4"])
def test_each_combination_of_sizes_around_the_array_is_a_case_of_its_own(name):
    config = read_configuration(name)
    shapes = {shape for case in directed_cases(config) if len(case.shapes) == 1 for shape in case.shapes}
    around = [{1, size - 1, size, size + 1} - {0} for size in (config.tokens, config.lanes, config.columns)]
    assert set(product(*around)) <= {tuple(shape) for shape in shapes}


@pytest.mark.parametrize("name", ["fp16_fused_8x4", "fp16_8x4", "fp16_fp16_8x4", "ternary_fp16_8x4"])
def test_tiles_that_cancel_do_so_exactly_from_negative_sums_too(name):
    config = read_configuration(name)
    (case,) = (case for case in directed_cases(config) if case.name == "tiles that cancel")
    firsts = []
    for index in range(len(case.shapes)):
        x, w = (each.astype(np.float64) for each in operands(config, case, index))
        assert not (x @ w).any()
        firsts.append(x[:, : config.lanes] @ w[: config.lanes])
    assert np.min(firsts) < 0 < np.max(firsts)
    assert np.max(np.abs(firsts)) < np.finfo(np.float16).max
