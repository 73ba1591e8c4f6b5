"""Formats of the training against NumPy's reference layers and plain autograd."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.sim.reference.quantisation import absmax, absmean_ternary, sign_binary

torch = pytest.importorskip("torch")
quantisers = pytest.importorskip("bitjoule.sim.training.quantisers")

ROWS, COLUMNS = 12, 16
QUANTISE = {"ternary": absmean_ternary, "binary": sign_binary}
# values, group_size, shards, divided
FORMATS = [
    ("fp16", None, 1, "out_features"),
    ("int8", None, 1, "out_features"),
    ("int8", 8, 1, "out_features"),
    ("int4", None, 1, "out_features"),
    ("int4", None, 2, "in_features"),
    ("ternary", None, 1, "out_features"),
    ("ternary", 4, 1, "out_features"),
    ("ternary", 128, 1, "out_features"),
    ("ternary", None, 2, "out_features"),
    ("binary", None, 1, "out_features"),
    ("binary", None, 2, "out_features"),
    ("binary", None, 4, "in_features"),
]


def latent(seed: int = 0) -> NDArray[np.float32]:
    """Weights of different size from row to row and column to column, so that groups differ."""
    random = np.random.default_rng(seed)
    sizes = np.outer(np.geomspace(0.2, 2, ROWS), np.geomspace(1, 3, COLUMNS))
    return (random.normal(0.05, 1, (ROWS, COLUMNS)) * sizes).astype(np.float32)


def expected_weights(w: NDArray[np.float32], values: str, size: int | None, shards: int, divided: str) -> NDArray:
    """What NumPy makes of each block of (out_features, in_features) as if it stood alone."""
    if values == "fp16":
        return w
    if values in ("int8", "int4"):
        parts = w.shape[1] // size if size else shards if divided == "in_features" else 1
        top = 127 if values == "int8" else 7
        blocks = w.reshape(len(w), parts, -1)
        scale = np.abs(blocks).max(-1, keepdims=True) / np.float32(top)
        return (np.rint(blocks / scale) * scale).reshape(w.shape)
    quantise = QUANTISE[values]
    if size:
        blocks = w.reshape(-1, min(size, w.shape[1]))
        return np.stack([quantise(block[:, None]).dequantised()[:, 0] for block in blocks]).reshape(w.shape)
    return quantise(w.T, groups=shards, partition=divided).dequantised().T


@pytest.mark.parametrize("activations", ["fp16", "int8", "int4"])
@pytest.mark.parametrize(("values", "size", "shards", "divided"), FORMATS)
def test_forward_and_backward_equal_plain_autograd(values, size, shards, divided, activations):
    layer = quantisers.QuantisedLinear(COLUMNS, ROWS, values, activations, size, shards, divided)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(latent()))
    x = torch.randn(2, 3, COLUMNS, generator=torch.Generator().manual_seed(1)).requires_grad_()
    out = layer(x)
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
    (out * upstream).sum().backward()

    rounded = x.detach().numpy()
    if activations != "fp16":
        groups = shards if divided == "in_features" else 1
        rounded = absmax(rounded, bits=8 if activations == "int8" else 4, groups=groups).dequantised()
    plain_x = x.detach().clone().requires_grad_()
    plain_w = layer.weight.detach().clone().requires_grad_()
    wanted = torch.from_numpy(expected_weights(latent(), values, size, shards, divided).copy())
    through_x = plain_x + (torch.from_numpy(rounded) - plain_x).detach()
    through_w = plain_w + (wanted - plain_w).detach()
    plain = through_x @ through_w.T
    (plain * upstream).sum().backward()
    torch.testing.assert_close(out, plain, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(x.grad, plain_x.grad, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(layer.weight.grad, plain_w.grad, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("values", ["binary", "ternary"])
def test_shards_of_outputs_equal_two_layers_that_exchange_nothing(values):
    whole = quantisers.QuantisedLinear(COLUMNS, ROWS, values, shards=2)
    with torch.no_grad():
        whole.weight.copy_(torch.from_numpy(latent()))
    halves = [quantisers.QuantisedLinear(COLUMNS, ROWS // 2, values) for _ in range(2)]
    for half, weight in zip(halves, whole.weight.detach().chunk(2, 0), strict=True):
        half.weight.data = weight.clone()
    x = torch.randn(5, COLUMNS, generator=torch.Generator().manual_seed(3))
    both = torch.cat([half(x) for half in halves], -1)
    torch.testing.assert_close(whole(x), both)
    one = quantisers.QuantisedLinear(COLUMNS, ROWS, values)
    one.weight.data = whole.weight.detach().clone()
    assert not torch.allclose(one(x), both, rtol=0.01)  # the statistics of the shards differ
    whole(x).square().sum().backward()
    both.square().sum().backward()
    torch.testing.assert_close(whole.weight.grad, torch.cat([half.weight.grad for half in halves]))


@pytest.mark.parametrize("values", ["binary", "ternary"])
def test_shards_of_inputs_equal_the_sum_of_two_layers_that_see_their_features_alone(values):
    whole = quantisers.QuantisedLinear(COLUMNS, ROWS, values, shards=2, divided="in_features")
    with torch.no_grad():
        whole.weight.copy_(torch.from_numpy(latent()))
    halves = [quantisers.QuantisedLinear(COLUMNS // 2, ROWS, values) for _ in range(2)]
    for half, weight in zip(halves, whole.weight.detach().chunk(2, 1), strict=True):
        half.weight.data = weight.clone()
    x = torch.randn(5, COLUMNS, generator=torch.Generator().manual_seed(3))
    x[:, : COLUMNS // 2] *= 9  # so that a scale over the whole token would round the other half coarsely
    parts = [half(part) for half, part in zip(halves, x.chunk(2, -1), strict=True)]
    torch.testing.assert_close(whole(x), parts[0] + parts[1])
    whole(x).square().sum().backward()
    (parts[0] + parts[1]).square().sum().backward()
    gradients = torch.cat([half.weight.grad for half in halves], 1)
    torch.testing.assert_close(whole.weight.grad, gradients, rtol=1e-4, atol=1e-3)


def test_codes_are_those_of_the_reference_and_times_scale_the_weights():
    w = torch.from_numpy(latent())
    for values, quantise in QUANTISE.items():
        codes, scale = quantisers.quantised_weights(w, values, quantisers.Blocks())
        reference = quantise(w.numpy().T)
        np.testing.assert_array_equal(codes.numpy().T, reference.codes)
        np.testing.assert_allclose(scale.numpy().ravel(), reference.scale, rtol=1e-6)
    codes, scale = quantisers.quantised_weights(w, "int4", quantisers.Blocks(ROWS, 2))
    assert codes.abs().max() == 7
    error = (quantisers.dequantised(codes, scale) - w).view(ROWS, 2, -1).abs()
    assert (error <= scale.view(ROWS, 2, 1) * 0.5001).all()


def test_stacked_matrices_are_quantised_each_for_itself():
    stack = torch.stack([torch.from_numpy(latent(seed)) for seed in (0, 1, 2)])
    codes, scale = quantisers.quantised_weights(stack, "ternary", quantisers.Blocks(1, 2))
    for matrix, its_codes, its_scale in zip(stack, codes, scale, strict=True):
        alone = quantisers.quantised_weights(matrix, "ternary", quantisers.Blocks(1, 2))
        torch.testing.assert_close((its_codes, its_scale), alone)


@pytest.mark.parametrize("values", ["int8", "int4", "ternary", "binary"])
def test_a_matrix_of_zeros_and_a_token_of_zeros_stay_finite(values):
    layer = quantisers.QuantisedLinear(COLUMNS, ROWS, values)
    layer.weight.data.zero_()
    assert torch.isfinite(layer(torch.zeros(2, COLUMNS))).all()
