"""Written-out gradients against autograd of the composed operations."""

import pytest

torch = pytest.importorskip("torch")
operations = pytest.importorskip("bitjoule.sim.training.operations")


def gradients(function, *inputs):
    """Value and gradients of a function, for a fixed gradient from above."""
    leaves = [each.clone().requires_grad_() for each in inputs]
    out = function(*leaves)
    upstream = torch.randn(out.shape, generator=torch.Generator().manual_seed(9), dtype=out.dtype)
    return [out, *torch.autograd.grad(out, leaves, upstream)]


def values(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def test_norm_then_round_has_the_gradient_of_the_norm():
    def plain(x, gain):
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * gain

    x, gain = values(2, 5, 8), values(8)
    ours = gradients(lambda x, gain: operations.norm_then_round(x, gain, 1e-5, "fp16"), x, gain)
    torch.testing.assert_close(ours, gradients(plain, x, gain))
    rounded = gradients(lambda x, gain: operations.norm_then_round(x, gain, 1e-5, "int4"), x, gain)
    torch.testing.assert_close(rounded[1:], ours[1:])  # rounding is taken for the identity
    largest = ours[0].abs().amax(-1, keepdim=True)
    torch.testing.assert_close(rounded[0], (ours[0] / largest * 7).round() * largest / 7)


def test_relu2_gated():
    both = values(3, 4, 10)
    plain = gradients(lambda both: both[..., :5].relu().square() * both[..., 5:], both)
    torch.testing.assert_close(gradients(operations.relu2_gated, both), plain)


def test_queries_and_keys_turn_in_pairs_as_hugging_face_does_and_values_stay():
    angles = torch.outer(torch.arange(6, dtype=torch.float64), torch.tensor([1.0, 0.3], dtype=torch.float64))
    turns = torch.polar(torch.ones_like(angles), angles)[:, None]
    cosine, sine = angles.cos()[:, None], angles.sin()[:, None]

    def plain(x):
        halves = torch.cat((x[..., ::2], x[..., 1::2]), -1)  # the order that Hugging Face has
        turned_by_a_quarter = torch.cat((-halves[..., 2:], halves[..., :2]), -1)
        turned = halves * torch.cat((cosine, cosine), -1) + turned_by_a_quarter * torch.cat((sine, sine), -1)
        pairs = torch.stack((turned[..., :2], turned[..., 2:]), -1).flatten(-2)
        return torch.cat((pairs[:, :, :3], x[:, :, 3:]), 2)

    def ours(x):
        parts = operations.turned(x, turns, 2, 1)
        assert [part.shape for part in parts] == [(2, heads, 6, 4) for heads in (2, 1, 1)]
        return torch.cat([part.transpose(1, 2) for part in parts], 2)

    x = values(2, 6, 4, 4)
    torch.testing.assert_close(gradients(ours, x), gradients(plain, x))


@pytest.mark.parametrize("rows", [3, 300])  # within one part of the rows, and over the ends of parts
def test_linear_loss_is_the_cross_entropy_of_the_logits(rows):
    x, matrix = values(2, rows, 8), values(11, 8)
    targets = torch.randint(11, (2, rows), generator=torch.Generator().manual_seed(3))

    def plain(x, matrix):
        return torch.nn.functional.cross_entropy((x @ matrix.T).flatten(0, 1), targets.flatten())

    ours = gradients(lambda x, matrix: operations.linear_loss(x, matrix, targets), x, matrix)
    torch.testing.assert_close(ours, gradients(plain, x, matrix))


def test_linear_loss_of_a_class_without_a_chance_is_finite():
    x = torch.tensor([[200.0]])
    matrix = torch.tensor([[1.0], [-1.0]])
    assert operations.linear_loss(x, matrix, torch.tensor([1])).item() == pytest.approx(400.0)
