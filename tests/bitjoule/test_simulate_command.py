"""`bitjoule rtl simulate`: a model's text, its matmuls on the hardware, and the tables."""

import pandas as pd
import pytest

from bitjoule.experiments.evaluation import RESULT_COLUMNS
from bitjoule.experiments.result import SUMMARY_COLUMNS
from bitjoule.sim.configurations import read_configuration
from bitjoule.sim.cycles import cycles
from bitjoule.sim.trained import shipped_models

CONFIG = read_configuration("simulate_64x16")


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
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert len(matmuls) == 2 * 7 * matmuls["layer"].nunique()  # two phases, seven linears a layer
    for row in matmuls.itertuples():
        calls = [3] if row.phase == "prefill" else [1] * 4  # the fifth token is not run any more
        assert row.cycles == sum(cycles(CONFIG, m, row.k, row.n) for m in calls)
        assert row.tokens == sum(calls)
    adds = (matmuls["tokens"] * (matmuls["k"] - 1) * matmuls["n"]).sum()
    assert results["count"].sum() == adds
    seconds = summary.set_index("phase")["latency_s"]
    assert seconds.sum() == pytest.approx(matmuls["cycles"].sum() / 500e6)


def test_the_scheme_is_that_of_the_models_weights(bitjoule, tmp_path):
    assert simulate(bitjoule, tmp_path, "tiny-bitnet", "--engine", "numpy", "--new-tokens", "2")[0] == 0
    assert set(pd.read_csv(tmp_path / "rtl_tiny_bitnet" / "summary.csv")["scheme"]) == {"bitnet"}


def test_a_floating_point_model_has_nothing_to_run_on_the_hardware(bitjoule, tmp_path):
    status, out, _ = simulate(bitjoule, tmp_path, "tiny-fp16", "--engine", "numpy", "--new-tokens", "2")
    assert status == 0
    assert "no integer matmul was run" in out
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_replaces_the_first(bitjoule, tmp_path):
    for tokens in ("2", "3"):
        assert simulate(bitjoule, tmp_path, "--engine", "numpy", "--new-tokens", tokens)[0] == 0
    assert pd.read_csv(tmp_path / "rtl_tiny_b158" / "summary.csv")["new_tokens"].tolist() == [3, 3]


def test_random_weights_have_the_shape_of_a_preset_and_the_stated_share_of_zeros(bitjoule, tmp_path):
    arguments = ("bitnet-125m", "--random-weights", "0.25", "--engine", "numpy", "--new-tokens", "1", "--prompt", "1 2")
    status, out, _ = simulate(bitjoule, tmp_path, *arguments)
    assert status == 0
    assert "bitnet-125m" in out
    matmuls = pd.read_csv(tmp_path / "rtl_bitnet_125m" / "matmuls.csv")
    assert matmuls["weight_zero_share"].to_numpy() == pytest.approx(0.25, abs=0.005)
    assert set(zip(matmuls["k"], matmuls["n"], strict=True)) == {(768, 768), (768, 3072), (3072, 768)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny-b159",), "MODEL:1: model: unknown model 'tiny-b159' (did you mean 'tiny-b158'?)"),
        (("./nowhere",), "./nowhere:1: file: is no folder"),
        (("lama-7b", "--random-weights", "0.3"), "MODEL:1: model: unknown model 'lama-7b' (did you mean 'llama-7b'?)"),
        (("--technology", "7mm"), "--technology:1: technology: unknown technology '7mm' (did you mean '7nm'?)"),
        (("--clock-mhz", "0"), "--clock-mhz:1: clock_mhz: got 0"),
        (("--config", "tiny_8x4"), "tiny_8x4:1: max_k: max_k 64 is too small for K 256 of the model"),
        (("mixtral-8x7b", "--random-weights", "0.3"), "mixtral-8x7b:1: file: the model has 8 experts"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_written(bitjoule, tmp_path, arguments, message):
    status, out, err = simulate(bitjoule, tmp_path / "out", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(message)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(name for name in shipped_models() if "fp16" not in name))
def test_two_hundred_tokens_of_each_shipped_model_are_bit_exact_on_the_hardware(bitjoule, tmp_path, model):
    arguments = (model, "--engine", "check", "--new-tokens", "200")
    status, out, err = simulate(bitjoule, tmp_path, *arguments)
    assert (status, err) == (0, "")
    assert "on the RTL, every product equal to NumPy's" in out
    same = simulate(bitjoule, tmp_path, model, "--engine", "numpy", "--new-tokens", "200")[1]
    assert same.split("\n\nphase")[0] == out.split("\n\nphase")[0]
