"""Compiles Verilated hardware with its C++ driver into a shared library, once for each configuration."""

import importlib.metadata
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.bitlinear import input_bits
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.rtl.linear.verilog import LINEAR_TOP
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.accelerator.columns.code import columns_code
from bitjoule.sim.accelerator.columns.split import COLUMN, Split, split_columns
from bitjoule.sim.accelerator.generated import generated_verilog
from bitjoule.sim.bench import initial_words
from bitjoule.sim.bench.initial_words import ZERO_INITIAL, without_zero_words
from bitjoule.sim.bench.simulators import VERILATOR_GUARD, SimulatorError, find_compiler, verilator_root
from bitjoule.sim.processors import usable_processors

Variant = Literal["fast", "saif", "vcd"]

NATIVE = Path(__file__).parents[1] / "native"
LIBRARY = "accelerator.so"
# What is made of the Verilog, and how it is compiled: a change of these files makes every build anew.
_RULES = (
    *(Path(__file__).parent / "columns" / f"{name}.py" for name in ("split", "code")),
    Path(initial_words.__file__),
    Path(__file__),
)

_VERILATE = (
    *("-Wno-fatal", "-Wno-lint", "-O3", "--x-assign", "fast", *ZERO_INITIAL, "--no-timing"),
    *VERILATOR_GUARD,
)
# Of at least so many columns the words are computed side by side, up to so many in a vector.
_LEAST_SIDE, _MOST_SIDE = 4, 16
# Where they are not: columns merged into one function run about 5 % slower, and take the C++ compiler longer.
_COLUMNS_APART = '`verilator_config\nno_inline -module "{core}.column0"\n'
_FAST = {"fast": ("-O2", "-march=native"), "saif": ("-O1",), "vcd": ("-O1",)}  # recording outweighs the model
_SLOW = ("-O0",)
_RUNTIME_LEVEL = ("-O1",)
_ALWAYS = ("-std=c++17", "-fPIC", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0")
_RUNTIME = {"fast": (), "saif": ("verilated_saif_c",), "vcd": ("verilated_vcd_c",)}
# Unless told, Verilator leaves out memories of more than 32 words, vectors of more than 4096 bits and names that begin
# with an underscore, without a word. These limits are above what any configuration has.
_WHOLE = ("--trace-max-array", f"{1 << 16}", "--trace-max-width", f"{1 << 20}", "--trace-underscore")
_TRACED = {"fast": (), "saif": ("--trace-saif", *_WHOLE), "vcd": ("--trace-vcd", *_WHOLE)}
# A BitLinear's memories hold whole tokens: millions of bits, whose words cross its nets as they are written and read.
_NO_MEMORIES = ("--trace-max-array", "32")
_DEFINED = {
    "fast": ("-DVM_TRACE=0",),
    "saif": ("-DVM_TRACE=1", "-DVM_TRACE_SAIF=1", "-DBITJOULE_TRACE", "-DBITJOULE_SAIF"),
    "vcd": ("-DVM_TRACE=1", "-DVM_TRACE_VCD=1", "-DBITJOULE_TRACE", "-DBITJOULE_VCD"),
}


def native_library(
    config: AcceleratorConfig | LinearConfig, variant: Variant = "fast", verilog: str | None = None
) -> Path:
    """Return the shared library of a configuration; it is compiled if the cache has none.

    Parameters
    ----------
    config
        The configuration: of an array, or of a whole BitLinear.
    variant
        ``fast``, or one that can record: ``saif`` (toggles) or ``vcd`` (waveforms).
    verilog
        Other Verilog of the same hardware, e.g. its netlist: the top module has the same name and ports.

    Raises
    ------
    SimulatorError
        Verilator or the C++ compiler is missing or fails; says what to install, or what it said.
    """
    root = verilator_root()
    compiler = find_compiler()
    place = _place(config)
    apart = "" if verilog else _COLUMNS_APART.format(core=place.core)
    # Optimising a netlist of ten thousand cells takes longer than any check that is run on it.
    level = _SLOW if verilog else _FAST[variant]
    # A recording has every net of every column, as the whole text does.
    side = _side(place.array) if variant == "fast" and not verilog else 0
    traced = (*_TRACED[variant], *(_NO_MEMORIES if isinstance(config, LinearConfig) and variant != "fast" else ()))
    verilog = verilog or generated_verilog(config)
    flags = (*_ALWAYS, *_DEFINED[variant], *_numbers(config))
    identity = (importlib.metadata.version("verilator"), compiler, _identity(compiler))
    files = [path for path in sorted(NATIVE.iterdir()) if path.suffix in {".cpp", ".h"}]
    sources = (path.read_bytes() for path in (*files, *_RULES))
    key = content_hash(
        verilog,
        *sources,
        apart,
        str(side),
        *identity,
        *_VERILATE,
        *traced,
        *level,
        *_SLOW,
        *flags,
    )
    build_rules = Path(__file__).read_bytes()
    runtime_key = content_hash(variant, build_rules, *identity, *_ALWAYS, *_DEFINED[variant], *_RUNTIME_LEVEL)

    def build_runtime(folder: Path) -> None:
        include = root / "include"
        names = ("verilated", "verilated_threads", *_RUNTIME[variant])
        compile_with = (*_ALWAYS, *_DEFINED[variant], *_includes(root), *_RUNTIME_LEVEL)
        _compile_all(compiler, [(include / f"{name}.cpp", compile_with) for name in names], folder)

    def build(folder: Path) -> None:
        runtime = cached(f"runtime-{runtime_key}", build_runtime)
        _build(folder, root, compiler, _Sources(verilog, apart, level, side, place, traced), flags, runtime)

    return cached(f"{variant}-{key}", build) / LIBRARY


class _Place(NamedTuple):
    """The top module, the module that has the array's columns, the array, and the driver of the streams."""

    top: str
    core: str
    array: AcceleratorConfig
    driver: str


def _place(config: AcceleratorConfig | LinearConfig) -> _Place:
    if isinstance(config, LinearConfig):
        return _Place(LINEAR_TOP, f"{LINEAR_TOP}.core.array", config.array, "linear_driver.cpp")
    return _Place(TOP, f"{TOP}.core", config, "driver.cpp")


class _Sources(NamedTuple):
    verilog: str
    directives: str
    level: tuple[str, ...]
    side: int
    place: _Place
    traced: tuple[str, ...]


def _build(folder: Path, root: Path, compiler: str, inputs: _Sources, flags: tuple[str, ...], runtime: Path) -> None:
    work = folder / "work"
    work.mkdir()
    verilog = without_zero_words(inputs.verilog)
    split = split_columns(verilog, inputs.place.core, inputs.side) if inputs.side else None
    code = _columns(work / COLUMN, root, split, inputs.side) if split else None
    if split and code:
        verilog = split.rest
        (work / "columns.cpp").write_text(code, encoding="utf-8")
        flags = (*flags, f"-DBITJOULE_SIDE={inputs.side}")
    (work / "accelerator.v").write_text(verilog, encoding="utf-8")
    (work / "apart.vlt").write_text((not code and inputs.directives) or "`verilator_config\n", encoding="utf-8")
    _verilate(root, work, ("apart.vlt", "accelerator.v"), inputs.place.top, "Vmodel", inputs.traced)
    flags = (*flags, *_includes(root), "-I.", f"-I{NATIVE}")
    sources = sorted(work.glob("*.cpp"), key=lambda path: -path.stat().st_size)
    jobs = [(NATIVE / name, (*flags, *inputs.level)) for name in (inputs.place.driver, "packer.cpp")]
    jobs += [(path, (*flags, *(_SLOW if path.stem.endswith("Slow") else inputs.level))) for path in sources]
    _compile_all(compiler, jobs, work)
    objects = [*sorted(work.glob("*.o")), *sorted(runtime.glob("*.o"))]
    _call([compiler, "-shared", "-o", f"../{LIBRARY}", *map(str, objects), "-pthread"], work, "the C++ compiler")
    shutil.rmtree(work)


def _columns(folder: Path, root: Path, split: Split, side: int) -> str | None:
    """Return the C++ of all columns at once, if there is one; made in a new folder."""
    folder.mkdir()
    (folder / "column.v").write_text(split.column, encoding="utf-8")
    _verilate(root, folder, ("column.v",), COLUMN, "Vcolumn")
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("Vcolumn___024root__[0-9].cpp")))
    header = (folder / "Vcolumn___024root.h").read_text(encoding="utf-8")
    return columns_code(split, sources, header, side)


def _side(config: AcceleratorConfig) -> int:
    """Return how many columns a vector holds; 0 if none is made.

    Columns that only add have what `columns_code` takes; those of other kinds have conditions, or parities.
    """
    adds = config.datapath == "carry_save" and not (config.multiplies or config.scaled)
    if not adds or config.columns < _LEAST_SIDE:
        return 0
    return min(1 << (config.columns - 1).bit_length(), _MOST_SIDE)


def _verilate(
    root: Path, folder: Path, sources: tuple[str, ...], top: str, prefix: str, options: tuple[str, ...] = ()
) -> None:
    _call(
        [
            str(root / "bin" / "verilator_bin"), "--cc", *sources, "--top-module", top,
            "--Mdir", ".", "--prefix", prefix, *_VERILATE, *options,
        ],
        folder, "Verilator", {"VERILATOR_ROOT": str(root)},
    )  # fmt: skip


def _compile_all(compiler: str, jobs: list[tuple[Path, tuple[str, ...]]], folder: Path) -> None:
    def compile_source(job: tuple[Path, tuple[str, ...]]) -> None:
        source, flags = job
        _call([compiler, *flags, "-c", str(source), "-o", f"{source.stem}.o"], folder, "the C++ compiler")

    with ThreadPoolExecutor(usable_processors()) as pool:
        for _ in pool.map(compile_source, jobs):
            pass


def _includes(root: Path) -> tuple[str, ...]:
    return (f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}")


def _numbers(config: AcceleratorConfig | LinearConfig) -> tuple[str, ...]:
    array = _place(config).array
    numbers = {
        "LANES": array.lanes,
        "COLUMNS": array.columns,
        "TOKENS": array.tokens,
        "TILE_BEATS": array.tile_beats,
        "WEIGHT_BYTES": array.weight_bus_bits // 8,
        "ACTIVATION_BYTES": array.activation_bus_bits // 8,
        "RESULT_BYTES": array.result_bits // 8,
        "CODE_TRITS": array.encoding.trits,
        "CODE_BITS": array.encoding.bits,
    }
    if isinstance(config, LinearConfig):
        numbers |= {
            "VALUE_LANES": config.lanes,
            "VALUE_BYTES": config.bus_bits // 8,
            "COMMAND_BYTES": input_bits(config)["command"] // 8,
            **({"NORMED": 1} if config.normed else {}),
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

    key = content_hash(source.read_bytes(), Path(__file__).read_bytes(), compiler, _identity(compiler), *flags)
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
