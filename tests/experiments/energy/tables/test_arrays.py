"""The arrays that a summary names, with shares of MACs counted by hand."""

import re

import numpy as np
import pandas as pd
import pytest

from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables import arrays
from bitjoule.experiments.energy.tables.arrays import _distinct
from bitjoule.reports.energy.summary import summary_markdown
from tests.reports.shown import table

TOY = """\
name: toy
accounting: system
models:
  - {name: toy, layers: 2, hidden: 64, heads: 4, ffn: 128, ffn_gated: true, activation: silu, vocabulary: 100}
schemes: [bitnet-b1.58, w4a16]
technologies: [7nm]
platforms: [ternary-edge]
workload: {prompt_tokens: 3, new_tokens: 2, batch: 5}
"""
SEPARATE = """\
platforms:
  - name: three
    like: ternary-edge
    arrays:
      float: {macs: [{weights: [fp16], activations: [fp16], actions: [mul fp16, add fp16]}]}
      integers:
        lanes: 4
        columns: 4
        macs: [{weights: [int8], activations: [int8], actions: [mul int8, add int16]}]
        weight_registers: {load_bits_per_cycle: 512}
        accumulators: {per: column, depth: 8, bits: 32}
"""
LINEARS = 2 * (4 * 64 * 64 + 3 * 64 * 128)  # of two layers, for each token
PAIRS = {"prefill": 1 + 2 + 3, "decode": 4 + 5}  # of a query and a key that no mask hides
TOKENS = {"prefill": 3, "decode": 2}
HEADS = {"prefill": 1, "decode": 2}  # rows of the LM head


def macs(phase):
    """Return the MACs of a sequence: of linears, of attention in two layers (scores and values), of the LM head."""
    return LINEARS * TOKENS[phase], 2 * 2 * 64 * PAIRS[phase], 64 * 100 * HEADS[phase]


def test_the_busiest_array_its_share_of_macs_and_the_others_are_those_counted_by_hand(resolved):
    summary = run(resolved(TOY)).summary.set_index(["scheme", "phase"])
    for phase in ("prefill", "decode"):
        linears, attention, head = macs(phase)
        row = summary.loc[("bitnet-b1.58", phase)]
        assert (row["array"], row["other_arrays"]) == ("adders", "float")
        assert row["array_mac_share"] == pytest.approx(linears / (linears + attention + head), rel=1e-12)
    whole = [sum(of) for of in zip(macs("prefill"), macs("decode"), strict=True)]
    request = summary.loc[("bitnet-b1.58", "request")]
    assert request["array_mac_share"] == pytest.approx(whole[0] / sum(whole), rel=1e-12)
    row = summary.loc[("w4a16", "decode")]  # adders take no FP16: the helper runs everything
    assert (row["array"], row["array_mac_share"], row["other_arrays"]) == ("float", 1.0, "")


def test_of_three_arrays_the_others_are_named_in_the_order_of_their_macs(resolved):
    text = TOY.replace("platforms: [ternary-edge]\n", SEPARATE).replace(
        "[bitnet-b1.58, w4a16]", "[bitnet-b1.58-int8-attention]"
    )
    summary = run(resolved(text)).summary.set_index("phase")
    for phase, others in (("prefill", "float;integers"), ("decode", "float;integers")):
        linears, attention, head = macs(phase)
        assert attention < head
        assert summary.loc[phase, "array"] == "adders"
        assert summary.loc[phase, "other_arrays"] == others
        assert summary.loc[phase, "array_mac_share"] == pytest.approx(linears / (linears + attention + head), rel=1e-12)
    longer = run(resolved(text.replace("prompt_tokens: 3", "prompt_tokens: 100"))).summary.set_index("phase")
    assert longer.loc["prefill", "other_arrays"] == "integers;float"  # 2 * 2 * 64 * 5050 > 6400
    assert "| three" not in summary_markdown(run(resolved(text)))


def test_rows_that_are_sorted_one_by_one_have_the_arrays_of_all(monkeypatch, resolved):
    together = run(resolved(TOY)).summary
    monkeypatch.setattr(arrays, "AT_ONCE", 1)
    pd.testing.assert_frame_equal(run(resolved(TOY)).summary, together)


def test_a_summary_of_several_platforms_names_the_arrays_of_each(resolved):
    text = summary_markdown(run(resolved(TOY.replace("[ternary-edge]", "[ternary-edge, ternary-edge-1w, fp16-edge]"))))
    shown = table(text, ["platform", "scheme", "MACs by array"])
    rows = {(row["platform"], row["scheme"]): row["MACs by array"] for row in shown}
    shares = sorted(100 * of[0] / sum(of) for of in (macs("prefill"), macs("decode")))
    low, high = (f"{share:.1f}" for share in shares)
    least, most = (f"{100 - share:.3g}" for share in reversed(shares))
    assert rows == {
        ("ternary-edge, ternary-edge-1w", "bitnet-b1.58"): f"adders {low} to {high} %, float {least} to {most} %",
        ("ternary-edge, ternary-edge-1w", "w4a16"): "float 100 %",
        ("fp16-edge", "bitnet-b1.58"): "fp16 100 %",
        ("fp16-edge", "w4a16"): "fp16 100 %",
    }
    assert "## Arrays" not in summary_markdown(run(resolved(TOY)))


def test_the_papers_accounting_has_no_arrays(resolved, small):
    summary = run(resolved(small)).summary
    assert set(summary["array"]) == set(summary["other_arrays"]) == {""}
    assert summary["array_mac_share"].isna().all()


REFUSED = {
    "a model": ("[ternary-edge]", "[tpu32]", "platform tpu32 computes ternary x int8, the linears"),
    "a platform written out": (
        "[ternary-edge]", "[{name: own, like: ternary-edge, arrays: {adders: null}}]",
        "platform own computes ternary x int8, the linears",
    ),
    "bare matmuls": (
        TOY[TOY.index("models") : TOY.index("schemes")], "matmuls: [{m: 1, k: 64, n: 64}]\n",
        "platform tpu32 computes ternary x int8, the linears",
    ),
    "a set": (
        "[ternary-edge]", "[{name: s, by_scheme: {bitnet-b1.58: tpu32}}]",
        "platform tpu32 computes ternary x int8, the linears",
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_scheme_that_no_array_takes_is_refused_with_the_arrays_that_would_take_it(bitjoule, tmp_path, name, command):
    old, new, wrong = REFUSED[name]
    text = TOY.replace("[bitnet-b1.58, w4a16]", "[bitnet-b1.58]").replace("[7nm]", "[45nm]")
    if name == "bare matmuls":
        text = text.replace("[ternary-edge]", "[tpu32]")
        text = text.replace("workload: {prompt_tokens: 3, new_tokens: 2, batch: 5}\n", "")
    path = tmp_path / "x.yaml"
    path.write_text(text.replace(old, new))
    out = ["--out", tmp_path / "out"] if command == "run" else []
    status, _, err = bitjoule(command, path, *out)
    (line,) = [line for line in err.splitlines() if "the linears" in line]
    number = 1 + next(i for i, text in enumerate(path.read_text().splitlines()) if text.startswith("platforms"))
    assert status == 2
    place = f"{path}:{number}: platforms[0]"
    assert line.startswith(f"{place}: no array of {wrong} of the scheme (bitnet-b1.58); expected ")
    assert "; or a line in `macs` of one of its arrays; or an array that takes ternary x int8: " in line
    named = dict(text.split(" of ") for text in line.rpartition("ternary x int8: ")[2].split("; "))
    assert {"adders", "fp16", "int8"} <= set(named)
    for platform in re.sub(r", ... \(\d+ in all\)$", "", named["adders"]).split(", "):
        assert platforms()[platform].arrays["adders"].macs_for("ternary", "int8")
    assert not (tmp_path / "out").exists()


def test_formats_that_no_array_takes_need_a_platform_of_ones_own(bitjoule, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(
        TOY.replace(
            "[bitnet-b1.58, w4a16]", "[{name: odd, weights: int2, activations: int1, attention: fp16, rescale: fp16}]"
        )
    )
    _, _, err = bitjoule("check", path)
    assert err.endswith("; or a platform of your own, since no platform has an array for int2 x int1\n")


@pytest.mark.parametrize("width", [1, 3, 8, 20])
def test_rows_of_arrays_are_numbered_as_numpy_sorts_them(width):
    rows = np.random.default_rng(8).integers(-1, width, (200, width))
    for ours, theirs in zip(_distinct(rows), np.unique(rows, axis=0, return_inverse=True), strict=True):
        assert ours.tolist() == theirs.reshape(ours.shape).tolist()
