"""GPTQ against its definition: after each input the rest of the weights moves by the inverse of what is left.

Frantar et al., arXiv:2210.17323, eq. 2 and 3: no Cholesky factor, the inverse is made anew for each input.
"""

import numpy as np
import pytest

from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.linears import Norm, Run
from bitjoule.sim.post_training.gptq import gptq, hessian
from bitjoule.sim.post_training.linears import RecordedLinear, RoundedLinear


def by_hand(weights, moments, bits, group):
    top = (1 << bits - 1) - 1
    damped = moments.copy()
    for k in range(len(damped)):
        if damped[k, k] == 0:
            damped[k, k] = 1.0
    damped += 0.01 * np.mean(np.diag(damped)) * np.eye(len(damped))
    left, rounded = weights.copy(), np.zeros_like(weights)
    for k in range(len(weights)):
        if k % group == 0:
            step = np.abs(left[k : k + group]).max(axis=0) / top
        rounded[k] = np.clip(np.rint(left[k] / step), -top, top) * step
        inverse = np.linalg.inv(damped[k:, k:])
        left[k:] -= np.outer(inverse[:, 0], (left[k] - rounded[k]) / inverse[0, 0])
    return rounded


@pytest.mark.parametrize("group", [3, 12])
@pytest.mark.parametrize("unused", [False, True])
def test_weights_are_those_of_the_definition(group, unused):
    random = np.random.default_rng(6)
    inputs = random.normal(size=(40, 12)) @ random.normal(size=(12, 12)) * 0.05
    if unused:
        inputs[:, 5] = 0.0
    weights = random.normal(size=(12, 5))
    found = gptq(weights, hessian(inputs), 4, 0 if group == 12 else group, fitted=False)
    np.testing.assert_allclose(found, by_hand(weights, hessian(inputs), 4, group), rtol=1e-9, atol=1e-12)


def test_moments_are_twice_the_mean_of_products():
    inputs = np.array([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0]])
    np.testing.assert_allclose(hessian(inputs), np.array([[10, -1], [-1, 21]]) * 2 / 3)


def test_linears_record_and_round_what_is_behind_their_norm():
    random = np.random.default_rng(7)
    weights, bias = random.normal(size=(6, 4)).astype(np.float32), np.arange(4, dtype=np.float32)
    norm = Norm(np.arange(1, 7, dtype=np.float32), 1e-3)
    parts, run = [random.normal(size=(m, 6)).astype(np.float32) for m in (2, 3)], Run(NumpyEngine())
    normed = [part / np.sqrt(np.mean(part**2, axis=1, keepdims=True) + 1e-3) * norm.gain for part in parts]
    recorded = RecordedLinear(0, "q_proj", weights, bias, norm)
    for part, x in zip(parts, normed, strict=True):
        np.testing.assert_allclose(recorded(part, run), x @ weights + bias, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(recorded.recorded(), np.concatenate(normed), rtol=1e-5)
    divisor = np.array([1, 2, 4, 1, 0.5, 8], np.float32)
    for bits in (0, 3, 8):
        x = normed[0] / divisor
        if bits:
            largest = np.abs(x).max(axis=1, keepdims=True)
            x = np.rint(x / largest * ((1 << bits - 1) - 1)) * largest / ((1 << bits - 1) - 1)
        found = RoundedLinear(0, "q_proj", weights, bias, norm, bits, divisor)(parts[0], run)
        np.testing.assert_allclose(found, x @ weights + bias, rtol=1e-4, atol=1e-5)
