"""The tables of a training experiment: sums, ratios, the tokens that pay back, and the message for each thing wrong."""

import numpy as np
import pytest
import yaml

import bitjoule
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.training.resolve import resolve
from bitjoule.experiments.training.run import _compare

EXPERIMENT = {
    "name": "trained", "models": ["bitnet-125m"], "schemes": ["fp16", "bitnet-b1.58"], "technologies": ["7nm"],
    "platforms": [
        {"name": "hbm", "by_scheme": {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}},
        {"name": "edge", "by_scheme": {"fp16": "fp16-edge", "bitnet-b1.58": "ternary-edge"}},
    ],
    "baseline": {"scheme": "fp16"},
    "training": {
        "tokens": 1e9, "sequence_tokens": 64, "sequences": 2,
        "ways": [{"name": "kept"}, {"name": "again", "activations": "recomputed", "micro_batches": 3}],
        "inference": {"platform": "edge", "prompt_tokens": 32, "new_tokens": 8, "batch": 2},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def result():
    return bitjoule.run(EXPERIMENT)


def test_every_case_trains_on_the_platforms_that_do_not_infer(result):
    assert list(result.summary["platform"].unique()) == ["hbm"]
    assert len(result.summary) == 4
    assert result.summary["step_tokens"].tolist() == [128, 384] * 2


def test_passes_and_contents_add_up(result):
    keys = ["scheme", "way"]
    energies = result.passes.groupby(keys)["energy_per_token_j"].sum()
    seconds, macs = (result.passes.groupby(keys)[column].sum() for column in ("pass_s", "macs_per_token"))
    held = result.memory.groupby(keys)["bytes"].sum()
    for row in result.summary.to_dict("records"):
        key = (row["scheme"], row["way"])
        assert row["energy_per_token_j"] == pytest.approx(energies[key], rel=1e-12)
        assert row["tokens_per_s"] == pytest.approx(row["step_tokens"] / seconds[key], rel=1e-12)
        assert row["macs_per_token"] == pytest.approx(macs[key], rel=1e-12)
        assert row["memory_bytes"] == pytest.approx(held[key], rel=1e-12)
        assert row["training_j"] == pytest.approx(1e9 * row["energy_per_token_j"], rel=1e-12)
        assert row["power_w"] == pytest.approx(row["energy_per_token_j"] * row["tokens_per_s"], rel=1e-12)


def test_ends_of_bands_add_up_and_the_forward_pass_has_its_share(result):
    keys = ["scheme", "way"]
    of_pass = result.passes.set_index("pass")
    for row in result.summary.to_dict("records"):
        own = of_pass[(of_pass[keys] == [row[key] for key in keys]).all(axis=1)]
        for end in ("_low", "", "_high"):
            energies = own[f"energy_per_token{end}_j"]
            assert row[f"energy_per_token{end}_j"] == pytest.approx(energies.sum(), rel=1e-12)
            assert row[f"training{end}_j"] == pytest.approx(1e9 * energies.sum(), rel=1e-12)
        share = own.loc["forward", "energy_per_token_j"].sum() / own["energy_per_token_j"].sum()
        assert row["forward_share"] == pytest.approx(share, rel=1e-12)
        assert row["energy_per_token_low_j"] < row["energy_per_token_j"] < row["energy_per_token_high_j"]


def test_inference_is_that_of_an_energy_experiment(result):
    energy = {key: EXPERIMENT[key] for key in ("name", "models", "schemes", "technologies")}
    workload = {"prompt_tokens": 32, "new_tokens": 8, "batch": 2}
    edge = {"accounting": "system", "workload": workload, "platforms": EXPERIMENT["platforms"][1:]}
    found = bitjoule.run(energy | edge)
    decode = found.summary[found.summary["phase"] == "decode"].set_index("scheme")
    for row in result.summary.to_dict("records"):
        for end in ("_low", "", "_high"):  # two sequences of eight new tokens
            joules = decode.loc[row["scheme"], f"energy{end}_j"] / (2 * 8)
            assert row[f"inference_per_token{end}_j"] == pytest.approx(joules, rel=1e-12)


def test_what_is_paid_back_and_when():
    """Baseline 10 J and 4 J a token: 16 J more at 2 J less, 8 tokens; less of both, at once; more of both, never."""
    import pandas as pd

    rows = {"base": (10.0, 4.0), "dear": (26.0, 2.0), "cheap": (5.0, 2.0), "worse": (20.0, 5.0)}
    summary = pd.DataFrame([
        {"experiment": "e", "model": "m", "scheme": name, "technology": "7nm", "platform": "p", "way": "w",
         "energy_per_token_j": training, "training_j": training, "inference_per_token_j": inference}
        for name, (training, inference) in rows.items()
    ])  # fmt: skip
    _compare(summary, "base")
    np.testing.assert_array_equal(summary["payback_tokens"], [0.0, 8.0, 0.0, np.inf])
    np.testing.assert_array_equal(summary["tokens_as_training"], [2.5, 13.0, 2.5, 4.0])
    np.testing.assert_array_equal(summary["ratio_to_baseline_training"], [1.0, 10 / 26, 2.0, 0.5])
    np.testing.assert_array_equal(summary["ratio_to_baseline_inference"], [1.0, 2.0, 2.0, 0.8])


def test_a_run_warns_where_training_does_not_fit_the_memory():
    experiment = EXPERIMENT | {"models": ["bitnet-6.7b"], "schemes": ["fp16"], "platforms": ["fp16-hbm"]}
    training = {"sequence_tokens": 64, "sequences": 1}
    found = bitjoule.run(experiment | {"training": training})
    warned = [line for line in found.warnings if line.startswith("training bitnet-6.7b in fp16 on fp16-hbm")]
    needed = found.summary["memory_bytes"].item() / 1e9
    start = "training bitnet-6.7b in fp16 on fp16-hbm (plain) needs"
    assert warned == [f"{start} {needed:.3g} GB; its memory holds 34.4 GB"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ["mamba-130m"]}, "the gradient of a recurrent state is not known"),
        ({"baseline": {"scheme": "int8"}}, "'int8' is not in this experiment"),
        ({"training": {"inference": {"platform": "hbn"}}}, "'hbn' is not a platform of this experiment"),
        ({"training": {"optimiser": "adam"}}, "adamw"),
        ({"training": {"gradients": "int8"}}, "int8"),
        ({"training": {"activations": "none"}}, "expected one of kept, recomputed"),
        ({"training": {"ways": [{"name": "a"}, {"name": "a"}]}}, "duplicate way 'a'"),
        ({"training": {"sequences": 0}}, "greater than or equal to 1"),
        ({"training": {"gradients": "fp32"}}, "gradients of"),
        ({"platforms": [{"name": "hbm", "by_scheme": {"fp16": "fp16-hbm"}}]}, "no platform for bitnet-b1.58"),
    ],
)
def test_each_thing_wrong_is_named(change, message):
    document = EXPERIMENT | change
    if "platforms" in change:
        document["training"] = {"sequences": 1}
    with pytest.raises(InputError) as caught:
        resolve(parse_document(yaml.safe_dump(document), "f.yaml"))
    assert message in str(caught.value)


def test_one_platform_cannot_both_train_and_infer():
    document = EXPERIMENT | {"platforms": EXPERIMENT["platforms"][1:]}
    with pytest.raises(InputError, match="no other platform trains"):
        resolve(parse_document(yaml.safe_dump(document), "f.yaml"))
