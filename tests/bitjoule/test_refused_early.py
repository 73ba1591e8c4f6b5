"""What configuration, names, paths and libraries decide is said in seconds, before any netlist is made or measured."""

from pathlib import Path

import pytest

from bitjoule.gates.calibration import calibration, measurement, operators

CASES = Path(__file__).parents[1] / "gates" / "liberty" / "cases"
EXPERIMENT = "name: x\ngates:\n  libraries: [{library}]\n  arrays: [tiny_8x4]\n  stimuli: [uniform]\n"
NO_FLIP_FLOP = (
    "no usable flip-flop; expected a cell with ff (...), a data pin, a rising clock, no other input except resets and "
    "presets that can be tied off, and no dont_use"
)


@pytest.fixture(autouse=True)
def _nothing_is_made(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("a netlist was asked for")

    for module in (measurement, operators):
        monkeypatch.setattr(module, "stored_netlist", refuse)
    monkeypatch.setattr(calibration, "measure_operator", refuse)


def test_calibrate_refuses_an_array_whose_size_alone_decides(bitjoule, tmp_path):
    status, _, errors = bitjoule("calibrate", "tiny_8x4", "--node-nm", "130", "-o", tmp_path / "x.yaml")
    assert status == 2
    assert errors == (
        "tiny_8x4:1: file: arrays up to 8 lanes x 4 columns cannot separate the energy per column "
        "from the rest; expected at least 16 lanes and 2 columns\n"
    )
    assert not list(tmp_path.iterdir())


def test_synthesize_refuses_a_folder_as_its_output(bitjoule, tmp_path):
    status, _, errors = bitjoule("rtl", "synthesize", "tiny_8x4", "-o", tmp_path)
    assert status == 2
    assert errors == f"{tmp_path}:1: file: is a directory; expected a file\n"


@pytest.mark.parametrize("command", [("rtl", "synthesize"), ("rtl", "generate"), ("calibrate", "-o", "x.yaml")])
def test_an_empty_name_of_an_array_is_refused_as_one(bitjoule, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    status, _, errors = bitjoule(*command, "")
    assert status == 2
    assert errors.startswith("'':1: file: is neither a file nor a shipped configuration; expected one of binary_64x16")
    assert not list(tmp_path.iterdir())


def test_an_empty_name_of_a_library_is_refused_as_one(bitjoule):
    status, _, errors = bitjoule("rtl", "synthesize", "tiny_8x4", "--liberty", "")
    assert status == 2
    assert errors.startswith("'':1: file: ")


def test_synthesize_refuses_operands_before_it_makes_a_netlist(bitjoule):
    status, _, errors = bitjoule("rtl", "synthesize", "tiny_8x4", "--stimulus", "uniform", "--stimulus", "unifrom")
    assert status == 2
    assert errors == (
        "--stimulus:1: file: stimulus 'unifrom': unknown operands 'unifrom'; expected "
        "gaussian:SIGMA, uniform, worst or model:NAME|PATH\n"
    )


@pytest.mark.parametrize("command", ["check", "run"])
def test_check_refuses_the_library_that_run_refuses(bitjoule, tmp_path, command):
    library, experiment = tmp_path / "cells.lib", tmp_path / "x.yaml"
    text = (CASES / "plain.lib").read_text()
    library.write_text(text.replace('ff (IQ, IQN) { next_state : "D"; clocked_on : "CK";  }', ""))
    experiment.write_text(EXPERIMENT.format(library="cells.lib"))
    more = ("--out", tmp_path / "out") if command == "run" else ()
    status, _, errors = bitjoule(command, experiment, *more)
    assert status == 2
    assert errors == f"{experiment}:3: gates.libraries[0]: {library}: {NO_FLIP_FLOP}\n"
    assert not (tmp_path / "out").exists()


def test_check_accepts_a_library_whose_flip_flops_have_resets_alone(bitjoule, tmp_path):
    experiment = tmp_path / "x.yaml"
    experiment.write_text(EXPERIMENT.format(library=CASES / "reset_only.lib"))
    status, out, errors = bitjoule("check", experiment)
    assert (status, out, errors) == (0, f"{experiment}: ok, 1 simulation of netlists\n", "")
