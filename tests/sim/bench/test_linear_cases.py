"""What the cases of whole BitLinears reach, from their operands alone: no simulator runs."""

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.bench.linear_cases import linear_operands, random_linear_cases

LEAST_NORMAL, LARGEST = 2.0**-14, 65504.0  # of FP16


@pytest.mark.parametrize("norm", [None, "rms_norm"])
def test_usual_activations_give_outputs_that_are_normal_subnormal_zero_and_too_large(norm):
    config = LinearConfig(AcceleratorConfig(8, 4, 100, 32, tokens=3), "fp16", 2, *([norm] if norm else []))
    found = []
    for case in random_linear_cases(config, matmuls=100, seed=1, steps=200):
        for i, _ in enumerate(case.shapes if case.activations == "random" else ()):
            x, weights, gain = linear_operands(config, case, i)
            values = x.astype(np.float64)
            if gain is not None:
                values *= gain / np.sqrt((values**2).mean(axis=1, keepdims=True) + 1e-12)
            found.append(np.abs(values @ weights.codes * weights.scale.astype(np.float64)).ravel())
    outputs = np.concatenate(found)
    assert (outputs > LARGEST).any()
    assert ((outputs > LEAST_NORMAL) & (outputs < LARGEST)).mean() > 0.5
    assert ((outputs > 0) & (outputs < LEAST_NORMAL)).any()
    assert ((outputs > 0) & (outputs < LEAST_NORMAL / 2**11)).any()  # below half of the least subnormal
