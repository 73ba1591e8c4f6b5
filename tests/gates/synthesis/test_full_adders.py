"""Full adders are looked for without following multiplexers and most inverters: `extract_fa` finds no more."""

from pathlib import Path

import pytest

from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.synthesis import yosys
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.arithmetic.operators import operator_verilog
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator.configurations import read_configuration, shipped_configurations
from tests.sampling import sampled

# Sums of three bits, plain and of inverted bits, behind multiplexers and before them; majorities of them.
AROUND = """
module top (input s, input [3:0] a, b, c, d, output [3:0] x, y, z, m, n);
  wire [3:0] p = s ? a : ~b, q = s ? ~c : d;
  assign x = p ^ q ^ ~c, y = (p & q) | ((p ^ q) & ~c);
  assign z = s ? ~(a ^ b ^ d) : x, m = (a & b) | (a & d) | (b & d), n = ~(a ^ c ^ d) & ~((a & c) | ((a ^ c) & d));
endmodule
"""
SIZES = {"lanes": 8, "columns": 1, "max_k": 64, "weight_bus_bits": 128}
SMALL = {
    "ternary": {"weight_encoding": "ternary2", "columns": 2},
    "int8": {"weight_encoding": "int8"},
    "int4": {"weight_encoding": "int4"},
    "fp16": {"weight_encoding": "fp16", "pipeline": 3},
}


def array(keys: dict[str, object]) -> tuple[str, str]:
    return accelerator_verilog(AcceleratorConfig.from_mapping(SIZES | keys), quickly=True), TOP


def front(folder: Path, verilog: str, top: str, adder: str) -> tuple[str, int]:
    """Return gates and full adders of a design, names too, and how many adders."""
    folder.mkdir()
    source = folder / "design.v"
    source.write_text(verilog)
    yosys._front(source, top, yosys.Library([default_liberty()]), folder, Options(adder))
    text = (folder / "front.json").read_text()
    return text.replace(str(folder), ""), text.count('"type": "$fa"')


def both(folder, monkeypatch, design, adder):
    """Return what `front` does of a text and its top module, as it is and with `extract_fa` alone."""
    ours = front(folder / "ours", *design, adder)
    monkeypatch.setattr(yosys, "FULL_ADDERS", "extract_fa -d 5 -b 4 -fa")
    return ours, front(folder / "theirs", *design, adder)


@pytest.mark.parametrize("adder", ["ripple", "sklansky"])
@pytest.mark.parametrize("keys", SMALL.values(), ids=SMALL)
def test_all_of_a_small_array_are_found(tmp_path, monkeypatch, keys, adder):
    ours, theirs = both(tmp_path, monkeypatch, array(keys), adder)
    assert theirs[1] >= 40
    assert ours == theirs


@pytest.mark.parametrize(("name", "adders"), [("int16", 64), ("fp16", 32), ("inverters", 8)])
def test_all_are_found_where_inverters_are_within(tmp_path, monkeypatch, name, adders):
    design = (AROUND, "top") if name == "inverters" else (operator_verilog("mul", name), f"mul_{name}")
    ours, theirs = both(tmp_path, monkeypatch, design, "sklansky")
    assert theirs[1] >= adders
    assert ours == theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(sorted(shipped_configurations()), 2, "full adders"))
def test_all_of_a_shipped_array_are_found(tmp_path, monkeypatch, name):
    ours, theirs = both(tmp_path, monkeypatch, (accelerator_verilog(read_configuration(name), True), TOP), "ripple")
    assert ours == theirs
