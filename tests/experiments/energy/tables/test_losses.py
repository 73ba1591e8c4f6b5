"""Losses by the scaling laws, as printed beside the curves of the first BitNet paper."""

import math
from itertools import permutations

import pytest

from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.tables.losses import losses

# L(N) = a N^b + c, N in billions; the smallest and largest model of the curve
LAWS = {"bitnet": (0.64062, -0.39096, 3.78623, 0.125, 30.0), "fp16": (0.42899, -0.39940, 3.73307, 0.125, 6.7)}
MODEL = """\
name: mine
models:
- {name: m, hidden: %d, layers: 1, heads: 1, ffn: %d, ffn_gated: false, activation: gelu, vocabulary: 8,
   tied_embedding: true}
schemes: [fp16, bitnet, bitnet-b1.58]
technologies: [7nm]
"""


@pytest.fixture
def found(resolved):
    """Return a function that gives the losses of a model, and its parameters."""

    def of(hidden, ffn):
        grid = grid_of(resolved(MODEL % (hidden, ffn)))
        (shape,) = grid.models.values()
        return losses(grid).set_index("scheme"), shape.parameters / 1e9

    return of


@pytest.mark.parametrize(("hidden", "ffn"), [(2048, 8192), (8192, 60_000), (16_384, 500_000)])
def test_a_loss_is_that_of_the_law_at_the_models_parameters(found, hidden, ffn):
    table, billions = found(hidden, ffn)
    assert set(table.index) == set(LAWS)  # no law of ternary weights
    for scheme, (a, b, c, _, _) in LAWS.items():
        assert table.loc[scheme, "loss"] == pytest.approx(a * math.exp(b * math.log(billions)) + c)


@pytest.mark.parametrize("order", list(permutations(("fp16", "bitnet-b1.58", "bitnet"))), ids=" ".join)
def test_a_scheme_without_a_law_takes_none_from_those_behind_it(resolved, order):
    table = losses(grid_of(resolved(MODEL % (2048, 8192), f"schemes=[{', '.join(order)}]")))
    assert table["scheme"].tolist() == [scheme for scheme in order if scheme in LAWS]


@pytest.mark.parametrize(
    ("hidden", "ffn", "fitted"),
    [
        (2048, 16_384, {"fp16": False, "bitnet": False}),  # 0.084 billion: below 0.75 x 125M
        (2048, 20_480, {"fp16": True, "bitnet": True}),  # 0.101 billion, as much as a model that is named 125M
        (16_384, 163_840, {"fp16": True, "bitnet": True}),  # 6.4 billion
        (16_384, 174_000, {"fp16": False, "bitnet": True}),  # 6.78 billion
        (16_384, 900_000, {"fp16": False, "bitnet": False}),  # 30.6 billion
    ],
)
def test_a_law_is_fitted_from_three_quarters_of_its_smallest_size_to_its_largest(found, hidden, ffn, fitted):
    table, billions = found(hidden, ffn)
    for scheme, (_, _, _, smallest, largest) in LAWS.items():
        assert (0.75 * smallest <= billions <= largest) == fitted[scheme]
    assert table["fitted"].to_dict() == fitted
