"""The tables of a serving experiment: sums, ratios, and the steady state."""

import numpy as np
import pytest

import bitjoule
from bitjoule.reports.figures.markdown import MAX_ROWS
from bitjoule.reports.serving import serving_markdown

EXPERIMENT = {
    "name": "ways", "models": ["bitnet-125m"], "schemes": ["fp16", "bitnet-b1.58"], "technologies": ["7nm"],
    "platforms": [{"name": "hbm", "by_scheme": {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}}],
    "workload": {"prompt_tokens": 64, "new_tokens": 8, "batch": 2}, "baseline": {"scheme": "fp16"},
    "serving": {
        "ways": [
            {"name": "plain"}, {"name": "chunks", "chunk_tokens": 16},
            {"name": "busy", "requests_per_s": [10.0, 1e7], "max_batch": 8, "first_token_target_s": 1.0},
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def result():
    return bitjoule.run(EXPERIMENT)


def test_a_request_is_the_sum_of_its_stages(result):
    keys = ["scheme", "way"]
    summed = result.stages.groupby(keys)["energy_j"].sum()
    for row in result.summary.to_dict("records"):
        assert row["request_j"] == pytest.approx(summed[row["scheme"], row["way"]], rel=1e-12)
        parts = 16 * row["energy_per_generated_token_j"] + 128 * row["energy_per_prompt_token_j"]
        assert row["request_j"] == pytest.approx(parts, rel=1e-12)


def test_ratios_are_to_the_baseline_in_the_same_way_and_to_the_first_way(result):
    energy = result.summary.set_index(["scheme", "way"])["request_j"]
    for row in result.summary.to_dict("records"):
        own = energy[row["scheme"], row["way"]]
        assert row["ratio_to_baseline_request"] == pytest.approx(energy["fp16", row["way"]] / own, rel=1e-12)
        assert row["gain_request"] == pytest.approx(energy[row["scheme"], "plain"] / own, rel=1e-12)


def test_each_figure_of_a_request_follows_from_its_joules_its_times_and_its_bytes(result):
    """Two sequences of 64 prompt tokens, for which 8 tokens each are generated."""
    energy = result.summary.set_index(["scheme", "way"])["energy_per_generated_token_j"]
    for row in result.summary.to_dict("records"):
        decode_s = 8 * row["per_token_s"]
        wanted = {
            "tokens_per_s": 16 / decode_s,
            "power_w": row["request_j"] / (row["first_token_s"] + decode_s),
            "cache_wasted_share": 1 - row["cache_used_bytes"] / row["cache_allocated_bytes"],
            "ratio_to_baseline_token": energy["fp16", row["way"]] / energy[row["scheme"], row["way"]],
            "gain_token": energy[row["scheme"], "plain"] / energy[row["scheme"], row["way"]],
        }
        for end in ("low", "high"):
            of_tokens = 16 * row[f"energy_per_generated_token_{end}_j"] + 128 * row[f"energy_per_prompt_token_{end}_j"]
            wanted[f"request_{end}_j"] = of_tokens
        assert {key: row[key] for key in wanted} == pytest.approx(wanted, rel=1e-9)
        assert row["request_low_j"] < row["request_j"] < row["request_high_j"]


def test_the_same_request_costs_what_an_energy_experiment_says(result):
    energy = {key: value for key, value in EXPERIMENT.items() if key != "serving"} | {"accounting": "system"}
    summary = bitjoule.run(energy).summary.set_index(["scheme", "phase"])
    plain = result.summary[result.summary["way"] == "plain"].set_index("scheme")
    for scheme in ("fp16", "bitnet-b1.58"):
        decode, prefill = summary.loc[scheme, "decode"], summary.loc[scheme, "prefill"]
        assert plain.loc[scheme, "energy_per_generated_token_j"] == pytest.approx(
            decode["energy_per_token_j"], rel=1e-3
        )
        assert plain.loc[scheme, "energy_per_prompt_token_j"] == pytest.approx(prefill["energy_per_token_j"], rel=1e-9)
        assert plain.loc[scheme, "tokens_per_s"] == pytest.approx(decode["tokens_per_s"], rel=1e-3)
        assert plain.loc[scheme, "first_token_s"] == pytest.approx(prefill["latency_s"], rel=1e-12)


def test_the_steady_state_has_a_row_for_each_rate_and_is_empty_beyond_what_can_be_served(result):
    steady = result.steady.set_index(["scheme", "requests_per_s"])
    served, overloaded = steady.loc["bitnet-b1.58", 10.0], steady.loc["bitnet-b1.58", 1e7]
    assert 0 < served["utilisation"] < 1
    assert 0 < served["first_token_within_target"] <= 1
    assert served["first_token_p50_s"] <= served["first_token_p99_s"]
    assert np.isnan(overloaded["utilisation"])
    assert overloaded["highest_requests_per_s"] == pytest.approx(served["highest_requests_per_s"], rel=1e-12)


def served(way, **changes):
    return bitjoule.run(EXPERIMENT | changes | {"serving": {"ways": [way]}})


def test_continuous_batching_needs_no_other_way():
    found = served({"name": "busy", "requests_per_s": 1e-3, "max_batch": 2})
    text = serving_markdown(found.name, found.description, found.baseline, found.summary, found.steady, MAX_ROWS)
    assert "## Continuous batching" in text
    assert "## Ways to serve" not in text


def test_a_draft_with_another_vocabulary_is_warned_of():
    way = {"name": "draft", "draft": "llama-3.2-1b", "draft_tokens": 2, "acceptance": 0.5}
    wrong = "bitnet-125m, draft: the draft llama-3.2-1b has a vocabulary of 128256, the model 16384; their tokens must"
    (line,) = set(served(way).warnings)
    assert line == f"{wrong} be the same"


FP16 = EXPERIMENT | {"schemes": ["fp16"], "platforms": ["fp16-hbm"]}


def test_a_draft_with_fewer_words_is_warned_of_and_one_with_as_many_is_not():
    shape = {"layers": 1, "hidden": 64, "heads": 2, "ffn": 64, "ffn_gated": True, "activation": "silu"}
    drafts = [{"name": f"words-{count}", "vocabulary": count, **shape} for count in (16383, 16384)]
    ways = [{"name": draft["name"], "draft": draft["name"], "draft_tokens": 2, "acceptance": 0.5} for draft in drafts]
    (line,) = bitjoule.run(FP16 | {"drafts": drafts, "serving": {"ways": ways}}).warnings
    assert "the draft words-16383 has a vocabulary of 16383, the model 16384" in line


def test_of_two_chips_each_has_half_of_what_is_not_on_the_host():
    ways = [{"name": str(share), "cache_offload_share": share, "tensor_parallel": 2} for share in (0.0, 0.5)]
    plain, half = bitjoule.run(FP16 | {"serving": {"ways": ways}}).summary.to_dict("records")
    assert plain["cache_allocated_bytes"] == 2 * 72 * 12 * 2 * 768 * 2
    assert plain["chip_bytes"] - half["chip_bytes"] == plain["cache_allocated_bytes"] / 2 / 2


def test_what_lies_on_a_host_is_not_on_the_chip():
    plain, half = (served({"name": "way", "cache_offload_share": share}).summary.iloc[0] for share in (0.0, 0.5))
    # keys and values of 2 sequences of 72 tokens in 12 layers of 768 values, two bytes each
    assert plain["cache_allocated_bytes"] == 2 * 72 * 12 * 2 * 768 * 2
    assert plain["chip_bytes"] - half["chip_bytes"] == plain["cache_allocated_bytes"] / 2


def test_what_it_costs_is_worked_by_hand():
    ways = [
        {"name": "plain"},
        {"name": "busy", "requests_per_s": 1.0, "max_batch": 4, "new_lengths": {"tokens": [4, 12]}},
    ]
    costs = {"electricity_usd_per_kwh": [0.1, 0.2], "grid_gco2_per_kwh": 400, "power_usage_effectiveness": 1.5}
    found = bitjoule.run(EXPERIMENT | {"costs": costs, "serving": {"ways": ways}})
    table = found.costs.set_index(["scheme", "way", "electricity_usd_per_kwh"])
    assert len(table) == 2 * 2 * 2
    for scheme in ("fp16", "bitnet-b1.58"):
        (row,) = found.summary[(found.summary["way"] == "plain") & (found.summary["scheme"] == scheme)].to_dict(
            "records"
        )
        ours = table.loc[(scheme, "plain", 0.2)]
        generated, request = (row[f"energy_per_generated_token{end}_j"] for end in ("", "_high")), row["request_low_j"]
        for end, joules in zip(("", "_high"), generated, strict=True):
            kwh = joules * 1e6 / 3.6e6 * 1.5
            assert ours[f"kwh{end}_per_million_generated_tokens"] == pytest.approx(kwh, rel=1e-12)
            assert ours[f"usd{end}_per_million_generated_tokens"] == pytest.approx(0.2 * kwh, rel=1e-12)
        prompt = row["energy_per_prompt_token_j"] * 1e6 / 3.6e6 * 1.5 * 400
        assert ours["gco2_per_million_prompt_tokens"] == pytest.approx(prompt, rel=1e-12)
        assert ours["kwh_low_per_request"] == pytest.approx(request / 2 / 3.6e6 * 1.5, rel=1e-12)
        (state,) = found.steady[found.steady["scheme"] == scheme].to_dict("records")
        assert state["mean_new_tokens"] == 8
        steady = table.loc[(scheme, "busy", 0.1)].dropna()
        kwh = state["energy_per_token_j"] * 8 / 3.6e6 * 1.5
        assert steady["kwh_per_request"] == pytest.approx(kwh, rel=1e-12)
    text = serving_markdown("x", "", "", found.summary, found.steady, MAX_ROWS, found.arrays, found.costs)
    assert "## Cost of running" in text
    assert "PUE 1.5" in text


def test_each_way_names_the_arrays_that_run_it(result):
    for row in result.summary.to_dict("records"):
        own = result.arrays[(result.arrays["scheme"] == row["scheme"]) & (result.arrays["way"] == row["way"])]
        assert own["mac_share"].sum() == pytest.approx(1, rel=1e-12)
        assert [row["array"], *row["other_arrays"].split(";")] == [*own["array"], *[""] * (len(own) == 1)]
        assert row["array_mac_share"] == own["mac_share"].max()
    assert set(result.arrays["array"]) == {"fp16", "adders", "float"}
    text = serving_markdown("x", "", "", result.summary, result.steady, MAX_ROWS, result.arrays)
    assert "| hbm        | fp16         | every way | fp16 100 %" in text


def test_both_machines_of_a_request_must_hold_it():
    small = {"name": "small", "like": "fp16-hbm", "off_chip": {"memory": "hbm2", "bandwidth_gb_per_s": 1024}}
    small["off_chip"]["capacity_bytes"] = 100_000_000
    small["sources"] = {"off_chip": "made up"}
    large = {**small, "name": "large", "off_chip": {**small["off_chip"], "capacity_bytes": 10**12}}
    for first, second in ((small, large), (large, small)):
        way = {"name": "split", "decode_platform": second["name"]}
        found = bitjoule.run(
            EXPERIMENT | {"schemes": ["fp16"], "platforms": [first, second], "serving": {"ways": [way]}}
        )
        lines = [line for line in found.warnings if "needs" in line and "split: " in line]
        assert any("a chip of small needs" in line for line in lines)
        assert not any("a chip of large needs" in line for line in lines)
