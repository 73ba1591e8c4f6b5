"""Points of a roofline against the lengths that were asked for, roofs against the sizes that a platform gives."""

import numpy as np
import pytest
import yaml

from bitjoule.experiments.energy.grid import grid_of
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables.rooflines import points, roofs
from tests.experiments.energy.tables.test_arrays import TOY, macs

SWEEP = TOY.replace("prompt_tokens: 3, new_tokens: 2", "prompt_tokens: [3, 9, 4], new_tokens: [2, 5]")
COPIES = {
    "name": "three", "like": "ternary-edge", "nodes": {"7nm": {"clock_mhz": 500}},
    "arrays": {"adders": {"lanes": 32, "columns": 8, "copies": 3}},
}  # fmt: skip


def test_biases_are_no_operations_of_the_array_and_requests_are_both_phases(resolved):
    """Sums of a bias are additions without a product; of n products, the array adds n - 1."""
    found = []
    for text in (TOY, TOY.replace("vocabulary: 100", "vocabulary: 100, qkv_bias: true")):
        grid, result = grid_of(resolved(text)), run(resolved(text))
        assert (result.results["operand"] == "biases").any() == (text != TOY)
        found.append(points(grid, result.summary, np.array([[0, 0]])).set_index(["scheme", "phase"]))
    without, with_biases = found
    for scheme in ("bitnet-b1.58", "w4a16"):
        counted = [with_biases.loc[(scheme, phase), "operations"] for phase in ("prefill", "decode", "request")]
        assert counted == [without.loc[(scheme, phase), "operations"] for phase in ("prefill", "decode", "request")]
        assert counted[2] == pytest.approx(sum(counted[:2]), rel=1e-12)
        assert 0.95 * 2 * 5 * sum(macs("prefill")) < counted[0] < 2 * 5 * sum(macs("prefill"))
    speed = with_biases["operations"] / with_biases["latency_s"]
    np.testing.assert_allclose(with_biases["operations_per_s"], speed, rtol=1e-12)


def test_the_points_are_of_the_lengths_that_were_asked_for_in_pairs_and_requests_come_last(resolved):
    grid, result = grid_of(resolved(SWEEP)), run(resolved(SWEEP))
    table = points(grid, result.summary, np.array([[0, 1], [2, 0]]))
    pairs = [*zip(table["prompt_tokens"], table["new_tokens"], strict=True)]
    assert set(pairs) == {(3, 5), (4, 2)}
    assert len(table) == 2 * 2 * 3  # lengths, schemes, phases with their sum
    assert table["phase"].tolist() == ["prefill", "decode"] * 4 + ["request"] * 4


def test_a_roof_is_of_all_copies_of_the_array_and_names_the_machine_of_its_scheme(resolved):
    document = yaml.safe_load(TOY)
    pair = {"name": "pair", "by_scheme": {"bitnet-b1.58": "ternary-hbm", "w4a16": "int4-edge"}}
    grid = grid_of(resolved(yaml.safe_dump(document | {"platforms": [COPIES, pair]})))
    table = roofs(grid).set_index(["platform", "scheme"])
    assert table.loc[("three", "bitnet-b1.58"), "operations_per_s"] == pytest.approx(2 * 32 * 8 * 3 * 500e6)
    assert table["machine"].to_dict() == {
        ("three", "bitnet-b1.58"): "three", ("three", "w4a16"): "three", ("pair", "bitnet-b1.58"): "ternary-hbm",
        ("pair", "w4a16"): "int4-edge",
    }  # fmt: skip
    assert table.loc[("pair", "bitnet-b1.58"), "bytes_per_s"] == pytest.approx(1024e9)
