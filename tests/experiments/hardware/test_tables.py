"""Tables of a hardware run against sizes and cycles, and the experiment that is written beside them."""

import numpy as np
import pytest
import yaml

from bitjoule import run
from bitjoule.execution import read
from bitjoule.experiments.hardware.schema import DEFAULT_IDS, DEFAULT_PROMPT, OF_MODELS
from bitjoule.sim.llm.trained import shipped_models

SIZES = [(3, 64, 16), (5, 64, 16), (2, 128, 32)]
MATMULS = [dict(zip("mkn", size, strict=True)) for size in SIZES]


def ran(**rtl):
    return run({"name": "x", "technology": "7nm", "platform": "ternary-edge", "rtl": {"engine": "numpy", **rtl}})


@pytest.fixture(scope="module")
def bare():
    return ran(matmuls=MATMULS, random_weights=0.4)


def test_each_bare_matmul_is_a_case_with_its_own_tokens_weights_energies_and_cycles(bare):
    cycles = bare.matmuls.set_index("name")["cycles"]
    assert cycles.nunique() == len(SIZES)
    hertz = bare.simulated.machine.clock_mhz * 1e6
    assert len(bare.summary) == len(SIZES)
    for (m, k, n), row in zip(SIZES, bare.summary.to_dict("records"), strict=True):
        name = f"{m}x{k}x{n}"
        assert (row["model"], row["phase"], row["prompt_tokens"], row["new_tokens"]) == (name, "prefill", m, 0)
        assert (row["parameters"], row["batch"], row["array"]) == (k * n, 1, "adders")
        own = bare.results[bare.results["model"] == name]
        for end in ("", "_low", "_high"):
            assert row[f"energy{end}_j"] == pytest.approx(own[f"energy{end}_pj"].sum() / 1e12, rel=1e-12)
        assert row["energy_low_j"] < row["energy_j"] < row["energy_high_j"]
        assert row["energy_per_token_j"] == pytest.approx(row["energy_j"] / m, rel=1e-12)
        whole = own[(own["component"] == "static") & (own["operand"] == "host")]["count"].item()
        assert whole >= cycles[name]  # it also waits for its memories
        assert row["latency_s"] == pytest.approx(whole / hertz, rel=1e-12)
        assert row["tokens_per_s"] == pytest.approx(m / row["latency_s"], rel=1e-12)
        assert own[own["action"] == "add"]["count"].item() == m * (k - 1) * n


def test_rows_of_a_case_stand_together_and_what_flows_over_time_comes_last(bare):
    components = bare.results.groupby("model", sort=False)["component"].agg(list)
    assert list(components.index) == [f"{m}x{k}x{n}" for m, k, n in SIZES]
    models = bare.results["model"]
    assert (models != models.shift()).sum() == len(SIZES)
    for names in components:
        assert names == sorted(names, key=["matmul", "static"].index)
        assert set(names) == {"matmul", "static"}


def test_weights_of_each_bare_matmul_are_random_by_its_place_and_zero_as_often_as_asked(bare):
    rows = bare.matmuls
    assert rows["weight_zero_share"].nunique() == len(SIZES)  # two have the same size
    assert rows["weight_zero_share"].tolist() == pytest.approx([0.4] * len(SIZES), abs=0.05)
    assert (rows["activation_zero_share"] < 0.02).all()  # of 255 integers
    assert "groups" not in rows
    other = ran(matmuls=MATMULS, random_weights=0.4, seed=1).matmuls
    assert other["weight_zero_share"].tolist() != rows["weight_zero_share"].tolist()


def test_the_layers_of_a_model_are_added_up_and_a_request_is_both_phases():
    prompt, new = "To be", 3
    found = ran(model="tiny-b158", prompt=prompt, new_tokens=new)
    rows, long = found.matmuls, found.results
    tokens = {"prefill": len(prompt), "decode": new - 1}
    assert set(rows["layer"]) == set(range(len(rows[(rows["phase"] == "prefill") & (rows["name"] == "q_proj")])))
    for phase, count in tokens.items():
        for name in ("q_proj", "ffn_down"):
            layers = rows[(rows["phase"] == phase) & (rows["name"] == name)]
            adds = long[(long["phase"] == phase) & (long["component"] == name) & (long["action"] == "add")]["count"]
            assert adds.item() == len(layers) * count * (layers["k"].iloc[0] - 1) * layers["n"].iloc[0]
    for _, own in long.groupby("phase", sort=False):  # of the first matmul, too, it comes behind those of all
        flows = own["component"].eq("static").tolist()
        assert flows == sorted(flows)
    summary = found.summary.set_index("phase")
    assert list(summary.index) == ["prefill", "decode", "request"]
    for column in ("energy_j", "energy_low_j", "energy_high_j", "latency_s"):
        assert summary.loc["request", column] == pytest.approx(summary.loc[["prefill", "decode"], column].sum())
    assert set(summary["prompt_tokens"]) == {len(prompt)}
    waits = long[long["operand"] == "host"].groupby("phase", sort=False)["count"].sum()
    hertz = found.simulated.machine.clock_mhz * 1e6
    phases = ["prefill", "decode"]
    np.testing.assert_allclose(summary.loc[phases, "latency_s"] * hertz, waits[phases])


def written(result):
    """Return the experiment that a run writes, as YAML reads it."""
    return yaml.safe_load(yaml.safe_dump(dict(result._outcome.experiment)))


@pytest.mark.parametrize(
    ("rtl", "expected"),
    [
        ({"model": "tiny-b158", "new_tokens": 1}, {"model": "tiny-b158", "prompt": DEFAULT_PROMPT}),
        ({"new_tokens": 1}, {"model": "tiny-b158", "prompt": DEFAULT_PROMPT}),
        ({"model": "tiny-b158", "prompt": "Hi", "new_tokens": 2}, {"prompt": "Hi", "new_tokens": 2}),
        ({"random_weights": 0.4, "new_tokens": 1}, {"model": "tiny-b158", "prompt": DEFAULT_IDS}),
        ({"matmuls": MATMULS[:1], "random_weights": 0.4}, dict.fromkeys(OF_MODELS)),
    ],
)
def test_the_experiment_that_is_written_states_what_was_left_out(rtl, expected):
    found = ran(**rtl)
    document = written(found)
    assert {key: document["rtl"].get(key) for key in expected} == expected
    assert document["rtl"]["clock_mhz"] == found.simulated.machine.clock_mhz
    assert read(document).ready.experiment.rtl.config == "simulate_64x16"


def test_files_of_an_experiment_are_named_by_whole_paths_and_a_platforms_file_is_written_out(tmp_path, monkeypatch):
    """The folder of results is another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llm").symlink_to(shipped_models()["tiny-b158"])
    (tmp_path / "small.yaml").write_text("lanes: 16\ncolumns: 4\nmax_k: 1024\nweight_bus_bits: 128\n")
    (tmp_path / "chip.yaml").write_text("like: ternary-edge\n")
    rtl = {"engine": "numpy", "config": "./small.yaml", "model": "./llm", "new_tokens": 1}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"name": "x", "platform": "./chip.yaml", "rtl": rtl}))
    document = written(run("./x.yaml"))
    assert document["rtl"]["config"] == str(tmp_path / "small.yaml")
    assert document["rtl"]["model"] == str((tmp_path / "llm").resolve())
    assert document["platform"]["name"] == "chip"
    assert "like" not in document["platform"]
