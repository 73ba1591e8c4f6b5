"""GPTQ against optimal brain surgery that inverts what is left of the Hessian after each input, and llm-compressor."""

from pathlib import Path

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.post_training.gptq import DAMPING, gptq, hessian
from bitjoule.sim.post_training.grids import round_to, round_to_nearest, symmetric_steps
from bitjoule.sim.post_training.rotation import rotated_gptq, rotation
from bitjoule.sim.post_training.smoothing import smoothing

RANDOM = np.random.default_rng(5)
INPUTS = RANDOM.normal(size=(200, 12)) @ RANDOM.normal(size=(12, 12))  # correlated
WEIGHTS = RANDOM.normal(size=(12, 7))


def surgery(weights, moments, step, bits):
    """Round input by input; correct the others by H⁻¹ of those that are left, inverted anew each time."""
    left = weights.copy()
    moments = moments + np.eye(len(moments)) * DAMPING * np.diag(moments).mean()
    for k in range(len(left)):
        inverse = np.linalg.inv(moments[k:, k:])
        error = left[k] - round_to(left[k], step, bits)
        left[k:] -= np.outer(inverse[:, 0] / inverse[0, 0], error)
    return left


@pytest.mark.parametrize("bits", [2, 4])
def test_it_is_optimal_brain_surgery_in_the_order_of_the_inputs(bits):
    step = symmetric_steps(WEIGHTS, bits, fitted=True)[0, 0]
    expected = surgery(WEIGHTS, hessian(INPUTS), step, bits)
    np.testing.assert_allclose(gptq(WEIGHTS, hessian(INPUTS), bits), expected, atol=1e-9)


def test_outputs_are_nearer_than_those_of_the_nearest_weights():
    near = round_to_nearest(WEIGHTS, 3, fitted=True)
    loss = [np.linalg.norm(INPUTS @ (rounded - WEIGHTS)) for rounded in (gptq(WEIGHTS, hessian(INPUTS), 3), near)]
    assert loss[0] < 0.8 * loss[1]


def test_independent_inputs_leave_nothing_to_make_up_for():
    np.testing.assert_allclose(gptq(WEIGHTS, np.eye(12), 4, fitted=False), round_to_nearest(WEIGHTS, 4), atol=1e-12)


def test_an_input_that_is_always_zero_is_rounded():
    inputs = INPUTS.copy()
    inputs[:, 3] = 0
    rounded = gptq(WEIGHTS, hessian(inputs), 4)
    step = symmetric_steps(WEIGHTS, 4, fitted=True)[0, 0]
    np.testing.assert_allclose(rounded[3], round_to(WEIGHTS[3], step, 4))


@pytest.mark.parametrize("size", [1, 8, 12, 96])
def test_a_rotation_is_orthogonal(size):
    matrix = rotation(size, np.random.default_rng(1))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)
    assert len(np.unique(np.abs(matrix).round(12)[matrix != 0])) == 1  # all entries of a block weigh the same


def test_a_rotation_spreads_an_outlier():
    weights = RANDOM.normal(size=(64, 64))
    weights[7, 9] = 60.0
    plain, turned = gptq(weights, np.eye(64), 4), rotated_gptq(weights, np.eye(64), 4, np.random.default_rng(2))
    error = [np.linalg.norm(np.delete((rounded - weights)[:, 9], 7)) for rounded in (plain, turned)]
    assert error[1] < 0.5 * error[0]


def test_with_many_bits_nothing_changes_however_it_is_turned():
    turned = rotated_gptq(WEIGHTS, hessian(INPUTS), 8, np.random.default_rng(2))
    assert np.linalg.norm(turned - WEIGHTS) < 0.03 * np.linalg.norm(WEIGHTS)


def test_smoothing_is_the_papers_quotient_and_keeps_the_product():
    """SmoothQuant, eq. 4, with α = 0.5: sqrt(max|X_j| / max|W_j|)."""
    largest = np.abs(INPUTS).max(axis=0)
    scale = smoothing(largest, [WEIGHTS[:, :3], WEIGHTS[:, 3:]])
    np.testing.assert_allclose(scale, np.sqrt(largest / np.abs(WEIGHTS).max(axis=1)))
    np.testing.assert_allclose((INPUTS / scale) @ (WEIGHTS * scale[:, None]), INPUTS @ WEIGHTS)
    assert smoothing(np.zeros(12), [WEIGHTS]).tolist() == [1.0] * 12


@pytest.mark.parametrize(("bits", "share"), [(4, 0.9999), (3, 0.99)])
def test_codes_are_those_of_llm_compressor(bits, share):
    """One linear of a bundled model with the same moments and steps: benchmarks/library_gptq.py wrote the codes."""
    with np.load(Path(__file__).with_name("llmcompressor_gptq.npz")) as file:
        theirs = dict(file)
    weights = load_model(shipped_models()["tiny-fp16"]).model.blocks(1).linears["q_proj"].weights.astype(np.float64)
    codes, steps = theirs[f"codes{bits}"], theirs[f"steps{bits}"].astype(np.float64)
    ours = gptq(weights, theirs["moments"].astype(np.float64), bits, 64, steps=steps)
    assert codes.min() > -(1 << bits - 1)  # the library's one more level below zero is not used
    equal = np.rint(ours / np.repeat(steps, 64, axis=0)) == codes
    assert equal.mean() > share  # a tie that float32 rounds otherwise moves what follows it in its output
    plain = np.rint(weights / np.repeat(steps, 64, axis=0)) == codes
    assert plain.mean() < 0.9  # without feedback many codes are others
