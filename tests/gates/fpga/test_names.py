"""Names with an index in them: netlists compute what their texts say, and a design that stopped Yosys is mapped."""

import json

import pytest

from bitjoule.gates.fpga.devices import devices, find_device
from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.gates.fpga.least import least_use
from bitjoule.gates.fpga.placement import map_design
from bitjoule.rtl.conversion import plain_names
from bitjoule.rtl.serial.top import TOP, serial_verilog
from bitjoule.sim.accelerator.configurations import read_configuration
from tests.gates.fpga.proofs import MODELS, yosys

# Bit 1 of the one and the other whole are both x[1] to ABC9.
REGISTERS = r"""
module top(input clk, input [2:0] a, output reg y);
  reg [1:0] x;
  reg \x[1] ;
  always @(posedge clk) begin
    x <= a[1:0];
    \x[1] <= a[2];
    y <= x[1] ^ \x[1] ;
  end
endmodule
"""


@pytest.mark.slow
@pytest.mark.parametrize("rewrite", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_wire_whose_name_is_that_of_a_bit_is_another_wire(family, rewrite, tmp_path):
    """From its second cycle on, when all registers are known."""
    device = next(device for device in devices().values() if device.family == family)
    map_design(plain_names(REGISTERS), "top", device, tmp_path, rewrite=rewrite)
    source, netlist = tmp_path / "top.v", tmp_path / "top.json"
    source.write_text(REGISTERS)
    module = json.loads((tmp_path / "netlist.json").read_text())["modules"]["top"]
    netlist.write_text(json.dumps({"modules": {"top": module}}))
    gate, sequential = tmp_path / "gate.il", "proc; flatten; async2sync; opt_clean"
    yosys(
        f"read_json {netlist}", f"read_verilog -defer -overwrite {MODELS[family]}", "hierarchy -check -top top",
        sequential, "rename top gate", f"write_rtlil {gate}",
    )  # fmt: skip
    yosys(
        f"read_verilog {source}", f"hierarchy -top top; {sequential}; rename top gold", f"read_rtlil {gate}",
        "miter -equiv -flatten -make_assert gold gate miter", "hierarchy -top miter",
        "sat -verify -tempinduct -seq 3 -prove-asserts miter",
    )  # fmt: skip


@pytest.mark.slow
def test_the_decode_array_with_a_uart_is_mapped_to_ecp5(tmp_path):
    device = find_device("ecp5-85k")
    family = FAMILIES[device.family]
    config = family.suited(read_configuration("decode_64x5"))
    used = map_design(serial_verilog(config, 104), TOP, device, tmp_path).used
    least = least_use(config, family, pins=4)
    assert {what for what, count in used.items() if not least[what] <= count <= device.capacity[what]} == set()
    module = json.loads((tmp_path / "netlist.json").read_text())["modules"][TOP]
    ports = {name: port["direction"] for name, port in module["ports"].items()}
    assert ports == {"clk": "input", "rst": "input", "rx": "input", "tx": "output"}
    assert not [name for name in module["netnames"] if plain_names(f"\\{name} ") != f"\\{name} "]
