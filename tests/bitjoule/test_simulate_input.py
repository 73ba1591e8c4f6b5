"""What `bitjoule rtl simulate`, and an experiment with the key ``rtl``, refuse before anything runs."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from bitjoule.experiments.output.columns import SUMMARY_COLUMNS
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.llm.trained import shipped_models

CONFIG = read_configuration("simulate_64x16")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny-b159",), "rtl simulate:1: rtl.model: unknown model 'tiny-b159' (did you mean 'tiny-b158'?)"),
        (("./nowhere",), "./nowhere:1: file: is not a directory"),
        (("lama-7b", "--random-weights", "0.3"), "rtl simulate:1: rtl.model: unknown model 'lama-7b'"),
        (("--technology", "7mm"), "rtl simulate:1: technology: unknown technology '7mm'"),
        (("--clock-mhz", "0"), "rtl simulate:1: rtl.clock_mhz: got 0"),
        (("--config", "tiny_8x4"), "rtl simulate:1: rtl.config: tiny_8x4 has max_k 64"),
        (("--config", "tiny_8x4", "--engine", "numpy"), "rtl simulate:1: rtl.config: tiny_8x4 has max_k 64"),
        (("--config", "int8_8x4"), "rtl simulate:1: rtl.config: int8_8x4 has weight_encoding int8, an array with mul"),
        (("--prompt", ""), "rtl simulate:1: rtl.prompt: no tokens"),
        (
            ("--prompt", "a" * 70_000),
            "rtl simulate:1: rtl.prompt: is 70000 tokens long, more than the hardware's limit of 65535",
        ),
        (
            ("--random-weights", "0.3", "--prompt", "Hi"),
            "rtl simulate:1: rtl.prompt: got 'Hi'; expected token ids:",
        ),
        (("--random-weights", "0.3", "--prompt", "256"), "rtl simulate:1: rtl.prompt: token 256 is outside the vocab"),
        (
            ("--random-weights", "0.3", "--weights", "binary"),
            "rtl simulate:1: rtl: weights and random_weights are",
        ),
        (("--engine", "numpy", "--toggles"), "rtl simulate:1: rtl.toggles: engine numpy cannot count toggles"),
        (("--config", "binary_64x16"), "rtl simulate:1: rtl.config: binary_64x16 has weight_encoding binary1, which"),
        (("--platform", "ternary-egde"), "rtl simulate:1: platform: unknown platform 'ternary-egde' (did you mean"),
        (("--platform", "no.yaml"), "rtl simulate:1: platform: 'no.yaml' not found; expected a platform's YAML"),
        (("--platform", "int8-edge"), "rtl simulate:1: platform: platform int8-edge multiplies ternary x int8; the"),
        (("--platform", "tpu32", "--technology", "45nm"), "rtl simulate:1: platform: no array of platform tpu32"),
        (("mixtral-8x7b", "--random-weights", "0.3"), "rtl simulate:1: rtl.model: the model has 8 experts"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_written(bitjoule, tmp_path, arguments, message):
    status, out, err = bitjoule("rtl", "simulate", *arguments, "--out", tmp_path / "out")
    assert (status, out) == (2, "")
    assert err.startswith(message)
    assert not (tmp_path / "out").exists()


YAML = """\
name: mine
technology: 45nm
rtl: {engine: numpy, matmuls: [{m: 2, k: 100, n: 40}, {m: 1, k: 64, n: 16}], random_weights: 0.5, clock_mhz: 250}
"""


def test_an_experiment_from_yaml_gives_the_same_tables(bitjoule, tmp_path):
    (tmp_path / "mine.yaml").write_text(YAML)
    status, out, err = bitjoule("check", tmp_path / "mine.yaml")
    assert (status, out, err) == (0, f"{tmp_path}/mine.yaml: ok, 2 matmuls on the accelerator\n", "")
    assert bitjoule("run", tmp_path / "mine.yaml", "--out", tmp_path / "out")[0] == 0
    folder = tmp_path / "out" / "mine"
    matmuls, results, summary = (pd.read_csv(folder / f"{name}.csv") for name in ("matmuls", "results", "summary"))
    assert matmuls["cycles"].tolist() == [cycles(CONFIG, 2, 100, 40), cycles(CONFIG, 1, 64, 16)]
    assert matmuls["weight_zero_share"].to_numpy() == pytest.approx(0.5, abs=0.06)
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert summary["model"].tolist() == ["2x100x40", "1x64x16"]
    assert summary["prompt_tokens"].tolist() == [2, 1]
    assert set(results["component"]) == {"matmul", "static"}
    again = folder.with_name("again")
    assert bitjoule("run", folder / "experiment.yaml", "--out", again)[0] == 0
    for name in ("matmuls.csv", "results.csv", "summary.csv", "summary.md", "experiment.yaml"):
        assert (again / "mine" / name).read_bytes() == (folder / name).read_bytes()
    adds = results[results["action"] == "add"]
    assert adds["energy_pj"].sum() == pytest.approx((2 * 99 * 40 + 63 * 16) * 0.03)  # INT8 addition at 45 nm


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("engine: numpy", "engine: gpu", "3: rtl.engine: 'gpu' is unknown; expected one of rtl, numpy, check"),
        ("random_weights: 0.5, ", "", "3: rtl: matmuls without random_weights"),
        ("random_weights: 0.5", "model: tiny-b158", "3: rtl: model and matmuls are both given"),
        (
            "k: 64",
            "k: 20000",
            "3: rtl.config: simulate_64x16 has max_k 16384, too small for K 20000; expected max_k of at least 20000\n",
        ),
        ("m: 2", "m: 70000", "3: rtl.matmuls[0].m: got 70000; expected less than or equal to 65535"),
        ("m: 1, k: 64, n: 16", "m: 2, k: 100, n: 40", "3: rtl.matmuls: duplicate size; expected each size once"),
        ("45nm", "45nm\nplatform: x.yaml", "3: platform: 'x.yaml' not found; expected a platform's YAML"),
        ("random_weights: 0.5", "random_weights: 0.5, prompt: a", "3: rtl: prompt and matmuls are both given"),
        ("random_weights: 0.5", "random_weights: 0.5, new_tokens: 9", "3: rtl: new_tokens and matmuls are both given"),
        (
            "m: 2, k: 100, n: 40",
            "m: 65535, k: 1, n: 16777215",
            "3: rtl.matmuls[0]: 65535x1x16777215 has operands and results of 4096.0 GiB; expected at most 4 GiB\n",
        ),
        (
            "engine: numpy",
            "config: binary_64x16",
            "3: rtl.config: binary_64x16 has weight_encoding binary1, "
            "which cannot encode zero weights; expected one of ternary2, ternary5\n",
        ),
        (
            "engine: numpy",
            "config: int8_8x4",
            "3: rtl.config: int8_8x4 has weight_encoding int8, an array with "
            "multipliers; expected a multiplier-free array: binary1, ternary2, ternary5\n",
        ),
        (
            "engine: numpy",
            "config: ternary_fp16_8x4",
            "3: rtl.config: ternary_fp16_8x4 has accumulation fp32, an array",
        ),
        ("engine: numpy", "config: nowhere", "3: rtl.config: unknown accelerator 'nowhere'; expected "),
        (
            "engine: numpy",
            "config: ./nowhere.yaml",
            "3: rtl.config: './nowhere.yaml' not found; expected an accelerator's",
        ),
        (
            "engine: numpy",
            "config: ./a4.yaml",
            "3: rtl.config: ./a4.yaml has activation_bits 4, too few for the "
            "activations' 8; expected activation_bits: 8\n",
        ),
        (YAML[YAML.index("{") :], "5\n", "3: rtl: got 5; expected a mapping with keys of config, engine, model,"),
        (YAML[YAML.index("{") :], "{model: tiny-b159}\n", "3: rtl.model: unknown model 'tiny-b159'"),
        (YAML[YAML.index("{") :], "{model: lama-7b, random_weights: 0}\n", "3: rtl.model: unknown model 'lama-7b'"),
        ("45nm", "46nm", "2: technology: unknown technology '46nm' (did you mean '45nm'?)"),
        ("engine", "engin", "3: rtl.engin: unknown key (did you mean 'engine'?)"),
    ],
)
def test_a_wrong_hardware_experiment_is_refused(bitjoule, tmp_path, monkeypatch, was, becomes, message):
    monkeypatch.chdir(tmp_path)
    Path("a4.yaml").write_text(
        "lanes: 8\ncolumns: 4\nmax_k: 128\nweight_bus_bits: 32\nactivation_bits: 4\n", encoding="utf-8"
    )
    text = YAML.replace(was, becomes)
    (tmp_path / "bad.yaml").write_text(text.replace("numpy", "rtl") if "k: 20000" in text else text)
    for command in ("check", "run"):
        status, out, err = bitjoule(command, tmp_path / "bad.yaml", *(["--out", "out"] if command == "run" else []))
        assert (status, out) == (2, "")
        assert err.startswith(f"{tmp_path}/bad.yaml:{message}")
    assert not (tmp_path / "out").exists()


def test_everything_that_is_wrong_with_a_platforms_file_is_told(bitjoule, tmp_path):
    (tmp_path / "chip.yaml").write_text(
        "like: ternary-edge\nvector: {lanes: 0}\noff_chip: {bandwidth_gb_per_s: 0}\n", encoding="utf-8"
    )
    (tmp_path / "bad.yaml").write_text(YAML.replace("45nm", "45nm\nplatform: ./chip.yaml"), encoding="utf-8")
    status, out, err = bitjoule("check", tmp_path / "bad.yaml")
    assert (status, out) == (2, "")
    assert sorted(line.partition("chip.yaml:")[2] for line in err.splitlines()) == [
        "2: vector.lanes: got 0; expected greater than or equal to 1",
        "3: off_chip.bandwidth_gb_per_s: got 0; expected greater than or equal to 0.000001",
    ]


def test_paths_in_an_experiment_start_at_its_folder_and_those_of_a_command_at_the_current_one(
    bitjoule, tmp_path, monkeypatch
):
    folder, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    for place, lanes in ((folder, 16), (elsewhere, 8)):
        place.mkdir()
        config = f"lanes: {lanes}\ncolumns: 4\nmax_k: 1024\nweight_bus_bits: {8 * lanes}\n"
        (place / "small.yaml").write_text(config, encoding="utf-8")
    shutil.copytree(shipped_models()["tiny-b158"], folder / "llm")
    monkeypatch.chdir(elsewhere)
    run = "rtl: {engine: numpy, config: ./small.yaml, model: ./llm, new_tokens: 1}\n"
    (folder / "mine.yaml").write_text(f"name: mine\ntechnology: 45nm\n{run}", encoding="utf-8")

    def widths(*arguments):
        status, _, err = bitjoule("run", *arguments, "--out", tmp_path / "out")
        assert (status, err) == (0, "")
        (q, *_) = pd.read_csv(tmp_path / "out" / "mine" / "matmuls.csv").to_dict("records")
        return {lanes for lanes in (8, 16) if q["cycles"] == cycles(array(lanes), q["tokens"], q["k"], q["n"])}

    def array(lanes):
        return AcceleratorConfig(lanes=lanes, columns=4, max_k=1024, weight_bus_bits=8 * lanes)

    assert widths(folder / "mine.yaml") == {16}
    assert widths(folder / "mine.yaml", "--set", "rtl.config=./small.yaml") == {8}
    assert bitjoule("run", folder / "mine.yaml", "--out", tmp_path / "out")[0] == 0
    again = tmp_path / "again.yaml"
    again.write_text((tmp_path / "out" / "mine" / "experiment.yaml").read_text(), encoding="utf-8")
    assert widths(again) == {16}
