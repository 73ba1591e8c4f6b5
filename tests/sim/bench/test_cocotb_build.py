"""What a build hands to cocotb's runner; the runner itself is left out here, and runs in the slow tests."""

from itertools import product

import pytest

from bitjoule.sim.bench import cocotb_build


@pytest.mark.parametrize(("waves", "coverage"), [*product([False, True], repeat=2)])
def test_a_build_counts_coverage_and_writes_waves_only_if_each_is_asked_for(tmp_path, monkeypatch, waves, coverage):
    runners = pytest.importorskip("cocotb_tools.runner")
    handed = {}
    monkeypatch.setattr(runners.Verilator, "build", lambda _self, **keys: handed.update(keys))
    monkeypatch.setattr(cocotb_build, "_build_with_cached_runtime", lambda call, *_: call())
    verilog = tmp_path / "top.v"
    verilog.write_text("module top (input clk); endmodule\n")
    cocotb_build.build(verilog, "top", tmp_path / "built", waves=waves, coverage=coverage)
    assert handed["waves"] is waves
    assert ("--coverage-line" in handed["build_args"]) is ("--coverage-toggle" in handed["build_args"]) is coverage
    assert handed["sources"] == [tmp_path / "built" / "visible.vlt", verilog]


ZEROS = "  initial begin\n    m[0] = 1'h0;\n    m[1] = 1'h0;\n  end\n"


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
@pytest.mark.parametrize("coverage", [False, True])
def test_zeros_of_memories_are_left_to_verilator_unless_it_counts_them(tmp_path, monkeypatch, simulator, coverage):
    runners = pytest.importorskip("cocotb_tools.runner")
    handed = {}
    for kind in (runners.Verilator, runners.Icarus):
        monkeypatch.setattr(kind, "__init__", lambda _self: None)
        monkeypatch.setattr(kind, "build", lambda _self, **keys: handed.update(keys))
    monkeypatch.setattr(cocotb_build, "check_simulator", lambda _: None)
    monkeypatch.setattr(cocotb_build, "_build_with_cached_runtime", lambda call, *_: call())
    verilog = tmp_path / "top.v"
    verilog.write_text(f"module top (input clk);\n  reg m [1:0];\n{ZEROS}endmodule\n")
    cocotb_build.build(verilog, "top", tmp_path / "built", simulator, coverage=coverage)
    text, arguments = handed["sources"][-1].read_text(), handed["build_args"]
    assert text.replace(ZEROS, "") == verilog.read_text().replace(ZEROS, "")
    assert (ZEROS in text) is (coverage or simulator == "icarus")
    assert ZEROS in verilog.read_text()
    if simulator == "verilator":
        assert arguments[arguments.index("--x-initial") + 1] == "0"
