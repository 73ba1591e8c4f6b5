"""Arrays as mapped: netlists multiply as NumPy does, through their UART, in Icarus with Yosys' models of cells."""

import json
import shutil

import numpy as np
import pytest

from bitjoule.gates.fpga.absorb_gowin import RAW
from bitjoule.gates.fpga.devices import devices
from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.gates.fpga.placement import map_design
from bitjoule.rtl.serial.top import TOP, serial_verilog
from bitjoule.sim.accelerator.configurations import read_configuration
from bitjoule.sim.bench.cocotb_build import build, run
from tests.gates.fpga.proofs import MODELS, yosys
from tests.gates.fpga.test_absorb_gowin import CELL

pytestmark = pytest.mark.skipif(not shutil.which("iverilog"), reason="Icarus Verilog (iverilog) is not installed")
CLOCKS_PER_BIT = 4


def products(family, config, operands, folder):
    """Map an array as `rtl place` does and return what its netlist makes of (x, w)."""
    device = next(device for device in devices().values() if device.family == family)
    map_design(serial_verilog(config, CLOCKS_PER_BIT), TOP, device, folder)
    module = json.loads((folder / "netlist.json").read_text())["modules"][TOP]
    for cell in module["cells"].values():
        if RAW in cell["parameters"]:
            cell["type"] = "RAW_ALU"
    netlist, cells, flat = (folder / name for name in ("mapped.json", "cells.v", "flat.v"))
    netlist.write_text(json.dumps({"modules": {TOP: module}}))
    cells.write_text(CELL)
    yosys(
        f"read_json {netlist}", f"read_verilog {cells}", f"read_verilog -defer -overwrite {MODELS[family]}",
        f"hierarchy -check -top {TOP}", "proc", "flatten", "opt_clean", f"write_verilog -noattr {flat}",
    )  # fmt: skip
    plan = {"config": config.as_mapping(), "clocks_per_bit": CLOCKS_PER_BIT}
    (folder / "plan.json").write_text(json.dumps(plan))
    named = {f"{name}{i}": value for i, pair in enumerate(operands) for name, value in zip("xw", pair, strict=True)}
    np.savez(folder / "operands.npz", **named)
    runner = build(flat, TOP, folder / "build", "icarus")
    run(runner, TOP, folder / "run", "tests.gates.fpga.netlist_bench", {"BITJOULE_FOLDER": str(folder)})
    with np.load(folder / "products.npz") as found:
        return [found[name] for name in found.files]


def check(family, name, shapes, folder):
    config = FAMILIES[family].suited(read_configuration(name))
    random = np.random.default_rng(1)
    high = 1 << (config.activation_bits - 1)
    operands = [
        (random.integers(-high, high, (m, k), np.int8), random.integers(-1, 2, (k, n), np.int8)) for m, k, n in shapes
    ]
    for (x, w), found in zip(operands, products(family, config, operands, folder), strict=True):
        np.testing.assert_array_equal(found, x.astype(np.int64) @ w)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_the_smallest_array_multiplies_as_mapped(family, tmp_path):
    """More tokens than a block, tails in K and N, two matmuls one behind the other."""
    check(family, "tiny_8x4", [(5, 11, 6), (1, 8, 4)], tmp_path)


@pytest.mark.dear
def test_the_decode_array_multiplies_as_mapped_to_ecp5(tmp_path):
    check("ecp5", "decode_64x5", [(1, 70, 7)], tmp_path)
