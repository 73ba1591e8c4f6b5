"""`bitjoule rtl simulate`: a model's text, its matmuls on the hardware, and the tables."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from bitjoule.energy_models.prices.rows import price_row
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.hardware import run as simulation
from bitjoule.experiments.output.columns import RESULT_COLUMNS, SUMMARY_COLUMNS
from bitjoule.reports.figures.digits import with_unit
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.llm.trained import shipped_models
from bitjoule.sim.reference.matmul import integer_matmul
from tests.energy_models.clocks import MET_MHZ
from tests.sim.folders import tensors_of, write

CONFIG = read_configuration("simulate_64x16")
CHECKPOINTS = Path(__file__).parents[3] / "sim" / "llm" / "checkpoints"


def simulate(bitjoule, folder, *arguments):
    return bitjoule("rtl", "simulate", *arguments, "--out", folder)


def test_the_tables_are_those_of_a_run_and_the_cycles_those_of_the_closed_form(bitjoule, tmp_path):
    status, out, err = simulate(bitjoule, tmp_path, "--engine", "numpy", "--new-tokens", "5", "--prompt", "abc")
    assert (status, err) == (0, "")
    assert "in NumPy" in out
    matmuls, results, summary = (
        pd.read_csv(tmp_path / "rtl_tiny_b158" / f"{name}.csv") for name in ("matmuls", "results", "summary")
    )
    assert tuple(results.columns) == RESULT_COLUMNS
    for row in results.itertuples():
        assert row.count * price_row(row.price).price.nominal_pj == pytest.approx(row.energy_pj)
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert len(matmuls) == 2 * 7 * matmuls["layer"].nunique()  # two phases, seven linears a layer
    for row in matmuls.itertuples():
        calls = [3] if row.phase == "prefill" else [1] * 4  # the fifth token is not run any more
        assert row.cycles == sum(cycles(CONFIG, m, row.k, row.n) for m in calls)
        assert row.tokens == sum(calls)
    adds = (matmuls["tokens"] * (matmuls["k"] - 1) * matmuls["n"]).sum()
    assert results[results["action"] == "add"]["count"].sum() == adds
    streamed = results[(results["operand"] == "weights") & (results["action"] == "buffer_read")]
    assert streamed["count"].sum() == matmuls["weight_bits"].sum()
    seconds = summary.set_index("phase")["latency_s"]
    assert seconds["prefill"] + seconds["decode"] == pytest.approx(seconds["request"])
    hertz = MET_MHZ["7nm"] * 1e6
    assert seconds["request"] >= matmuls["cycles"].sum() / hertz
    host = results[results["operand"] == "host"].set_index("phase")["count"]
    for phase, cycles_ in host.items():
        assert seconds[phase] == pytest.approx(cycles_ / hertz)


def test_the_components_add_up_to_the_energy_of_each_phase_within_their_bands(bitjoule, tmp_path):
    assert simulate(bitjoule, tmp_path, "--engine", "numpy", "--new-tokens", "3", "--prompt", "abcd")[0] == 0
    results, summary = (pd.read_csv(tmp_path / "rtl_tiny_b158" / f"{name}.csv") for name in ("results", "summary"))
    summary = summary.set_index("phase")
    assert summary["platform"].tolist() == ["ternary-edge"] * 3
    for end in ("energy", "energy_low", "energy_high"):
        parts = results.groupby("phase")[f"{end}_pj"].sum() / 1e12
        for phase, tokens in (("prefill", 4), ("decode", 2)):
            assert summary[f"{end}_j"][phase] == pytest.approx(parts[phase])
            assert summary["tokens_per_s"][phase] == pytest.approx(tokens / summary["latency_s"][phase])
        assert summary[f"{end}_j"]["request"] == pytest.approx(parts.sum())
    assert summary["energy_per_token_j"]["decode"] == pytest.approx(summary["energy_j"]["decode"] / 2)
    assert (results["energy_low_pj"] <= results["energy_pj"]).all()
    assert (results["energy_pj"] <= results["energy_high_pj"]).all()


def test_the_text_tells_time_and_energy_of_a_token_and_its_parts(bitjoule, tmp_path):
    arguments = ("--engine", "numpy", "--new-tokens", "2", "--prompt", "abc", "--technology", "45nm")
    assert "On ternary-edge at 45nm, its memories feeding" in simulate(bitjoule, tmp_path, *arguments)[1]
    out = (tmp_path / "rtl_tiny_b158" / "summary.md").read_text()
    assert "On ternary-edge at 45nm, its memories feeding this accelerator; norms, attention, softmax" in out
    summary = pd.read_csv(tmp_path / "rtl_tiny_b158" / "summary.csv").set_index("phase")
    row = re.search(r"^\| tiny-b158 \| decode .*$", out, re.MULTILINE)
    assert row
    assert with_unit(summary["latency_s"]["decode"], "s") in row[0]
    assert with_unit(summary["energy_per_token_j"]["decode"], "J") in row[0]
    for part in ("additions", "accumulators", "weight registers", "weights, buffer", "weights, off-chip memory",
                 "activations, buffer", "results, buffer", "static power, host"):  # fmt: skip
        assert f"| {part} " in out


def test_of_trits_that_are_all_zero_no_addition_is_left_and_of_signs_all(bitjoule, tmp_path):
    for zeros, share in (("0", "100.0 %"), ("1", "0.0 %")):
        data = f"rtl: {{engine: numpy, matmuls: [{{m: 2, k: 100, n: 40}}], random_weights: {zeros}}}"
        (tmp_path / "x.yaml").write_text(f"name: x\n{data}\n")
        out = bitjoule("run", tmp_path / "x.yaml", "--out", tmp_path)[1]
        assert f"of nonzero trits alone there are {share} of these {2 * 99 * 40}." in out


def test_a_platform_of_ones_own_is_used_and_written_out(bitjoule, tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(
        "like: ternary-edge\noff_chip: {memory: null, read_pj_per_bit: 1, write_pj_per_bit: 1}\n"
        "nodes: {7nm: {clock_mhz: 400}}\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ("--engine", "numpy", "--new-tokens", "1", "--prompt", "abc", "--platform", "./mine.yaml")
    assert simulate(bitjoule, tmp_path / "out", *arguments)[0] == 0
    folder = tmp_path / "out" / "rtl_tiny_b158"
    results = pd.read_csv(folder / "results.csv")
    off_chip = results[results["action"] == "off_chip_read"]
    assert off_chip["energy_pj"].to_numpy() == pytest.approx(off_chip["count"].to_numpy())
    (tmp_path / "mine.yaml").unlink()
    assert bitjoule("run", folder / "experiment.yaml", "--out", tmp_path / "again")[0] == 0
    for name in ("results.csv", "summary.csv", "experiment.yaml"):
        assert (tmp_path / "again" / "rtl_tiny_b158" / name).read_bytes() == (folder / name).read_bytes()
    assert yaml.safe_load((folder / "experiment.yaml").read_text())["rtl"]["clock_mhz"] == 400
    assert "./mine.yaml" in json.loads((folder / "manifest.json").read_text())["input"]


def test_the_scheme_is_that_of_the_models_weights(bitjoule, tmp_path):
    assert simulate(bitjoule, tmp_path, "tiny-bitnet", "--engine", "numpy", "--new-tokens", "2")[0] == 0
    assert set(pd.read_csv(tmp_path / "rtl_tiny_bitnet" / "summary.csv")["scheme"]) == {"bitnet"}


def test_a_floating_point_model_has_nothing_to_run_on_the_hardware_which_is_not_built(bitjoule, tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "Verilated", lambda _: pytest.fail("built"))
    status, out, _ = simulate(bitjoule, tmp_path, "tiny-fp16", "--new-tokens", "2")
    assert status == 0
    assert out.startswith(
        "this model has no quantised layers; nothing runs on the accelerator, and no tables are written.\n"
        "`--weights ternary` (in YAML rtl.weights) quantises its floating-point weights.\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_floating_point_weights_are_quantised_on_request(bitjoule, tmp_path):
    arguments = ("tiny-fp16", "--engine", "numpy", "--new-tokens", "2", "--weights")
    for weights, scheme, zeros in (("ternary", "bitnet-b1.58", True), ("binary", "bitnet", False)):
        assert simulate(bitjoule, tmp_path, *arguments, weights)[0] == 0
        folder = tmp_path / "rtl_tiny_fp16"
        assert set(pd.read_csv(folder / "summary.csv")["scheme"]) == {scheme}
        assert (pd.read_csv(folder / "matmuls.csv")["weight_zero_share"] > 0).all() == zeros
        assert yaml.safe_load((folder / "experiment.yaml").read_text())["rtl"]["weights"] == weights


def test_random_weights_need_no_prompt_and_may_have_the_shape_of_a_model_that_ships(bitjoule, tmp_path):
    status, out, err = simulate(bitjoule, tmp_path, "--random-weights", "0.5", "--engine", "numpy", "--new-tokens", "2")
    assert (status, err) == (0, "")
    assert re.match(r"\d+ \d+\n", out)
    matmuls, summary = (pd.read_csv(tmp_path / "rtl_tiny_b158" / f"{name}.csv") for name in ("matmuls", "summary"))
    assert matmuls["weight_zero_share"].to_numpy() == pytest.approx(0.5, abs=0.02)
    assert set(summary["prompt_tokens"]) == {3}
    assert yaml.safe_load((tmp_path / "rtl_tiny_b158" / "experiment.yaml").read_text())["rtl"]["prompt"] == "0 1 2"


def folder_model(folder, weight_scale=0.5, **config):
    tensors = tensors_of(packed=True)
    tensors["model.layers.1.mlp.up_proj.weight_scale"] = np.array([weight_scale], np.float32)
    write(folder, config, tensors)
    return folder


def test_a_text_ends_with_the_models_own_end_token(bitjoule, tmp_path):
    """Which token comes is known from a run that nothing ends; as the end it is not printed, but was computed."""
    arguments = ("--engine", "numpy", "--temperature", "0", "--new-tokens", "6", "--prompt", "5 6 7")
    out = simulate(bitjoule, tmp_path / "out", folder_model(tmp_path / "free"), *arguments)[1]
    ids = out.splitlines()[0].split()
    assert len(ids) == 6
    end = ids.index(ids[3])
    out = simulate(bitjoule, tmp_path / "out", folder_model(tmp_path / "ends", eos_token_id=int(ids[3])), *arguments)[1]
    assert out.splitlines()[0].split() == ids[:end]
    assert f": {end} tokens," in out
    matmuls, summary = (pd.read_csv(tmp_path / "out" / "rtl_ends" / f"{name}.csv") for name in ("matmuls", "summary"))
    assert matmuls.groupby("phase")["tokens"].max().to_dict() == {"prefill": 3, **({"decode": end} if end else {})}
    assert set(summary["new_tokens"]) == {end}


def test_more_tokens_than_the_model_was_made_for_are_told(bitjoule, tmp_path):
    folder = folder_model(tmp_path / "short", max_position_embeddings=8)
    for tokens, warning in ((5, ""), (6, "bitjoule: 9 tokens exceed short's context length of 8\n")):
        arguments = ("--engine", "numpy", "--prompt", "1 2 3", "--new-tokens", tokens)
        status, _, err = simulate(bitjoule, tmp_path / "out", folder, *arguments)
        assert (status, err) == (0, warning)


def test_a_head_that_differs_from_the_tied_embedding_is_told_and_recorded(bitjoule, tmp_path):
    arguments = ("--engine", "numpy", "--prompt", "3 1 4 1 5", "--new-tokens", "2")
    status, _, err = simulate(bitjoule, tmp_path, CHECKPOINTS / "tied_but_other_head", *arguments)
    assert status == 0
    assert err.startswith(f"bitjoule: {CHECKPOINTS}/tied_but_other_head: lm_head.weight differs from")
    manifest = json.loads((tmp_path / "rtl_tied_but_other_head" / "manifest.json").read_text())
    assert [f"bitjoule: {warning}\n" for warning in manifest["warnings"]] == [err]


@pytest.mark.slow
def test_scales_of_rows_are_applied_outside_of_the_hardware(bitjoule, tmp_path):
    arguments = ("--engine", "check", "--prompt", "3 1 4 1 5", "--new-tokens", "2")
    status, out, err = simulate(bitjoule, tmp_path, CHECKPOINTS / "row_scales", *arguments)
    assert (status, err) == (0, "")
    assert "on the RTL, every product equal to NumPy's" in out


def test_each_block_of_a_gguf_files_rows_is_a_matmul_and_the_tokens_are_counted_once(bitjoule, tmp_path):
    pytest.importorskip("gguf")
    from tests.sim.gguf_models import q1_0, write_model
    from tests.sim.llm.test_gguf import ONE, random_folder

    random_folder(tmp_path, ONE)
    write_model(tmp_path, tmp_path / "model.gguf", "llama", q1_0)
    arguments = ("--engine", "numpy", "--prompt", "3 1 4", "--new-tokens", "3")
    status, out, err = simulate(bitjoule, tmp_path / "out", tmp_path / "model.gguf", *arguments)
    assert (status, err) == (0, "")
    folder = tmp_path / "out" / "rtl_model_gguf"
    matmuls, summary = (pd.read_csv(folder / f"{name}.csv") for name in ("matmuls", "summary"))
    down = matmuls[matmuls["matmul" if "matmul" in matmuls else "name"] == "ffn_down"].set_index("phase")
    assert down["k"].tolist() == [512, 512]
    assert down["tokens"].to_dict() == {"prefill": 3, "decode": 2}
    assert down["cycles"]["prefill"] == 4 * cycles(CONFIG, 3, 128, 256)
    assert set(summary["prompt_tokens"]) == {3}
    additions = (matmuls["tokens"] * (matmuls["k"] - matmuls["k"] // 128) * matmuls["n"]).sum()
    assert f"of these {additions}." in out
    results = pd.read_csv(folder / "results.csv")
    assert results[results["action"] == "add"]["count"].sum() == additions
    assert set(json.loads((folder / "manifest.json").read_text())["input"]) >= {f"{tmp_path}/model.gguf"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.gguf", b"GGML", "file: is not a GGUF file: it does not begin with GGUF; expected a model file of"),
        (
            "model.bin",
            b"",
            "file: is not a directory; expected a directory with config.json and safetensors, or a GGUF",
        ),
    ],
)
def test_a_file_that_is_no_model_is_refused(bitjoule, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    status, _, err = simulate(bitjoule, tmp_path / "out", tmp_path / name, "--engine", "numpy")
    assert status == 2
    assert err.startswith(f"{tmp_path / name}:1: {message}")


def test_weights_of_no_working_model_are_told_with_folder_and_layer(bitjoule, tmp_path):
    folder = folder_model(tmp_path / "huge", weight_scale=1e38)
    status, _, err = simulate(bitjoule, tmp_path / "out", folder, "--engine", "numpy", "--prompt", "1")
    assert status == 2
    assert err.startswith(f"{folder}:1: layers.1.")
    assert list((tmp_path / "out").iterdir()) == []


class FakeHardware:
    """Stands for the compiled hardware: NumPy, with an error that is added to each product."""

    error, last_toggles_per_trit, seconds, phase = 0, float("nan"), 0.25, ""

    def __init__(self, config, counts_toggles):
        self.config, self.counts_toggles = config, counts_toggles

    def matmul(self, _, activations, weights):
        self.last_cycles = cycles(self.config, *activations.shape, weights.codes.shape[1])
        return integer_matmul(activations, weights.codes) + np.int32(self.error)


@pytest.fixture
def fake_hardware(monkeypatch):
    monkeypatch.setattr(simulation, "Verilated", lambda config: config)
    monkeypatch.setattr(simulation, "RtlEngine", FakeHardware)
    monkeypatch.setattr(simulation, "compiler_version", lambda: "c++ 1.2")
    return FakeHardware


def test_hardware_that_multiplies_wrongly_is_named_without_a_traceback(bitjoule, tmp_path, fake_hardware, monkeypatch):
    monkeypatch.setattr(fake_hardware, "error", 1)
    status, _, err = simulate(bitjoule, tmp_path, "--engine", "check", "--new-tokens", "2")
    assert status == 1
    assert err.startswith("bitjoule: layers.0.q_proj: row 0 (token), column 0 (output): FakeHardware has")
    assert "Traceback" not in err


@pytest.mark.usefixtures("fake_hardware")
def test_rates_are_those_of_the_time_in_the_simulated_hardware(bitjoule, tmp_path):
    out = simulate(bitjoule, tmp_path, "--new-tokens", "3")[1]
    matmuls = pd.read_csv(tmp_path / "rtl_tiny_b158" / "matmuls.csv")
    trits = (matmuls["tokens"] * matmuls["k"] * matmuls["n"]).sum()
    rates = f"{matmuls['cycles'].sum() / 0.25 / 1e3:.0f} k cycles/s, {trits / 0.25 / 1e9:.3f} G trits/s"
    assert f"Of it 0.2 s in the simulated hardware: {rates}." in out
    versions = json.loads((tmp_path / "rtl_tiny_b158" / "manifest.json").read_text())["versions"]
    assert versions["c++"] == "c++ 1.2"
    assert {"verilator", "amaranth", "safetensors"} < set(versions)


def test_without_the_hardware_no_rate_of_it_is_told(bitjoule, tmp_path):
    out = simulate(bitjoule, tmp_path, "--engine", "numpy", "--new-tokens", "2")[1]
    assert re.search(r"^Ran in \d+\.\d s: 2 tokens, [\d.]+ tokens/s\.$", out, re.MULTILINE)
    assert "cycles/s" not in out
    versions = json.loads((tmp_path / "rtl_tiny_b158" / "manifest.json").read_text())["versions"]
    assert "safetensors" in versions
    assert "verilator" not in versions


def test_every_matmul_is_printed(bitjoule, tmp_path):
    out = simulate(bitjoule, tmp_path, "--engine", "numpy", "--new-tokens", "2")[1]
    assert len(re.findall(r"^(?:prefill|decode) .*(?:_proj|ffn_)", out, re.MULTILINE)) == 2 * 3 * 7


def test_a_folder_that_cannot_be_written_is_told_before_the_run(bitjoule, tmp_path, monkeypatch):
    monkeypatch.setattr(simulation, "simulate", lambda *_: pytest.fail("ran"))
    (tmp_path / "file").touch()
    status, _, err = simulate(bitjoule, tmp_path / "file" / "out", "--engine", "numpy")
    assert status == 2
    assert "cannot be written" in err


def test_a_run_that_is_told_to_end_leaves_nothing_behind(tmp_path):
    command = [sys.executable, "-m", "bitjoule", "rtl", "simulate", "--engine", "numpy", "--new-tokens", "100000"]
    with subprocess.Popen([*command, "--out", tmp_path], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.read(1)
        assert list(tmp_path.iterdir())
        run.terminate()
        run.stdout.read()
        assert run.wait(600) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_replaces_the_first(bitjoule, tmp_path):
    for tokens in ("2", "3"):
        assert simulate(bitjoule, tmp_path, "--engine", "numpy", "--new-tokens", tokens)[0] == 0
    assert pd.read_csv(tmp_path / "rtl_tiny_b158" / "summary.csv")["new_tokens"].tolist() == [3, 3, 3]


def test_random_weights_have_the_shape_of_a_preset_and_the_stated_share_of_zeros(bitjoule, tmp_path):
    arguments = ("bitnet-125m", "--random-weights", "0.25", "--engine", "numpy", "--new-tokens", "1", "--prompt", "1 2")
    status, out, _ = simulate(bitjoule, tmp_path, *arguments)
    assert status == 0
    assert "bitnet-125m" in out
    matmuls = pd.read_csv(tmp_path / "rtl_bitnet_125m" / "matmuls.csv")
    assert matmuls["weight_zero_share"].to_numpy() == pytest.approx(0.25, abs=0.005)
    assert set(zip(matmuls["k"], matmuls["n"], strict=True)) == {(768, 768), (768, 3072), (3072, 768)}


def test_shipped_hardware_experiments_are_listed_shown_and_valid(bitjoule):
    names = shipped_experiments("hardware")
    assert set(names) == {"rtl_matmul", "rtl_token"}
    listed = bitjoule("list", "experiments")[1]
    for name, path in names.items():
        assert f"{name} " in listed
        assert bitjoule("show", "experiment", name)[1] == path.read_text()
        assert bitjoule("check", name)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rtl_matmul", "rtl_token"])
def test_shipped_hardware_experiments_run_and_agree_with_numpy(bitjoule, tmp_path, name):
    status, out, _ = bitjoule("run", name, "--out", tmp_path)
    assert status == 0
    assert "every product equal to NumPy's" in out
    assert (tmp_path / name / "manifest.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(name for name in shipped_models() if "fp16" not in name))
def test_two_hundred_tokens_of_each_shipped_model_are_bit_exact_on_the_hardware(bitjoule, tmp_path, model):
    arguments = (model, "--engine", "check", "--new-tokens", "200")
    status, out, err = simulate(bitjoule, tmp_path, *arguments)
    assert (status, err) == (0, "")
    assert "on the RTL, every product equal to NumPy's" in out
    same = simulate(bitjoule, tmp_path, model, "--engine", "numpy", "--new-tokens", "200")[1]
    assert same.split("\nrtl_")[0] == out.split("\nrtl_")[0]
