"""The accelerator behind AXI4-Lite, in Verilator: matmuls, back-pressure, resets, and accesses that are refused."""

import json
import re
import subprocess

import pytest

from bitjoule.rtl.axi_lite import top
from bitjoule.rtl.axi_lite.register_map import as_rows, c_header, padded_bits, register_map, stream_bits
from bitjoule.rtl.axi_lite.top import TOP, registered_description, registered_verilog
from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.sim.accelerator.configurations import read_configuration, read_design
from bitjoule.sim.bench.cocotb_build import build, run
from bitjoule.sim.bench.simulators import SimulatorError, find_compiler
from tests.sim.bench.faulty import faulty

TINY = read_configuration("tiny_8x4")


def simulate(config, folder, rounds, seed=1, verilog=None):
    """Run the bench; return how many matmuls were equal to NumPy's."""
    source, plan, report = folder / "top.v", folder / "plan.json", folder / "report.json"
    source.write_text(verilog or registered_verilog(config))
    plan.write_text(json.dumps({"config": config.as_mapping(), "rounds": rounds, "seed": seed, "report": str(report)}))
    runner = build(source, TOP, folder / "build")
    environment = {"BITJOULE_PLAN": str(plan)}
    run(runner, TOP, folder / "run", "tests.rtl.axi_lite.registers_bench", environment)
    return json.loads(report.read_text())["matmuls"]


@pytest.mark.slow
def test_matmuls_and_refused_accesses_of_tiny(tmp_path):
    assert simulate(TINY, tmp_path, rounds=8) == 24


@pytest.mark.dear
@pytest.mark.parametrize("name", ["decode_64x5", "int8_8x4"])
def test_matmuls_of_padded_results_and_of_integers(name, tmp_path):
    """Five columns of 32 bits are 160 bits, which a DMA carries in 256."""
    assert simulate(read_configuration(name), tmp_path, rounds=4) == 12


@pytest.mark.dear
def test_whole_bitlinears_with_scale_and_epsilon(tmp_path):
    assert simulate(read_design("bitlinear_8x4"), tmp_path, rounds=4) == 12


FAULTS = {
    "an address without a register is read": ("bus.read_response.eq(Response.DECERR)", "bus.read_response.eq(0)"),
    "a start is taken without room": ("{START: (start, full)", "{START: (start, Const(0, 1))"),
    "a reset leaves the waiting command": ("[full.eq(0), *(counts", "[*(counts"),
    "cycles are counted without a command": ("with m.If(busy):", "with m.If(Const(1, 1)):"),
    "a waiting command takes later fields": (
        "s_axis_command_tdata.eq(command)", "s_axis_command_tdata.eq(Cat(*fields.values()))"
    ),
    "a value that is too wide is cut": ("& (bus.write_data[register.bits :] == 0)", ""),
    "a part of a register is written": ("bus.whole & (bus.write_data[reg", "(bus.write_data[reg"),
    "malformed commands are not counted": ("+ self.m_axis_results_tuser", "+ 0"),
}  # fmt: skip


@pytest.mark.dear
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault, tmp_path):
    verilog = faulty(top, *FAULTS[fault]).registered_verilog(TINY)
    with pytest.raises(SimulatorError, match="the simulation failed"):
        simulate(TINY, tmp_path, rounds=6, verilog=verilog)


def test_registers_lie_side_by_side_and_no_two_at_one_address():
    for name in ("tiny_8x4", "bitlinear_8x4", "edge_64x16"):
        registers = register_map(read_design(name))
        assert len({register.offset for register in registers}) == len({register.name for register in registers})
        assert all(register.offset % 4 == 0 and register.offset < 1 << 12 for register in registers)
        assert all(register.value < 1 << 32 and 0 < register.bits <= 32 for register in registers)


def test_constants_are_those_of_the_configuration_and_fields_of_a_command_as_wide_as_it_takes():
    """64 x 5: beats of 64, 64 and 20 bytes; a BitLinear of 8 x 4 with a norm: four lanes of FP16."""
    rows = {row["register"]: row for row in as_rows(register_map(read_design("decode_64x5")))}
    config = read_configuration("decode_64x5")
    assert {name: row["value"] for name, row in rows.items() if "value" in row} == {
        "identity": 0x626A0001, "lanes": 64, "columns": 5, "tokens": config.tokens, "max_k": config.max_k,
        "weights_bytes": 64, "activations_bytes": 64, "results_bytes": 32,
    }  # fmt: skip
    linear = {row["register"]: row for row in as_rows(register_map(read_design("bitlinear_8x4")))}
    fields = {"command_m": 16, "command_k": 24, "command_n": 24}
    for registers, wide in ((rows, fields), (linear, fields | {"command_scale": 32, "command_epsilon": 32})):
        assert {name: row["bits"] for name, row in registers.items() if name.startswith("command_")} == wide
        offsets = [int(registers[name]["offset"], 16) for name in wide]
        assert offsets == [0x40 + 4 * i for i in range(len(wide))]


@pytest.mark.parametrize("name", ["decode_64x5", "bitlinear_8x4"])
def test_the_c_header_is_the_map_and_c_reads_it(name, tmp_path):
    registers = register_map(read_design(name))
    header = c_header(registers)
    found = re.findall(r"^#define BITJOULE_(\w+) (0x[0-9a-f]+)u /\* (.*) \*/$", header, re.MULTILINE)
    values = {name: int(value, 16) for name, value, _ in found}
    others = {"IDENTITY_VALUE": 0x626A0001, "CONTROL_START": 1, "CONTROL_RESET": 2, "STATUS_BUSY": 1, "STATUS_FULL": 2}
    assert values == {each.name.upper(): each.offset for each in registers} | others
    assert {name: text for name, _, text in found if name not in others} == {
        each.name.upper(): each.meaning for each in registers
    }
    (tmp_path / "registers.h").write_text(header)
    checks = [f"static_assert(BITJOULE_{name} == {value}u);" for name, value in values.items()]
    (tmp_path / "x.cpp").write_text("\n".join(['#include "registers.h"', '#include "registers.h"', *checks]))
    subprocess.run([find_compiler(), "-std=c++17", "-fsyntax-only", "-Werror", tmp_path / "x.cpp"], check=True)


@pytest.mark.parametrize(("bits", "padded"), [(1, 8), (8, 8), (9, 16), (160, 256), (512, 512), (513, 1024)])
def test_data_is_padded_to_a_power_of_two(bits, padded):
    assert padded_bits(bits) == padded


def test_a_stream_that_no_dma_carries_is_refused():
    wide = AcceleratorConfig(256, 8, 1024, 4096)
    with pytest.raises(ConfigError) as error:
        stream_bits(wide)
    assert [fault.key for fault in error.value.faults] == ["weight_bus_bits", "lanes"]
    assert "the stream of weights has 4096 bits; expected at most 1024" in str(error.value)


def test_the_description_names_every_port_of_the_verilog():
    text = registered_verilog(TINY)
    module = text[text.index(f"module {TOP}(") :]
    ports = {port["name"] for port in registered_description(TINY)["ports"]}
    assert ports == set(module[module.index("(") + 1 : module.index(")")].replace("\n", "").replace(",", " ").split())
    assert '(* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)\n  input aresetn;' in module


@pytest.mark.parametrize("config", [TINY, read_configuration("decode_64x5")])
def test_the_description_has_the_direction_and_the_width_of_every_port_of_the_verilog(config):
    text = registered_verilog(config)
    module = text[text.index(f"module {TOP}(") :]
    declared = re.findall(r"^  (in|out)put (?:\[(\d+):0\] )?(\w+);$", module[: module.index("endmodule")], re.MULTILINE)
    verilog = {name: (direction, int(last or 0) + 1) for direction, last, name in declared}
    described = {port["name"]: (port["direction"], port["bits"]) for port in registered_description(config)["ports"]}
    assert len(verilog) > 20
    assert described == verilog
