"""GPTQ against its definition: after each input the rest of the weights moves by the inverse of what is left.

Frantar et al., arXiv:2210.17323, eq. 2 and 3: no Cholesky factor, the inverse is made anew for each input.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.sim.llm.engines import NumpyEngine
from bitjoule.sim.llm.linears import Norm, Run
from bitjoule.sim.llm.synthetic import random_model
from bitjoule.sim.post_training.gptq import gptq, hessian
from bitjoule.sim.post_training.linears import RecordedLinear, RoundedLinear
from bitjoule.sim.post_training.methods import METHODS, Method, divisors
from bitjoule.sim.post_training.quantise import RoundedMatrix, quantise


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


def test_linears_of_one_input_have_one_divisor_of_the_largest_of_all_their_weights():
    """SmoothQuant, arXiv:2211.10438, eq. 4: max|X|^0.5 / max|W|^0.5, of all matrices that are multiplied with X."""
    random = np.random.default_rng(8)
    weights = {"k_proj": random.normal(size=(5, 4)), "v_proj": 3 * random.normal(size=(5, 2)),
               "ffn_up": random.normal(size=(5, 6)), "o_proj": random.normal(size=(5, 5))}  # fmt: skip
    inputs = {name: random.normal(size=(7, 5)) - 1 for name in ("v_proj", "ffn_up", "o_proj")}
    inputs["k_proj"] = inputs["v_proj"]
    found = divisors(weights, inputs)
    assert found.keys() == {"k_proj", "v_proj", "ffn_up"}
    for names in (("k_proj", "v_proj"), ("ffn_up",)):
        largest = np.abs(np.concatenate([weights[name] for name in names], axis=1)).max(axis=1)
        expected = np.sqrt(np.abs(inputs[names[0]]).max(axis=0) / largest)
        for name in names:
            np.testing.assert_allclose(found[name], expected, rtol=1e-9)


@pytest.mark.parametrize(("levels", "known"), [(15, True), (16, True), (17, False)])
def test_the_least_error_is_told_of_few_levels_alone(levels, known):
    weights = np.random.default_rng(9).normal(size=(8, 3))
    matrix = RoundedMatrix("q_proj", weights, weights * 0.9, levels, 0)
    assert matrix.error == pytest.approx(0.1)
    assert math.isnan(matrix.least_error) != known


def test_smoothing_alone_changes_no_outputs():
    """What divides the inputs multiplies the weights: a method that rounds nothing gives the model's own logits."""
    shape = presets()["bitnet-b1.58-3b"].model_copy(
        update={"layers": 2, "hidden": 32, "heads": 4, "kv_heads": 4, "head_dim": 8, "ffn": 48, "vocabulary": 40}
    )
    random = np.random.default_rng(10)
    blocks = []
    for index in range(2):
        block = random_model(shape, seed=1).blocks(index)
        linears = {
            name: replace(linear, weights=random.normal(0, 0.2, linear.weights.codes.shape).astype(np.float32))
            for name, linear in block.linears.items()
        }
        blocks.append(replace(block, linears=linears))
    model = replace(random_model(shape, seed=1), blocks=blocks.__getitem__)
    given = []

    def keep(weights, inputs, _):
        given.append((weights, inputs))
        return weights

    tokens = [[1, 7, 30, 4], [5, 5, 39, 0]]
    method = Method("none", 4, 0, 0, keep, True)
    quantised, matrices = quantise(model, method, tokens)
    for part in tokens:
        expected = model.forward(part, NumpyEngine())
        np.testing.assert_allclose(quantised.forward(part, NumpyEngine()), expected, rtol=1e-3, atol=1e-4)
    assert [matrix.linear for matrix in matrices][:2] == ["layers.0.q_proj", "layers.0.k_proj"]
    assert {matrix.error for matrix in matrices} == {0.0}
    assert {matrix.group for matrix in matrices} == {32, 48}  # one scale an output: all its in_features
    smoothed = given[0]  # of the first linear: products stay
    assert not np.allclose(smoothed[0], blocks[0].linears["q_proj"].weights)
    norm = blocks[0].norms["attention"]
    x = np.concatenate([norm(np.concatenate([model.embedding.block(t, t + 1) for t in part])) for part in tokens])
    expected = x.astype(float) @ blocks[0].linears["q_proj"].weights
    np.testing.assert_allclose(smoothed[1] @ smoothed[0], expected, rtol=1e-3, atol=1e-4)


LEVELS = {"absmax-w8a8": 255, "absmax-w4a4": 15, "smoothquant-w8a8": 255, "smoothquant-w4a4": 15, "gptq-w4": 15,
          "gptq-w3": 7, "gptq-w2": 4, "rotated-gptq-w2": 4, "absmean-ternary": 3, "sign-mean": 2}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_levels_are_the_values_that_weights_of_a_group_are_rounded_to(name):
    """From three bits on a code is left over, for the sake of a zero in the middle; two bits are +-1/2 and +-3/2."""
    method, random = METHODS[name], np.random.default_rng(11)
    assert method.levels == LEVELS[name]
    if name.startswith("rotated"):  # its levels are those of the rotated weights
        return
    size = 4096 if method.weight_bits == 8 else 256
    weights = random.uniform(-1, 1, (size, 1))
    found = method.round(weights, random.normal(size=(300, size)) if "gptq" in name else np.zeros((1, size)), random)
    groups = found.reshape(-1, method.group or size) if method.group >= 0 else found.reshape(1, -1)
    assert max(len(np.unique(group)) for group in groups) == LEVELS[name]
