"""Compiles the Verilated accelerator with its C++ driver into a shared library, once for each configuration."""

import importlib.metadata
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.accelerator.generated import generated_verilog
from bitjoule.sim.bench.simulators import VERILATOR_GUARD, SimulatorError, find_compiler, verilator_root
from bitjoule.sim.processors import usable_processors

Variant = Literal["fast", "saif", "vcd"]

NATIVE = Path(__file__).parents[1] / "native"
LIBRARY = "accelerator.so"

_VERILATE = (
    *("-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-timing"),
    *VERILATOR_GUARD,
)
# Columns merged into one function run about 5 % slower, and take the C++ compiler longer.
_COLUMNS_APART = '`verilator_config\nno_inline -module "{top}.core.column0"\n'
_FAST = {"fast": ("-O2", "-march=native"), "saif": ("-O1",), "vcd": ("-O1",)}  # recording outweighs the model
_SLOW = ("-O0",)
_RUNTIME_LEVEL = ("-O1",)
_ALWAYS = ("-std=c++17", "-fPIC", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0")
_RUNTIME = {"fast": (), "saif": ("verilated_saif_c",), "vcd": ("verilated_vcd_c",)}
# Unless told, Verilator leaves out memories of more than 32 words, vectors of more than 4096 bits and names that begin
# with an underscore, without a word. These limits are above what any configuration has.
_WHOLE = ("--trace-max-array", f"{1 << 16}", "--trace-max-width", f"{1 << 20}", "--trace-underscore")
_TRACED = {"fast": (), "saif": ("--trace-saif", *_WHOLE), "vcd": ("--trace-vcd", *_WHOLE)}
_DEFINED = {
    "fast": ("-DVM_TRACE=0",),
    "saif": ("-DVM_TRACE=1", "-DVM_TRACE_SAIF=1", "-DBITJOULE_TRACE", "-DBITJOULE_SAIF"),
    "vcd": ("-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DBITJOULE_TRACE", "-DBITJOULE_VCD"),
}


def native_library(config: AcceleratorConfig, variant: Variant = "fast", verilog: str | None = None) -> Path:
    """Return the shared library of a configuration; it is compiled if the cache has none.

    Parameters
    ----------
    config
        The configuration.
    variant
        ``fast``, or one that can record: ``saif`` (toggles) or ``vcd`` (waveforms).
    verilog
        Other Verilog of the same hardware, e.g. its netlist: the top module, `TOP`, has the same ports.

    Raises
    ------
    SimulatorError
        Verilator or the C++ compiler is missing or fails; says what to install, or what it said.
    """
    root = verilator_root()
    compiler = find_compiler()
    apart = "" if verilog else _COLUMNS_APART.format(top=TOP)
    # Optimising a netlist of ten thousand cells takes longer than any check that is run on it.
    level = _SLOW if verilog else _FAST[variant]
    verilog = verilog or generated_verilog(config)
    flags = (*_ALWAYS, *_DEFINED[variant], *_numbers(config))
    identity = (importlib.metadata.version("verilator"), compiler, _identity(compiler))
    sources = (path.read_bytes() for path in sorted(NATIVE.iterdir()) if path.suffix in {".cpp", ".h"})
    key = content_hash(
        verilog,
        *sources,
        apart,
        *identity,
        *_VERILATE,
        *_TRACED[variant],
        *level,
        *_SLOW,
        *flags,
    )
    runtime_key = content_hash(variant, *identity, *_ALWAYS, *_DEFINED[variant], *_RUNTIME_LEVEL)

    def build_runtime(folder: Path) -> None:
        include = root / "include"
        names = ("verilated", "verilated_threads", *_RUNTIME[variant])
        compile_with = (*_ALWAYS, *_DEFINED[variant], *_includes(root), *_RUNTIME_LEVEL)
        _compile_all(compiler, [(include / f"{name}.cpp", compile_with) for name in names], folder)

    def build(folder: Path) -> None:
        runtime = cached(f"runtime-{runtime_key}", build_runtime)
        _build(folder, root, compiler, _Sources(verilog, apart, level), variant, flags, runtime)

    return cached(f"{variant}-{key}", build) / LIBRARY


class _Sources(NamedTuple):
    verilog: str
    directives: str
    level: tuple[str, ...]


def _build(
    folder: Path, root: Path, compiler: str, inputs: _Sources, variant: Variant, flags: tuple[str, ...], runtime: Path
) -> None:
    work = folder / "work"
    work.mkdir()
    (work / "accelerator.v").write_text(inputs.verilog, encoding="utf-8")
    (work / "apart.vlt").write_text(inputs.directives or "`verilator_config\n", encoding="utf-8")
    _call(
        [
            str(root / "bin" / "verilator_bin"), "--cc", "apart.vlt", "accelerator.v", "--top-module", TOP,
            "--Mdir", ".", "--prefix", "Vmodel", *_VERILATE, *_TRACED[variant],
        ],
        work, "Verilator", {"VERILATOR_ROOT": str(root)},
    )  # fmt: skip
    flags = (*flags, *_includes(root), "-I.", f"-I{NATIVE}")
    sources = sorted(work.glob("*.cpp"), key=lambda path: -path.stat().st_size)
    jobs = [(path, (*flags, *inputs.level)) for path in sorted(NATIVE.glob("*.cpp"))]
    jobs += [(path, (*flags, *(_SLOW if path.stem.endswith("Slow") else inputs.level))) for path in sources]
    _compile_all(compiler, jobs, work)
    objects = [*sorted(work.glob("*.o")), *sorted(runtime.glob("*.o"))]
    _call([compiler, "-shared", "-o", f"../{LIBRARY}", *map(str, objects), "-pthread"], work, "the C++ compiler")
    shutil.rmtree(work)


def _compile_all(compiler: str, jobs: list[tuple[Path, tuple[str, ...]]], folder: Path) -> None:
    def compile_source(job: tuple[Path, tuple[str, ...]]) -> None:
        source, flags = job
        _call([compiler, *flags, "-c", str(source), "-o", f"{source.stem}.o"], folder, "the C++ compiler")

    with ThreadPoolExecutor(usable_processors()) as pool:
        for _ in pool.map(compile_source, jobs):
            pass


def _includes(root: Path) -> tuple[str, ...]:
    return (f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}")


def _numbers(config: AcceleratorConfig) -> tuple[str, ...]:
    numbers = {
        "LANES": config.lanes,
        "COLUMNS": config.columns,
        "TOKENS": config.tokens,
        "TILE_BEATS": config.tile_beats,
        "WEIGHT_BYTES": config.weight_bus_bits // 8,
        "ACTIVATION_BYTES": config.activation_bus_bits // 8,
        "RESULT_BYTES": config.result_bits // 8,
        "CODE_TRITS": config.encoding.trits,
        "CODE_BITS": config.encoding.bits,
    }
    return tuple(f"-DBITJOULE_{name}={value}" for name, value in numbers.items())


def compiled(source: Path) -> Path:
    """Return the shared library of one C++ file that needs no other; it is compiled if the cache has none.

    Parameters
    ----------
    source
        The file.

    Raises
    ------
    SimulatorError
        The C++ compiler is missing or fails.
    """
    compiler = find_compiler()
    flags = ("-std=c++17", "-fPIC", "-shared", *_FAST["fast"])
    library = f"{source.stem}.so"

    def build(folder: Path) -> None:
        _call([compiler, *flags, str(source.resolve()), "-o", library], folder, "the C++ compiler")

    key = content_hash(source.read_bytes(), compiler, _identity(compiler), *flags)
    return cached(f"{source.stem}-{key}", build) / library


def compiler_version() -> str:
    """Return what the C++ compiler calls itself.

    Raises
    ------
    SimulatorError
        There is none.
    """
    return _call([find_compiler(), "--version"], Path.cwd(), "the C++ compiler").partition("\n")[0]


def _identity(compiler: str) -> str:
    """Return all macros the compiler predefines: its version, and the instructions that `-march=native` means here."""
    return _call([compiler, *_FAST["fast"], "-dM", "-E", "-x", "c++", os.devnull], Path.cwd(), "the C++ compiler")


def _call(command: list[str], folder: Path, who: str, environment: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | (environment or {}), capture_output=True, text=True,
            errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise SimulatorError(f"{who} cannot be started: {error}") from None
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).splitlines()[-25:])
        raise SimulatorError(f"{who} failed ({' '.join(command[:2])} ...):\n{tail}")
    return done.stdout
