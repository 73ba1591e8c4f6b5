"""What `rtl synthesize` prints and writes, of a result that stands in place of a run.

No two of its numbers are equal; the texts are written out by hand from them.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitjoule.gates.calibration import measurement
from bitjoule.gates.liberty import libraries, requirements
from tests.bitjoule.commands.hardware.printed import rows_of

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
        (["-o", "mine.yaml"], "mine.yaml:1: file: is what the command reads; expected another file to write"),
    ],
)
def test_synthesize_refuses_before_it_measures(bitjoule, synthesis, config, options, expected):
    before = config.read_text()
    status, out, err = bitjoule("rtl", "synthesize", config, *options)
    assert (status, out, synthesis.asked) == (2, "", [])
    assert expected in err
    assert [path.name for path in config.parent.iterdir()] == ["mine.yaml"]
    assert config.read_text() == before


@pytest.mark.usefixtures("synthesis")
def test_a_netlist_is_written_whole_or_not_at_all(bitjoule, config, monkeypatch):
    """Of a disk that is full the old netlist stays."""
    netlist = Path("mapped.v")
    assert bitjoule("rtl", "synthesize", config, "-o", netlist)[0] == 0
    assert netlist.read_text() == "module mapped; endmodule\n"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    netlist.write_text("an older one\n")
    status, _, err = bitjoule("rtl", "synthesize", config, "-o", netlist)
    assert status == 2
    assert err.endswith("mapped.v:1: file: cannot be written (No space left on device); expected a writable path\n")
    assert netlist.read_text() == "an older one\n"
    assert sorted(path.name for path in Path().iterdir()) == ["mapped.v", "mine.yaml"]
