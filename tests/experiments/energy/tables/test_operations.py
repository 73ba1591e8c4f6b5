"""The table of operations: sizes, MACs and bytes counted by hand; sums are those of the other tables."""

import numpy as np
import pandas as pd
import pytest
import yaml

import bitjoule
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.output.columns import BYTE_COLUMNS, CASE_COLUMNS, OPERATION_COLUMNS

HIDDEN, FFN, HEADS, LAYERS, VOCABULARY = 64, 128, 4, 3, 100
PROMPT, NEW, BATCH = 6, 2, 5
TOY = f"""\
name: toy
accounting: system
models:
  - name: toy
    layers: {LAYERS}
    hidden: {HIDDEN}
    heads: {HEADS}
    ffn: {FFN}
    ffn_gated: true
    activation: silu
    vocabulary: {VOCABULARY}
    groups:
      - {{repeats: 2, layer_numbers: "0,2", window: 4}}
      - {{repeats: 1, layer_numbers: "1"}}
schemes: [bitnet-b1.58]
technologies: [7nm]
platforms: [ternary-edge]
workload: {{prompt_tokens: {PROMPT}, new_tokens: {NEW}, batch: {BATCH}}}
"""
MIXED = """\
name: mixed
accounting: system
models:
  - name: mixture
    layers: 3
    hidden: 64
    heads: 4
    kv_heads: 2
    ffn: 128
    ffn_gated: true
    activation: silu
    vocabulary: 100
    qkv_bias: true
    groups:
      - {repeats: 1}
      - {repeats: 2, window: 8, experts: 4, active_experts: 2, expert_ffn: 32, shared_ffn: 48, shared_gate: true}
  - name: mixers
    layers: 4
    hidden: 64
    heads: 4
    ffn: 96
    ffn_gated: false
    activation: gelu
    vocabulary: 100
    norm: layernorm
    groups:
      - {repeats: 2, mixer: {kind: mamba2, heads: 4, head_dim: 32, groups: 1, state: 16}}
      - {repeats: 1, mixer: {kind: latent_attention, kv_rank: 16, query_rank: 24, nope_dim: 16, rope_dim: 8,
                             value_dim: 16}}
      - {repeats: 1}
schemes: [fp16, bitnet-b1.58-kv4]
technologies: [45nm, 7nm]
platforms:
  - ternary-edge
  - {name: separate, like: ternary-hbm, attention: separate, regulator: {efficiency: {low: 0.8, nominal: 0.9, high: 1}}}
  - {name: device, like: ternary-edge-lpddr5, buffers: {activations: {size_bytes: 32768, banks: 1}}}
workload: {prompt_tokens: [40, 3], new_tokens: 5, batch: 3}
"""


@pytest.fixture(scope="module")
def toy():
    return bitjoule.run(yaml.safe_load(TOY)).operations


@pytest.fixture(scope="module")
def mixed():
    return bitjoule.run(yaml.safe_load(MIXED))


def row(table, phase, layers, component):
    found = table[(table["phase"] == phase) & (table["layers"] == layers) & (table["component"] == component)]
    (only,) = found.to_dict("records")
    return only


@pytest.mark.parametrize(("layers", "repeats"), [("0,2", 2), ("1", 1)])
def test_linears_have_the_sizes_macs_and_bytes_that_are_counted_by_hand(toy, layers, repeats):
    sizes = {"q_proj": (HIDDEN, HIDDEN), "o_proj": (HIDDEN, HIDDEN), "ffn_up": (HIDDEN, FFN), "ffn_down": (FFN, HIDDEN)}
    for phase, m, steps in (("prefill", BATCH * PROMPT, 1), ("decode", BATCH, NEW)):
        for component, (k, n) in sizes.items():
            ours = row(toy, phase, layers, component)
            assert (ours["m"], ours["k"], ours["n"], ours["times"]) == (m, k, n, repeats * steps)
            assert ours["repeats"] == repeats
            assert ours["macs"] == m * k * n * repeats * steps
            assert ours["off_chip_weights_bytes"] == k * n * 2 / 8 * repeats * steps  # two bits a trit
            assert ours["off_chip_activations_bytes"] == ours["off_chip_outputs_bytes"] == 0  # they stay on chip
            assert ours["array"] == "adders"
            formats = ("ternary", "ternary2", "int8", "fp16")
            assert (
                tuple(ours[f"{name}"] for name in OPERATION_COLUMNS if name.endswith(("format", "storage"))) == formats
            )


def test_attention_of_a_window_meets_fewer_keys_than_that_of_all_tokens(toy):
    head = HIDDEN // HEADS
    # pairs of a query and a key of a sequence: all six tokens, then the seventh and the eighth; a window of four
    pairs = {("1", "prefill"): 21, ("1", "decode"): 7 + 8, ("0,2", "prefill"): 1 + 2 + 3 + 3 * 4, ("0,2", "decode"): 8}
    for (layers, phase), count in pairs.items():
        repeats = 2 if layers == "0,2" else 1
        for component in ("attention_scores", "attention_values"):
            ours = row(toy, phase, layers, component)
            assert ours["macs"] == pytest.approx(count * head * HEADS * BATCH * repeats, rel=1e-12)
            assert ours["array"] == "float"
        assert row(toy, phase, layers, "kv_cache_read")["off_chip_weights_bytes"] == 0
    # each of the layers writes keys and values of each token in FP16
    for phase, tokens in (("prefill", PROMPT), ("decode", NEW)):
        written = row(toy, phase, "0,2", "kv_cache_write")
        assert written["off_chip_keys_values_bytes"] == 2 * 2 * HIDDEN * tokens * BATCH * 2
    # in decode each step reads the keys and values that it meets, those of its own token too
    for layers, keys in (("1", 7 + 8), ("0,2", 2 * (4 + 4))):
        assert (
            row(toy, "decode", layers, "kv_cache_read")["off_chip_keys_values_bytes"] == 2 * 2 * HIDDEN * keys * BATCH
        )


def test_what_layers_have_in_common_costs_each_of_them_the_same(toy):
    amounts = ["macs", "time_s", "energy_j", "energy_low_j", "energy_high_j", *BYTE_COLUMNS]
    for phase in ("prefill", "decode"):
        for component in ("q_proj", "ffn_down", "norm", "residual", "activation_function", "kv_cache_write"):
            two, one = (row(toy, phase, layers, component) for layers in ("0,2", "1"))
            np.testing.assert_allclose([two[name] for name in amounts], [2 * one[name] for name in amounts], rtol=1e-12)
            assert two["bound_by"] == one["bound_by"]
            assert (two["times"], one["times"]) == ((2, 1) if phase == "prefill" else (2 * NEW, NEW))


def test_the_rows_of_a_phase_are_embedding_groups_head_and_what_flows_over_time(toy):
    decode = toy[toy["phase"] == "decode"]
    assert decode["layers"].drop_duplicates().tolist() == ["", "0,2", "1"]
    assert decode["component"].iloc[0] == "embedding"
    assert decode["component"].tolist()[-3:] == ["norm", "lm_head", "static"]
    head = row(toy, "decode", "", "lm_head")
    assert (head["m"], head["k"], head["n"], head["times"], head["repeats"]) == (BATCH, HIDDEN, VOCABULARY, NEW, 1)
    static = row(toy, "decode", "", "static")
    assert (static["time_s"], static["bound_by"], static["array"]) == (0, "", "")
    assert np.isnan(static["m"])


def test_a_matrix_that_streams_from_dram_takes_its_bytes_over_the_bandwidth(resolved):
    text = TOY[: TOY.index("models")] + "matmuls: [{m: 1, k: 4096, n: 4096}]\n" + TOY[TOY.index("schemes") :]
    text = text[: text.index("workload")]
    (matmul,) = run(resolved(text)).operations.query("component == 'matmul'").to_dict("records")
    loaded = 4096 * 4096 * 2 / 8 + 4096 + 4096  # trits, and a vector of INT8 on each side
    assert matmul["off_chip_weights_bytes"] + matmul["off_chip_activations_bytes"] + matmul[
        "off_chip_outputs_bytes"
    ] == (loaded)
    assert matmul["bound_by"] == "off_chip"
    assert matmul["time_s"] == pytest.approx(loaded / 12.8e9, rel=0.01)  # the first tile is not hidden
    assert matmul["time_s"] > loaded / 12.8e9


def test_operations_add_up_to_components_and_to_the_summary(mixed):
    table = mixed.operations
    assert tuple(table.columns) == OPERATION_COLUMNS
    keys = [*CASE_COLUMNS, "component"]
    amounts = ["macs", "time_s", "energy_j", "energy_low_j", "energy_high_j"]
    ours = table.groupby(keys, observed=True)[amounts].sum()
    components = pd.concat(list(mixed.components_in_blocks())).set_index(keys)
    assert set(ours.index) == set(components.index)
    np.testing.assert_allclose(ours, components.loc[ours.index, amounts], rtol=1e-12)
    phases = mixed.summary[mixed.summary["phase"] != "request"].set_index(list(CASE_COLUMNS))
    whole = table.groupby(list(CASE_COLUMNS), observed=True)[amounts[1:]].sum()
    expected = phases.loc[whole.index, ["latency_s", *amounts[2:]]]
    np.testing.assert_allclose(whole, expected, rtol=1e-12)
    assert (table["component"] == "regulator").any()
    assert (table["off_chip_state_bytes"] > 0).any()
    assert (table["component"] == "spilled_activations").any()


def test_so_does_the_work_that_a_scheme_adds():
    schemes = ["bitnet-v2", "bitnet-a4.8", "int8-smoothquant-online", "w2a16-quip-sharp", "bitnet-g128"]
    found = _adds_up(yaml.safe_load(TOY) | {"schemes": schemes})
    assert {"rotation", "channel_scaling"} <= set(found.operations["component"])


def test_so_does_the_fixed_time_of_steps_and_launches():
    overheads = {"step_us": 50.0, "request_us": 2.0, "matmul_us": 3.0, "unpack_weights_per_s": {"ternary": 1e9}}
    slow = {"name": "slow", "like": "ternary-edge", "overheads": overheads}
    found = _adds_up(yaml.safe_load(TOY) | {"platforms": ["ternary-edge", slow]})
    seconds = found.operations.groupby(["platform", "phase"], observed=True)["time_s"].sum()
    assert seconds["slow", "decode"] - seconds["ternary-edge", "decode"] > NEW * (50 + BATCH * 2) * 1e-6


def _adds_up(experiment):
    """Run an experiment whose operations add up to its components."""
    found = bitjoule.run(experiment)
    keys = [*CASE_COLUMNS, "component"]
    amounts = ["macs", "time_s", "energy_j", "energy_low_j", "energy_high_j"]
    ours = found.operations.groupby(keys, observed=True)[amounts].sum()
    components = pd.concat(list(found.components_in_blocks())).set_index(keys)
    assert set(ours.index) == set(components.index)
    np.testing.assert_allclose(ours, components.loc[ours.index, amounts], rtol=1e-12)
    return found


def test_bytes_add_up_to_the_bits_of_the_long_table(mixed):
    keys = [*CASE_COLUMNS, "component"]
    long = mixed.results
    edge = long["action"].isin(["off_chip_read", "off_chip_write"])
    cached = long["operand"].isin(["keys", "values", "keys_values"])
    rows = {f"off_chip_{operand}_bytes": edge & (long["operand"] == operand) for operand in
            ("weights", "activations", "partial_sums", "outputs", "state")}  # fmt: skip
    rows |= {"off_chip_keys_values_bytes": edge & cached}
    rows |= {f"{action}_bytes": long["action"] == action for action in ("buffer_read", "buffer_write")}
    assert set(rows) == set(BYTE_COLUMNS)
    for column, chosen in rows.items():
        ours = mixed.operations.groupby(keys, observed=True)[column].sum()
        expected = long[chosen].groupby(keys, observed=True)["count"].sum() / 8
        np.testing.assert_allclose(ours, expected.reindex(ours.index, fill_value=0.0), rtol=1e-12)
        assert set(expected.index) <= set(ours.index)


def test_matrices_of_one_name_in_a_layer_have_rows_of_their_own(mixed):
    table = mixed.operations
    layer = table[(table["model"] == "mixture") & (table["layers"] == "1-2") & (table["phase"] == "prefill")]
    case = layer[(layer["platform"] == "ternary-edge") & (layer["scheme"] == "fp16") & (layer["technology"] == "7nm")]
    case = case[case["prompt_tokens"] == 40]
    sizes = case[case["component"] == "ffn_up"][["m", "k", "n"]].to_numpy()
    experts, tokens = 4 * (1 - 0.5 ** (3 * 40)), 3 * 40  # with tokens; of a step
    np.testing.assert_allclose(sizes, [[tokens * 2 / experts, 64, 32], [tokens, 64, 48]], rtol=1e-12)
    times = case[case["component"] == "ffn_up"]["times"].to_numpy()
    np.testing.assert_allclose(times, [2 * experts, 2], rtol=1e-12)


def test_layers_in_two_groups_cost_what_they_cost_in_one(resolved):
    together = TOY.replace(TOY[TOY.index("    groups") : TOY.index("schemes")], "")
    apart = TOY.replace(", window: 4", "")
    keys = ["phase", "component"]
    amounts = ["macs", "time_s", "energy_j", *BYTE_COLUMNS]
    one, two = (
        run(resolved(text)).operations.groupby(keys, observed=True)[amounts].sum() for text in (together, apart)
    )
    np.testing.assert_allclose(two, one.loc[two.index], rtol=1e-12)


def test_the_flag_and_the_key_write_the_same_table_and_no_run_writes_it_unasked(bitjoule, tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(TOY)
    assert bitjoule("run", path, "--per-layer", "--no-plots", "--out", tmp_path / "flag")[0] == 0
    assert bitjoule("run", path, "--no-plots", "--out", tmp_path / "plain")[0] == 0
    assert not (tmp_path / "plain" / "toy" / "operations.csv").exists()
    folder = tmp_path / "flag" / "toy"
    assert bitjoule("run", folder / "experiment.yaml", "--no-plots", "--out", tmp_path / "again")[0] == 0
    written = (folder / "operations.csv").read_bytes()
    assert (tmp_path / "again" / "toy" / "operations.csv").read_bytes() == written
    table = pd.read_csv(folder / "operations.csv", keep_default_na=False)
    assert tuple(table.columns) == OPERATION_COLUMNS
    for name in ("summary.csv", "components.csv", "results.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "plain" / "toy" / name).read_bytes()


def test_other_accountings_have_no_layers(bitjoule, tmp_path, resolved, small):
    assert run(resolved(small)).operations.empty
    path = tmp_path / "small.yaml"
    path.write_text(small)
    status, _, err = bitjoule("run", path, "--per-layer", "--out", tmp_path / "out")
    assert status == 2
    assert "per_layer: per_layer of an accounting without layers; expected accounting: system" in err
    assert not (tmp_path / "out").exists()
    status, _, err = bitjoule("run", "rtl_matmul", "--per-layer", "--out", tmp_path / "out")
    assert status == 2
    assert "per_layer: unknown key" in err


def test_rows_are_sorted_by_case_then_phase_and_operations_outside_of_layers_run_once(mixed):
    """The last group of the mixture has two layers: the embedding and the head are of none."""
    table = mixed.operations
    model, *_ = models = table["model"].drop_duplicates().tolist()
    assert models == ["mixture", "mixers"]
    phases = mixed.summary[mixed.summary["phase"] != "request"][list(CASE_COLUMNS)].astype(str)
    found = table[list(CASE_COLUMNS)].astype(str)
    changed = (found != found.shift()).any(axis=1)
    assert found[changed].to_numpy().tolist() == phases.to_numpy().tolist()
    outside = table[(table["model"] == model) & (table["layers"] == "")]
    assert {"embedding", "lm_head", "static"} <= set(outside["component"])
    assert set(outside["repeats"]) == {1}
    assert set(table[(table["model"] == model) & (table["layers"] != "")]["repeats"]) == {1, 2}


def test_formats_of_what_is_no_matmul_are_those_that_it_reads_and_writes():
    """Tables and cache in formats of their own; norms and the like, and their results, in that of the scales."""
    odd = {"name": "odd", "weights": "ternary", "activations": "int8", "attention": "fp16", "rescale": "fp16",
           "kv_cache": "int4", "embedding": "int8", "lm_head": "fp16"}  # fmt: skip
    table = bitjoule.run(yaml.safe_load(TOY) | {"schemes": [odd]}).operations
    columns = [name for name in OPERATION_COLUMNS if name.endswith(("format", "storage"))]
    expected = {
        "embedding": ("int8", "int8", "fp16", "fp16"), "norm": ("", "", "fp16", "fp16"),
        "softmax": ("", "", "fp16", "fp16"), "kv_cache_read": ("int4", "int4", "fp16", ""),
        "kv_cache_write": ("int4", "int4", "fp16", ""), "static": ("", "", "", ""),
        "q_proj": ("ternary", "ternary2", "int8", "fp16"),
    }  # fmt: skip
    for component, formats in expected.items():
        rows = table[table["component"] == component]
        assert set(rows[columns].astype(str).itertuples(index=False, name=None)) == {formats}, component
        assert set(rows["array"]) == {"adders" if component == "q_proj" else ""}
