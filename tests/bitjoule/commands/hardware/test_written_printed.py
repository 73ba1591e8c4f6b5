"""What `rtl testbench` and `rtl platform` print and write down, and what others take where nothing is asked for."""

import importlib.metadata
import json
from pathlib import Path

import pytest
import yaml

from bitjoule.gates.calibration import measurement
from tests.bitjoule.commands.hardware import test_place_printed, test_synthesize_printed
from tests.bitjoule.commands.hardware.printed import ARRAY, rows_of

placed, synthesis = test_place_printed.placed, test_synthesize_printed.synthesis
FLOATS = "lanes: 8\ncolumns: 4\nmax_k: 1024\nweight_bus_bits: 64\nweight_encoding: fp16\n"
INTEGERS = ARRAY + "weight_encoding: int8\n"


@pytest.mark.parametrize("seed", [0, 9])
def test_a_testbench_says_how_many_matmuls_it_sends_and_with_which_seed_and_packages(bitjoule, config, seed):
    """Its parameters say how many commands it sends; those of one case are several."""
    options = ("--cases", 3, "--seed", seed, "--matmul", "2x32x5", "--matmul", "1x8x3", "-o", "bench")
    status, out, err = bitjoule("rtl", "testbench", config, *options)
    assert (status, err) == (0, "")
    parameters = dict(line.rstrip(";").split()[1::2] for line in Path("bench/parameters.vh").read_text().splitlines())
    commands = int(parameters["COMMANDS"])
    assert out == f"bench: {commands} matmuls; run make in it, its README.md says how\n"
    manifest = json.loads(Path("bench/manifest.json").read_text())
    assert len(manifest["matmuls"]) == commands
    at = manifest["matmuls"].index([2, 32, 5])
    assert manifest["matmuls"][at + 1] == [1, 8, 3]
    assert manifest["seed"] == seed
    packages = ("amaranth", "bitjoule", "numpy")
    assert manifest["versions"] == {name: importlib.metadata.version(name) for name in packages}
    assert len(set(manifest["versions"].values())) == len(packages)


@pytest.mark.parametrize(("given", "name"), [([], "mine-platform.yaml"), (["-o", "other.yml"], "other.yml")])
def test_a_platform_says_its_file_and_its_array(bitjoule, config, given, name):
    status, out, err = bitjoule("rtl", "platform", config, *given)
    assert (status, err) == (0, "")
    assert out == f"{name}: 8 lanes x 2 columns, ternary2\n"
    array = yaml.safe_load(Path(name).read_text())["arrays"]["accelerator"]
    assert (array["lanes"], array["columns"]) == (8, 2)
    assert {path.name for path in Path().iterdir()} == {"mine.yaml", name}


@pytest.mark.parametrize("datapath", [[], ["--datapath", "carry_chain"]])
def test_products_are_placed_as_they_are_whatever_datapath_of_trits_is_asked_for(bitjoule, placed, config, datapath):
    config.write_text(INTEGERS)
    status, out, err = bitjoule("rtl", "place", config, "--device", "ice40-hx8k", *datapath)
    assert (status, err) == (0, "")
    assert placed["seeds"] == [1]
    rows = rows_of(out)
    assert rows["configuration"].startswith("mine: 8 x 2, int8, ")
    assert "carry_chain" not in rows["configuration"]
    assert rows["at Fmax"] == "0.5 GMACs/s at most"  # 16 in each of 31.25 million cycles


def test_a_placement_of_one_seed_says_so_in_its_platform(bitjoule, placed, config):
    assert bitjoule("rtl", "place", config, "--device", "ice40-hx8k", "-o", "out")[0] == 0
    assert placed["seeds"] == [1]
    platform = yaml.safe_load(Path("out/platform.yaml").read_text())
    assert {node["clock_mhz"] for node in platform["nodes"].values()} == {31.25}
    assert ", one seed; at every node" in platform["sources"]["nodes.7nm.clock_mhz"]


def test_each_seed_is_told_on_a_terminal_as_it_ends(bitjoule, placed, config, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    err = bitjoule("rtl", "place", config, "--device", "ice40-hx8k", "--seeds", 3)[2]
    assert placed["seeds"] == [1, 2, 3]
    assert err == "seed 1: 31.2 MHz\nseed 2: 10.5 MHz\nseed 3: 20.1 MHz\n"


@pytest.mark.parametrize(
    ("text", "operands"), [(ARRAY, "gaussian:32"), (INTEGERS, "gaussian:32"), (FLOATS, "gaussian:1")]
)
def test_operands_that_nobody_asks_for_are_those_of_the_arrays_formats(
    bitjoule, synthesis, config, monkeypatch, text, operands
):
    def measure(_config, _library, stimulus):
        synthesis.asked.append(stimulus)
        return test_synthesize_printed.measured(0, stimulus, 0)

    monkeypatch.setattr(measurement, "measure", measure)
    config.write_text(text)
    status, out, _ = bitjoule("rtl", "synthesize", config)
    assert (status, synthesis.asked) == (0, [operands])
    assert out.split("\n\n")[1].splitlines()[0].split() == ["fJ", "per", "MAC", operands]


def test_wires_resist_beside_the_nets_of_the_clock(bitjoule, synthesis, config, monkeypatch):
    """The nets of the clock's tree are left out: what they are is asked of the whole netlist, from its clock on."""
    asked = []
    monkeypatch.setattr("bitjoule.gates.power.activity.clock_tree", lambda _, nets: asked.append(nets) or ["a", "b"])
    monkeypatch.setattr(
        "bitjoule.gates.synthesis.flow.resistance_ns", lambda *arguments: asked.append(arguments[2]) or 0.0321
    )
    synthesis.library.ohm_per_um = lambda area_um2: (area_um2 / 411.5, "of that area")
    assert bitjoule("rtl", "synthesize", config)[0] == 0
    assert asked == [{1}, {"a", "b"}]
