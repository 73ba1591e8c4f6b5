"""Builds and runs the accelerator's Verilog in Verilator or Icarus, under cocotb."""

import contextlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.bench.initial_words import ZERO_INITIAL, without_zero_words
from bitjoule.sim.bench.simulators import (
    VERILATOR_GUARD,
    SimulatorError,
    check_simulator,
    find_compiler,
    verilator_root,
)

# Only the ports are visible from outside: with every signal so, Verilator may optimise nothing away.
_VISIBLE = """\
`verilator_config
public_flat_rw -module "{top}" -var "clk"
public_flat_rw -module "{top}" -var "rst"
public_flat_rw -module "{top}" -var "aclk"
public_flat_rw -module "{top}" -var "aresetn"
public_flat_rw -module "{top}" -var "s_axi_*"
public_flat_rw -module "{top}" -var "s_axis_*"
public_flat_rw -module "{top}" -var "m_axis_*"
"""


@contextlib.contextmanager
def verilator_environment(optimise: str = "-O1") -> Iterator[None]:
    """Let Verilator find its own files, and its makefile work with any compiler.

    Parameters
    ----------
    optimise
        The C++ compiler's level.
    """
    root = verilator_root()
    python = sys.executable.replace(" ", "\\ ")  # the package's makefile asks for `python`, which not all systems have
    changed = {
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        "VERILATOR_ROOT": str(root),
        # The package's makefile was configured without flags for precompiled headers.
        # cocotb starts make itself, so that Verilator's own option for make's variables would change nothing.
        "MAKEFLAGS": f"CFG_CXXFLAGS_PCH_I=-include CFG_GCH_IF_CLANG= PYTHON3={python} OPT_FAST={optimise}",
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
        if not coverage:  # which counts every statement
            sources = [visible, _shortened(verilog, folder)]
        arguments = ["-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "0", *ZERO_INITIAL, "--no-timing"]
        arguments += VERILATOR_GUARD
        arguments += ["--coverage-line", "--coverage-toggle", "--coverage-underscore"] if coverage else []
        runner: Any = PortsOnly()
    else:
        arguments = ["-g2012"]
        runner = runners.Icarus()
    log = folder / "build.log"

    def call_runner() -> None:
        runner.build(
            sources=sources, hdl_toplevel=top, build_dir=folder, build_args=arguments, always=True,
            waves=waves, timescale=("1ns", "1ps"), log_file=log,
        )  # fmt: skip

    try:
        if simulator == "verilator":
            with verilator_environment(optimise):
                _build_with_cached_runtime(call_runner, folder, waves, coverage)
        else:
            call_runner()
    except (SystemExit, subprocess.CalledProcessError, RuntimeError) as error:
        raise SimulatorError(f"{simulator} did not build {verilog.name}: {error}\n{_tail(log)}") from None
    return runner


def _shortened(verilog: Path, folder: Path) -> Path:
    """Return a file without statements for each word of zeros: the same one if it has none."""
    text = verilog.read_text(encoding="utf-8")
    short = without_zero_words(text)
    if short == text:
        return verilog
    path = folder / f"{verilog.stem}_short.v"
    path.write_text(short, encoding="utf-8")
    return path


def _build_with_cached_runtime(call_runner: Callable[[], None], folder: Path, waves: bool, coverage: bool) -> None:
    """Build, with Verilator's runtime from the cache: it takes longer to compile than a small accelerator."""
    version = subprocess.run([find_compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    key = content_hash(importlib.metadata.version("verilator"), find_compiler(), version, f"{waves} {coverage}")
    built = False

    def compile_runtime(runtime_folder: Path) -> None:
        nonlocal built
        call_runner()
        built = True
        for file in folder.glob("verilated*.o"):
            shutil.copy(file, runtime_folder)

    objects: list[Path] = []
    with contextlib.suppress(SimulatorError):  # a cache that cannot be written costs time, no more
        objects = sorted(cached(f"cocotb-runtime-{key}", compile_runtime).glob("*.o"))
    if not built:
        later = time.time() + 3600  # else make compiles it again
        for file in objects:
            os.utime(shutil.copy(file, folder), (later, later))
        call_runner()


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
