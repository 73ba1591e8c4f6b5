"""`bitjoule rtl simulate` with a whole BitLinear: the model's linears on the hardware, compared, and what is told."""

import re

import numpy as np
import pandas as pd
import pytest

from bitjoule.experiments.hardware import run as simulation
from bitjoule.sim.accelerator.configurations import read_design
from bitjoule.sim.accelerator.linear.simulated import LinearOutcome
from bitjoule.sim.reference.hardware_linear import hardware_bitlinear
from bitjoule.sim.reference.quantisation import QuantisedWeights

NORMED = "lanes: 8\ncolumns: 4\ntokens: 3\nmax_k: 512\nweight_bus_bits: 32\n" + (
    "linear: {format: bf16, lanes: 4, norm: rms_norm}\n"
)
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down"]


class FakeHardware:
    """Stands for the compiled BitLinear: NumPy, a thousand cycles a command."""

    factor = 1.0

    def __init__(self, config):
        self.config = config

    def pack(self, codes):
        class Packed:
            k, n = codes.shape
            trits = codes

        return Packed

    def linear(self, x, packed, scale, gain=None, epsilon=None):
        weights = QuantisedWeights(packed.trits, np.array([scale * self.factor], np.float32))
        norm = {} if gain is None else {"gain": gain, "epsilon": float(epsilon)}
        y = hardware_bitlinear(x, weights, self.config.format, **norm, lanes=self.config.lanes)
        return LinearOutcome(y, 1000)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(NORMED)
    return path


@pytest.fixture
def fake_hardware(monkeypatch):
    monkeypatch.setattr(simulation, "SimulatedLinear", FakeHardware)
    monkeypatch.setattr(simulation, "compiler_version", lambda: "c++ 1.2")
    return FakeHardware


def simulate(bitjoule, folder, *arguments):
    return bitjoule("rtl", "simulate", *arguments, "--out", folder)


@pytest.mark.usefixtures("fake_hardware")
def test_every_linear_is_told_and_compared(bitjoule, config, tmp_path):
    status, out, err = simulate(bitjoule, tmp_path, "--config", config, "--engine", "check", "--new-tokens", "3")
    assert (status, err) == (0, "")
    assert f"tiny-b158: 21 whole linears on the RTL ({config}: bf16, 4 lanes, RMSNorm)." in " ".join(out.split())
    linears = pd.read_csv(tmp_path / "rtl_tiny_b158" / "linears.csv")
    prompt, fed_back = len("The sum of "), 2
    assert linears["name"].tolist() == LINEARS * 3 * 2
    assert linears["cycles"].tolist() == [1000] * 21 + [2000] * 21
    assert linears["tokens"].tolist() == [prompt] * 21 + [fed_back] * 21
    assert (linears["outputs"] == linears["tokens"] * linears["n"]).all()
    assert linears["bound_share"].between(0, 1).all()
    assert f"All {linears['outputs'].sum()} outputs have the bits of NumPy's reference." in " ".join(out.split())
    assert "In NumPy ran attention, activation functions, embedding and the LM head." in " ".join(out.split())
    matmuls = pd.read_csv(tmp_path / "rtl_tiny_b158" / "matmuls.csv")
    # each activation and each gain crosses the port once, each output once: BF16, in whole beats of four
    assert (matmuls["activation_bits"] == 16 * matmuls["k"] * (matmuls["tokens"] + np.repeat([1, 2], 21))).all()
    assert (matmuls["result_bits"] == 16 * matmuls["n"] * matmuls["tokens"]).all()


@pytest.mark.usefixtures("fake_hardware", "config")
def test_bare_matmuls_are_whole_linears(bitjoule, tmp_path):
    (tmp_path / "bare.yaml").write_text(
        "name: bare\nrtl: {engine: check, config: mine.yaml, random_weights: 0.4, matmuls: [{m: 2, k: 40, n: 9}]}\n"
    )
    assert bitjoule("run", tmp_path / "bare.yaml", "--out", tmp_path / "out")[0] == 0
    linears = pd.read_csv(tmp_path / "out" / "bare" / "linears.csv")
    assert linears[["k", "n", "tokens", "outputs"]].to_numpy().tolist() == [[40, 9, 2, 18]]


@pytest.mark.usefixtures("fake_hardware")
def test_without_a_comparison_nothing_is_claimed(bitjoule, config, tmp_path):
    status, out, _ = simulate(bitjoule, tmp_path, "--config", config, "--new-tokens", "1")
    assert status == 0
    assert "bits of NumPy" not in out
    assert "outputs" not in pd.read_csv(tmp_path / "rtl_tiny_b158" / "linears.csv")


def test_hardware_that_rescales_wrongly_is_named_without_a_traceback(bitjoule, config, tmp_path, fake_hardware):
    fake_hardware.factor = 1.01
    try:
        status, _, err = simulate(bitjoule, tmp_path, "--config", config, "--engine", "check")
    finally:
        fake_hardware.factor = 1.0
    assert status == 1
    assert err.startswith("bitjoule: layers.0.q_proj: row 0 (token), column 0 (output): the hardware has")


@pytest.mark.usefixtures("fake_hardware")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--config", "bitlinear_64x5", "--engine", "numpy"),
            "rtl simulate:1: rtl.engine: engine numpy has no cycles of a whole BitLinear, which bitlinear_64x5 is; "
            "expected rtl, or check\n",
        ),
        (("--config", "bitlinear_8x4"), "rtl simulate:1: rtl.config: bitlinear_8x4 has max_k 64, too small for K 256"),
        (
            ("bitnet-125m", "--random-weights", "0.3", "--config", "bitlinear_64x5"),
            "rtl simulate:1: rtl.config: bitlinear_64x5 cannot compute layers.0.q_proj of bitnet-125m: it has no "
            "RMSNorm right before it, which this hardware computes; expected hardware with `norm: none`\n",
        ),
    ],
)
def test_what_the_hardware_cannot_run_is_told_and_nothing_is_written(bitjoule, tmp_path, arguments, message):
    status, _, err = simulate(bitjoule, tmp_path / "out", *arguments)
    assert status == 2
    assert err.startswith(message)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.usefixtures("fake_hardware")
def test_activations_beyond_the_hardwares_format_are_told(bitjoule, tmp_path, monkeypatch):
    config = tmp_path / "half.yaml"
    config.write_text(NORMED.replace("bf16", "fp16").replace("rms_norm", "none"))
    monkeypatch.setattr(FakeHardware, "factor", 1e6)
    status, _, err = simulate(bitjoule, tmp_path / "out", "--config", config, "--new-tokens", "1")
    assert status == 2
    assert "layers.0.q_proj: activations are not finite in fp16; expected" in err
    assert "of a wider range" in err


@pytest.mark.slow
def test_a_shipped_model_runs_on_the_compiled_bitlinear(bitjoule, config, tmp_path):
    status, out, err = simulate(bitjoule, tmp_path, "--config", config, "--engine", "check", "--new-tokens", "2")
    assert (status, err) == (0, "")
    assert read_design(str(config)).normed
    assert re.search(r"All \d+ outputs have the bits of NumPy's reference\.", " ".join(out.split()))
