"""What the cases of whole BitLinears reach, from their operands alone: no simulator runs."""

import numpy as np
import pytest

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.bench.cases import directed_cases
from bitjoule.sim.bench.linear_cases import KINDS, directed_linear_cases, linear_operands, random_linear_cases

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


def test_every_kind_of_activation_is_a_case_beside_those_of_the_array():
    config = LinearConfig(AcceleratorConfig(8, 4, 100, 32, tokens=3), "fp16", 2)
    cases = directed_linear_cases(config)
    own = [case for case in cases if case.activations in KINDS[1:] or case.name == "activations random"][: len(KINDS)]
    assert [case.name for case in own] == [f"activations {kind}" for kind in KINDS]
    assert [case.activations for case in own] == [*KINDS]
    assert {tuple(map(tuple, case.shapes)) for case in own} == {((6, 17, 5), (6, 17, 5))}
    assert len({case.seed for case in own}) == len(KINDS)
    assert cases[len(KINDS) :] == directed_cases(config.array)
    assert cases[: len(KINDS)] == own


def test_each_kind_of_activation_is_what_its_name_says():
    config = LinearConfig(AcceleratorConfig(8, 4, 100, 32, tokens=3), "fp16", 2)
    found = {}
    for case in directed_linear_cases(config)[: len(KINDS)]:
        found[case.activations] = np.stack([linear_operands(config, case, i).x.astype(np.float64) for i in (0, 1)])
    finite = {kind for kind, x in found.items() if np.isfinite(x).all()}
    assert finite == {*KINDS} - {"infinite", "nan"}
    assert np.isinf(found["infinite"]).any()
    assert not np.isnan(found["infinite"]).any()
    assert np.isnan(found["nan"]).any()
    assert (np.abs(found["largest"]) == LARGEST).all()
    assert len(np.unique(np.sign(found["largest"]))) == 2
    assert not found["zero"].any()
    assert (np.abs(found["subnormal"]) <= 2 * LEAST_NORMAL).all()
    assert (np.abs(found["subnormal"]) < LEAST_NORMAL).any()
    assert (np.abs(found["wide"]) > 1000).any()
    assert (np.abs(found["wide"]) < 1e-3).any()
    assert (np.abs(found["tiny"]) < 2e-5).all()
    assert (np.abs(found["outlier"]).argmax(axis=2) == 0).all()
    assert (found["outlier"][:, :, 0] == 1000).all()
    steps = 2 * 127 * found["ties"] / found["ties"][:, :, :1]  # halves of a step of the largest magnitude
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    assert (np.round(steps) % 2 == 1).any()
