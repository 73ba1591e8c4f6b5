import gzip
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from bitjoule.gates.liberty.libraries import default_liberty

CONFIG = "lanes: 32\ncolumns: 4\nmax_k: 256\nweight_bus_bits: 128\nweight_encoding: binary1\nactivation_bits: 2\n"
PLAIN = Path(__file__).parents[2] / "gates" / "liberty" / "cases" / "plain.lib"
# The array of tests/gates/calibration/test_calibration.py: netlists are kept for both.


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "array.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.slow
def test_calibrate_writes_a_technology_that_an_experiment_can_name(bitjoule, config, tmp_path, monkeypatch):
    from bitjoule.gates.calibration import calibration

    plan = calibration.standard_plan()
    few = [pair for pair in plan.operators if pair[1] in ("int8", "int32")]
    monkeypatch.setattr(calibration, "standard_plan", lambda: calibration.replace(plan, operators=few))
    out = tmp_path / "mine.yaml"
    assert bitjoule("calibrate", config, "--stimulus", "uniform", "-o", out)[0] == 0
    assert yaml.safe_load(out.read_text())["measured"]["command"].startswith("bitjoule calibrate")
    experiment = tmp_path / "x.yaml"
    experiment.write_text(
        "name: x\naccounting: mac\nmatmuls: [{m: 1, k: 64, n: 8}]\ntechnologies: [mine.yaml, 45nm]\n"
        "schemes: [{name: b, weights: int8, activations: int8, attention: int8, rescale: int8}]\n"
    )
    assert bitjoule("run", experiment, "--out", tmp_path / "results", "--no-plots")[0] == 0
    assert "mine" in (tmp_path / "results" / "x" / "summary.csv").read_text()


@pytest.mark.parametrize(("arguments", "told"), [
    (["--liberty", "nowhere.lib"], "nowhere.lib:1: file: not found; expected a Liberty file, or freepdk45"),
    (["--stimulus", "gauss"], "gauss"),
    (["--stimulus", "gaussian:32,zeros:0.3"], "zeros"),
    (["-o", "x.txt"], "ends in .yaml"),
    (["-o", "nowhere/x.yaml"], "file: directory does not exist; expected a file in an existing directory"),
    (["nothing_like_this"], "neither a file nor a shipped configuration"),
])  # fmt: skip
def test_wrong_input_of_calibrate_is_told_with_status_2(bitjoule, config, tmp_path, arguments, told):
    out = [] if "-o" in arguments else ["-o", tmp_path / "x.yaml"]
    status, _, errors = bitjoule("calibrate", config, *arguments, *out)
    assert status == 2
    assert told in errors
    assert not list(tmp_path.glob("*x.yaml*"))


def test_an_array_is_not_written_over_by_its_prices(bitjoule, config):
    status, _, errors = bitjoule("calibrate", "tiny_8x4", config, "-o", config)
    assert (status, errors) == (2, f"{config}:1: file: is what the command reads; expected another file to write\n")
    assert config.read_text() == CONFIG
    assert [*config.parent.iterdir()] == [config]


@pytest.fixture
def asked(monkeypatch):
    """Answer in place of the calibration; return what it was asked for."""
    from bitjoule.energy_models.prices import measured as module
    from bitjoule.gates.calibration import calibration

    measured = module.read_measured(Path(module.__file__).parents[1] / "data" / "technologies" / "45nm-measured.yaml")
    made = SimpleNamespace(operations=measured.operations[:2], macs=measured.macs[:3], model_dump=measured.model_dump)
    calls = []

    def calibrate(plan, library, node_nm, command, progress, executor):  # noqa: ARG001
        calls.append((plan, node_nm, command))
        return made

    monkeypatch.setattr(calibration, "calibrate", calibrate)
    return calls


@pytest.mark.parametrize("share", ["0", "0.25", "1"])
def test_what_is_asked_for_is_what_is_measured_and_all_else_is_the_standard(bitjoule, config, asked, tmp_path, share):
    from bitjoule.gates.calibration.calibration import standard_plan

    out = tmp_path / "mine.yml"
    status, text, err = bitjoule("calibrate", config, "--zero-share", share, "-o", out)
    assert (status, text, err) == (0, f"{out}: 2 operators, 3 arrays\n", "")
    ((plan, node, command),) = asked
    standard = standard_plan()
    assert (plan.zero_share, plan.zero_share_source) == (float(share), "given on the command line")
    assert (plan.stimulus, plan.operators, plan.effort) == (standard.stimulus, standard.operators, standard.effort)
    assert [made.lanes for made in plan.configs] == [32]
    assert (node, command) == (45, f"bitjoule calibrate {config} --zero-share {share} -o {out}")
    assert out.read_text().startswith("# Written by the command below; calibrate again instead of editing.\n")
    assert "null" not in out.read_text()
    assert list(tmp_path.glob(".*")) == []


def test_a_node_that_is_stated_counts_for_a_library_that_is_known_too(bitjoule, asked, tmp_path):
    assert bitjoule("calibrate", "-o", tmp_path / "x.yaml", "--node-nm", "32", "--stimulus", "uniform")[0] == 0
    ((plan, node, _),) = asked
    assert (node, plan.stimulus, len(plan.configs) > 1) == (32.0, "uniform", True)


@pytest.mark.parametrize(("text", "told"), [
    ("", "empty"),
    ("hello", "library"),
    ("library (a) { time_unit : \"1ns\"; }", "capacitive_load_unit"),
])  # fmt: skip
def test_a_file_that_is_no_usable_library_is_told_with_status_2(bitjoule, config, tmp_path, text, told):
    (tmp_path / "cells.lib").write_text(text)
    out = tmp_path / "x.yaml"
    status, _, errors = bitjoule("calibrate", config, "--liberty", tmp_path / "cells.lib", "-o", out)
    assert status == 2
    assert told in errors
    assert errors.count("cells.lib") == errors.count("; expected ") == 1
    assert not out.exists()


def test_a_library_without_flip_flops_is_told_with_status_2(bitjoule, config, tmp_path):
    library = tmp_path / "cells.lib.gz"
    library.write_bytes(gzip.compress(default_liberty().read_bytes().replace(b"ff (", b"nothing (")))
    status, _, errors = bitjoule("calibrate", config, "--liberty", library, "-o", tmp_path / "x.yaml")
    assert status == 2
    assert "flip-flop" in errors


def first_cell(text):
    """Return a library of its first cell alone, which is read in no time."""
    _, second, *_ = (match.start() for match in re.finditer(r"(?m)^\s*cell \(", text))
    return text[:second] + "\n}\n"


def test_files_of_two_voltages_or_with_the_same_cells_are_told_with_status_2(bitjoule, config, tmp_path):
    text = first_cell(default_liberty().read_text())
    (tmp_path / "typical.lib").write_text(text)
    (tmp_path / "slow.lib").write_text(text)
    (tmp_path / "low.lib").write_text(re.sub(r"(nom_voltage\s*:) 1\.10", r"\1 0.95", text))
    for name, wrong, expected in (
        ("low.lib", "states 0.95 V, but typical.lib states 1.1 V", "leave low.lib out"),
        ("slow.lib", "cell AND2_X1 is in typical.lib too", "each cell in one file"),
    ):
        files = [tmp_path / "typical.lib", tmp_path / name]
        status, _, errors = bitjoule("calibrate", config, "--liberty", *files, "-o", tmp_path / "x.yaml")
        assert status == 2
        assert wrong in errors
        assert expected in errors.partition("; expected ")[2]
        assert not (tmp_path / "x.yaml").exists()


def test_a_library_without_a_full_adder_is_told_with_status_2_what_would_do(bitjoule, config, tmp_path):
    cells, out = PLAIN, tmp_path / "x.yaml"
    status, text, errors = bitjoule("calibrate", config, "--liberty", cells, "--node-nm", "130", "-o", out)
    assert (status, text) == (2, "")
    assert errors == (
        f"{cells}:1: file: no full adder; expected a cell of three inputs whose two outputs are their parity and their "
        "majority, plain or inverted, and no dont_use, or --without-full-adder for additions of gates, which are "
        "larger\n"
    )
    assert not out.exists()


def test_a_full_adder_that_is_not_to_be_used_is_none(bitjoule, config, tmp_path):
    text = default_liberty().read_text()
    adder = re.compile(r"(?m)^\s*cell \(FA_X1\) \{\n")
    assert len(adder.findall(text)) == 1
    (tmp_path / "cells.lib").write_text(adder.sub(lambda match: f"{match[0]} dont_use : true;\n", text))
    status, _, errors = bitjoule("calibrate", config, "--liberty", tmp_path / "cells.lib", "-o", tmp_path / "x.yaml")
    assert status == 2
    assert "no full adder" in errors


def test_additions_of_gates_are_asked_for_and_recorded(bitjoule, config, asked, tmp_path):
    words = (config, "--liberty", PLAIN, "--without-full-adder", "--node-nm", "130", "-o", tmp_path / "x.yaml")
    status, _, errors = bitjoule("calibrate", *words)
    assert status == 0
    assert "warning: made_up: no full adder, so additions are built of gates" in errors
    ((_, node, command),) = asked
    assert (node, command) == (130, shlex.join(["bitjoule", "calibrate", *map(str, words)]))


def test_a_library_without_a_full_adder_is_synthesised_with_a_warning_that_says_what_would_do(bitjoule, tmp_path):
    (tmp_path / "small.yaml").write_text("lanes: 8\ncolumns: 1\nmax_k: 8\nweight_bus_bits: 16\nactivation_bits: 1\n")
    status, out, errors = bitjoule("rtl", "synthesize", tmp_path / "small.yaml", "--liberty", PLAIN)
    assert status == 0
    assert "critical path" in out
    assert "warning: made_up: no full adder, so additions are built of gates" in errors
    assert "whose two outputs are their parity and their majority" in errors


def test_two_arrays_of_one_kind_are_refused_before_anything_is_measured(bitjoule, config, tmp_path):
    status, _, errors = bitjoule("calibrate", config, config, "-o", tmp_path / "x.yaml")
    assert status == 2
    assert "duplicate kind of array" in errors


def test_synthesize_prints_parts_that_add_up_to_the_total(bitjoule, config):
    status, out, _ = bitjoule("rtl", "synthesize", config, "--stimulus", "uniform")
    assert status == 0
    rows = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in out.splitlines() if line.strip()}
    parts = ("unpack", "select", "tree", "accumulate", "registers", "clock", "control", "input", "wires")
    total = sum(float(rows[part]) for part in parts if part in rows)
    assert total == pytest.approx(float(rows["with glitches and wires"]), rel=0.01)


@pytest.mark.slow
def test_synthesize_prints_the_spread_of_netlists_that_differ_in_names_alone(bitjoule, tmp_path):
    (tmp_path / "small.yaml").write_text("lanes: 8\ncolumns: 1\nmax_k: 64\nweight_bus_bits: 16\nactivation_bits: 4\n")
    status, out, _ = bitjoule("rtl", "synthesize", tmp_path / "small.yaml", "--stimulus", "uniform", "--netlists", "3")
    assert status == 0
    area, least, greatest = map(
        float, re.search(r"([\d.]+) um2 per MAC \(([\d.]+) to ([\d.]+) of 3 netl", out).groups()
    )
    assert least <= area <= greatest
    assert least < greatest
    nominal = float(re.search(r"with glitches and wires +([\d.]+)\n", out)[1])
    low, high = map(float, re.search(r"of 3 netlists +([\d.]+) to ([\d.]+)", out).groups())
    assert low <= nominal <= high
    assert low < high


@pytest.mark.parametrize("count", ["0", "65", "many"])
def test_a_number_of_netlists_out_of_range_is_told_with_status_2(bitjoule, config, count):
    status, _, errors = bitjoule("rtl", "synthesize", config, "--netlists", count)
    assert status == 2
    assert "expected a whole number from 1 to 64" in errors
