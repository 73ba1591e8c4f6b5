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
