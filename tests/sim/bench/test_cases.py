"""What the bench tries: each size on both sides of the array's."""

from itertools import product

import pytest

from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.bench.cases import directed_cases


@pytest.mark.parametrize("name", ["tiny_8x4", "decode_64x5", "int8_8x4"])
def test_each_combination_of_sizes_around_the_array_is_a_case_of_its_own(name):
    config = read_configuration(name)
    shapes = {shape for case in directed_cases(config) if len(case.shapes) == 1 for shape in case.shapes}
    around = [{1, size - 1, size, size + 1} - {0} for size in (config.tokens, config.lanes, config.columns)]
    assert set(product(*around)) <= {tuple(shape) for shape in shapes}
