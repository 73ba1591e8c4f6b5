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


def test_a_batch_that_is_often_full_is_warned_of():
    way = {"name": "busy", "max_batch": 2}
    highest = served(way | {"requests_per_s": 1.0}).steady["highest_requests_per_s"].min()
    line, *_ = served(way | {"requests_per_s": 0.95 * highest}).warnings
    assert line.startswith("bitnet-125m in fp16, busy: the batch is full in ")
    assert line.endswith("of the time; times to the first token are estimates")
    assert not served(way | {"requests_per_s": 1e-3 * highest}).warnings


def test_a_draft_with_another_vocabulary_is_warned_of():
    way = {"name": "draft", "draft": "llama-3.2-1b", "draft_tokens": 2, "acceptance": 0.5}
    wrong = "bitnet-125m, draft: the draft llama-3.2-1b has a vocabulary of 128256, the model 16384; their tokens must"
    (line,) = set(served(way).warnings)
    assert line == f"{wrong} be the same"


def test_what_lies_on_a_host_is_not_on_the_chip():
    plain, half = (served({"name": "way", "cache_offload_share": share}).summary.iloc[0] for share in (0.0, 0.5))
    # keys and values of 2 sequences of 72 tokens in 12 layers of 768 values, two bytes each
    assert plain["cache_allocated_bytes"] == 2 * 72 * 12 * 2 * 768 * 2
    assert plain["chip_bytes"] - half["chip_bytes"] == plain["cache_allocated_bytes"] / 2
