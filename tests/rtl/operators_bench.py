"""Runs inside a simulator: applies operands to a module and writes down what comes out."""

import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer


@cocotb.test()
async def apply(dut: Any) -> None:
    """Apply row after row of a and b."""
    folder = Path(os.environ["BITJOULE_FOLDER"])
    with np.load(folder / "operands.npz") as given:
        rows = list(zip(given["a"], given["b"], strict=True))
    results = []
    for a, b in rows:
        dut.s_axis_a.value = int.from_bytes(a.tobytes(), "little")
        dut.s_axis_b.value = int.from_bytes(b.tobytes(), "little")
        await Timer(1, "ns")
        results.append(int(dut.m_axis_y.value).to_bytes(len(dut.m_axis_y) // 8, "little"))
    (folder / "results.bin").write_bytes(b"".join(results))
