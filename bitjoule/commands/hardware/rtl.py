"""``bitjoule rtl generate`` and ``verify``: the accelerator as Verilog, and its verification in a simulator."""

import argparse
import contextlib
import math
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.commands.files import check_not_read, write_whole
from bitjoule.commands.hardware.rtl_files import ENDINGS, files_of
from bitjoule.commands.hardware.rtl_options import (
    add_configuration,
    configuration_name,
    count,
    fitting,
    matmul,
    seed,
)
from bitjoule.commands.hardware.rtl_place import add_place
from bitjoule.commands.hardware.rtl_platform import add_platform
from bitjoule.commands.hardware.rtl_simulate import add_simulate
from bitjoule.commands.hardware.rtl_synthesize import add_synthesize
from bitjoule.commands.hardware.rtl_testbench import add_testbench
from bitjoule.commands.options import add_scheduler, folder
from bitjoule.energy_models.inputs.errors import InputError, Problem, whole_file
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.sim.bench.simulators import check_simulator, needs_packages

if TYPE_CHECKING:
    from bitjoule.rtl.config import AcceleratorConfig
    from bitjoule.rtl.linear.config import LinearConfig
    from bitjoule.sim.bench.cases import Case
    from bitjoule.sim.bench.verification import VerificationReport

OK, FAILURE = 0, 1
LARGEST_CYCLES = 2_000_000  # of one matmul at full rate: about a minute of simulation


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl`` and its subcommands.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    rtl = commands.add_parser(
        "rtl", help="generate, verify, simulate or synthesise the accelerator",
        description="Generate the accelerator as Verilog, verify it, run models on it, or synthesise it.",
    )  # fmt: skip
    subcommands = rtl.add_subparsers(title="commands", required=True, metavar="COMMAND")

    generate = subcommands.add_parser(
        "generate", help="write the accelerator as Verilog",
        description="Write the accelerator as Verilog, and a JSON file of the same name that describes its ports, "
        "packing and parameters. Print what the array computes per cycle, and for matmuls of one token and of as many "
        "as its accumulators hold: the share of the array that is used, and what the streams must bring for it. K and "
        "N fill many whole tiles; results are those of K up to the lanes.",
    )  # fmt: skip
    add_configuration(generate)
    generate.add_argument(
        "-o", "--output", metavar="FILE.v",
        help="file to write (default: name of the configuration, in the current directory)",
    )  # fmt: skip
    generate.add_argument(
        "--clock-mhz", type=_clock_mhz, default=1000.0, metavar="MHZ",
        help="clock for which the rates of the streams are printed (default: %(default)g)",
    )  # fmt: skip
    generate.add_argument(
        "--wrapper", choices=tuple(ENDINGS), default="none",
        help="what is put around the streams: nothing, or AXI4-Lite registers for the commands; then a C header and a "
        "Vivado script are written as well (default: %(default)s)",
    )  # fmt: skip
    generate.set_defaults(command=_generate)

    verify = subcommands.add_parser(
        "verify",
        help="compare the accelerator with NumPy in a simulator",
        description="Run directed corner cases and random matmuls in a simulator, and compare every result and cycle "
        "count with NumPy and the cycle model. The exit status is 1 on a mismatch.",
    )
    add_configuration(verify)
    verify.add_argument(
        "--cases",
        type=count,
        default=100,
        metavar="N",
        help="number of random matmuls in addition to the corner cases (default: %(default)s)",
    )
    verify.add_argument(
        "--seed", type=seed, default=0, metavar="S", help="seed of the random cases (default: %(default)s)"
    )
    verify.add_argument(
        "--matmul", type=matmul, action="append", default=[], metavar="MxKxN",
        help="additional matmul to run; may be repeated",
    )  # fmt: skip
    verify.add_argument(
        "--simulator", choices=("verilator", "icarus"), default="verilator", help="simulator (default: %(default)s)"
    )
    verify.add_argument("--verilog", metavar="FILE.v", help="verify this Verilog file instead of the generated text")
    verify.add_argument("--waves", action="store_true", help="write a waveform even if there is no mismatch")
    verify.add_argument(
        "--out",
        type=folder,
        default=Path("results"),
        metavar="DIR",
        help="directory for waveforms (default: %(default)s)",
    )
    add_scheduler(verify)
    verify.set_defaults(command=_verify)
    add_testbench(subcommands)
    add_simulate(subcommands)
    add_synthesize(subcommands)
    add_platform(subcommands)
    add_place(subcommands)


def _clock_mhz(text: str) -> float:
    try:
        clock = float(text)
    except ValueError:
        clock = math.nan
    if not 0 < clock < math.inf:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a number of MHz above 0")
    return clock


def _generate(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.sim.accelerator.configurations import read_design

    needs_packages("amaranth")
    config = read_design(options.configuration)
    name = configuration_name(options.configuration)
    target = Path(options.output) if options.output is not None else Path(f"{name}.v")
    description_file = target.with_suffix(".json") if target.name else target
    taken = {target.with_suffix(ending) for ending in ENDINGS[options.wrapper]} if target.name else set()
    if target.is_dir() or not target.name or target in taken:
        raise whole_file(str(target), "is not a file name for Verilog", "a file name such as accelerator.v")
    if not target.parent.is_dir():
        raise whole_file(str(target.parent), "is not a directory", "an existing directory for the Verilog file")

    for written in (target, description_file):
        check_not_read(written, Path(options.configuration))

    from bitjoule.rtl.linear.config import LinearConfig

    linear = config if isinstance(config, LinearConfig) else None
    array = config.array if isinstance(config, LinearConfig) else config
    for file, text in files_of(config, options.configuration, target, options.wrapper).items():
        write_whole(file, text)
    size = f"{array.lanes} lanes x {array.columns} columns, {array.weight_encoding}{_linear_text(linear)}"
    registers = "" if options.wrapper == "none" else ", AXI4-Lite registers"
    print(f"{target}: {size}{registers}; described by {description_file}")
    print(_rates(array, options.clock_mhz))
    return OK


def _linear_text(linear: "LinearConfig | None") -> str:
    return f"; whole BitLinear, {linear.in_words}" if linear else ""


def _rates(config: "AcceleratorConfig", clock_mhz: float) -> str:
    """Return a table of what the array computes in a cycle, and what its streams must bring for that."""
    from tabulate import tabulate

    from bitjoule.sim.accelerator.rates import steady_rates

    unit = "MACs" if config.multiplies else "trits"
    peak = config.lanes * config.columns
    tokens = sorted({1, config.tokens})
    rates = [steady_rates(config, m) for m in tokens]
    gb_per_s = clock_mhz * 1e6 / 1e9
    rows = [
        ("utilisation (%)", *(100 * rate.utilisation for rate in rates)),
        ("weights (GB/s)", *(rate.weight_bytes_per_cycle * gb_per_s for rate in rates)),
        ("activations (GB/s)", *(rate.activation_bytes_per_cycle * gb_per_s for rate in rates)),
        ("results, at most (GB/s)", *(rate.largest_result_bytes_per_cycle * gb_per_s for rate in rates)),
    ]
    table = tabulate(rows, headers=["", *(f"M = {m}" for m in tokens)], tablefmt="plain", floatfmt=".4g")
    beats = f"{config.tile_beats} beat{'s' if config.tile_beats > 1 else ''} of {config.weight_bus_bits} bits per tile"
    return (
        f"{beats}; at most {peak} {unit} per cycle, {peak * clock_mhz / 1000:g} G{unit}/s at {clock_mhz:g} MHz\n{table}"
    )


def _verify(options: argparse.Namespace, _: Sequence[str]) -> int:
    from tabulate import tabulate

    from bitjoule.energy_models.inputs.documents import read_text
    from bitjoule.rtl.linear.config import LinearConfig
    from bitjoule.sim.accelerator.configurations import read_design

    config = read_design(options.configuration)
    linear = config if isinstance(config, LinearConfig) else None
    array = config.array if isinstance(config, LinearConfig) else config
    shapes = fitting(array, options.matmul, LARGEST_CYCLES, "a minute of simulation")
    top = "bitjoule_bitlinear" if linear else "bitjoule_accelerator"
    verilog = None if options.verilog is None else _verilog(options.verilog, top, read_text)
    needs_packages("amaranth", "cocotb", "cocotbext")
    check_simulator(options.simulator)

    from bitjoule.sim.bench.cases import Case, directed_cases, random_cases
    from bitjoule.sim.bench.linear_cases import directed_linear_cases, random_linear_cases
    from bitjoule.sim.bench.verification import Hardware

    if linear:
        directed, random = directed_linear_cases(linear), random_linear_cases(linear, options.cases, options.seed)
    else:
        directed, random = directed_cases(array), random_cases(array, options.cases, options.seed)
    requested = [Case(f"{s.m}x{s.k}x{s.n}", (s,), seed=options.seed) for s in shapes]
    cases = [*directed, *requested, *random]
    name = configuration_name(options.configuration)
    with tempfile.TemporaryDirectory(prefix="bitjoule-") as scratch:
        waveform = None
        if options.scheduler is not None:
            report = _verify_on_cluster(config, options, verilog, cases)
        else:
            _show_status(f"building {name} for {options.simulator}")
            hardware = Hardware(
                config, Path(scratch), options.simulator, waves=options.waves, verilog=verilog,
            )  # fmt: skip
            report = hardware.verify(cases, progress=_progress if sys.stderr.isatty() else None)
            waveform = _copy_waveform(hardware.waveform(), options.out, name) if options.waves else None
        _show_status("")
        if report.failure and not options.waves:
            waveform = _waveform_of(report, cases, config, Path(scratch) / "again", options, verilog)
    asked = f"{len(requested)} asked for, " if requested else ""
    of_random = f"{len(random)} random, of {counted(options.cases, 'matmul')} together" if random else "0 random"
    rows = [
        ("configuration", _summary(name, array) + _linear_text(linear)),
        ("simulator", options.simulator),
        ("cases", f"{report.cases} of {len(cases)} passed ({len(directed)} directed, {asked}{of_random})"),
        ("matmuls", f"{report.matmuls}, results equal bit for bit"),
        ("cycle counts", f"{report.exact_cycles} predicted by the cycle model, all equal"),
        ("simulated", f"{report.cycles} cycles in {report.seconds:.1f} s, {report.cycles_per_s / 1000:.1f} k cycles/s"),
        ("seed", options.seed),
    ]
    if waveform:
        rows.append(("waveform", waveform))
    print(tabulate(rows, tablefmt="plain"))
    if report.failure:
        print(_mismatch(report.failure, options.seed, waveform), file=sys.stderr)
        return FAILURE
    return OK


def _summary(name: str, array: "AcceleratorConfig") -> str:
    return f"{name}: {array.lanes} x {array.columns}, {array.weight_encoding}, {array.datapath}"


def _verify_on_cluster(
    config: "AcceleratorConfig | LinearConfig",
    options: argparse.Namespace,
    verilog: str | None,
    cases: "Sequence[Case]",
) -> "VerificationReport":
    """Run the cases on the workers of a scheduler, each of which builds the hardware once."""
    from bitjoule.experiments.output.workers import executor_of
    from bitjoule.sim.bench.chunks import chunks_of, joined, verify_chunk

    if options.waves:
        raise InputError([Problem("--waves", 1, "--scheduler", "waveforms stay on the workers", "one of the two")])
    reports = []
    with executor_of(1, options.scheduler) as executor:
        chunks = chunks_of(cases)
        futures = [executor.submit(verify_chunk, config, options.simulator, verilog, chunk) for chunk in chunks]
        for future in futures:
            reports.append(future.result())
            _progress(sum(len(done) for done in chunks[: len(reports)]), len(cases))
            if reports[-1].failure:
                break
    return joined(reports)


def _verilog(file: str, top: str, read_text: Any) -> str:
    text: str = read_text(Path(file), file)
    if not re.search(rf"^\s*module\s+{top}\b", text, re.MULTILINE):
        raise whole_file(file, f"contains no module {top}", "Verilog with the ports of `bitjoule rtl generate`")
    return text


def _waveform_of(
    report: "VerificationReport",
    cases: "Sequence[Case]",
    config: "AcceleratorConfig | LinearConfig",
    folder: Path,
    options: argparse.Namespace,
    verilog: str | None,
) -> Path | None:
    """Repeat the failing case and the one before it with a waveform."""
    from bitjoule.sim.bench.verification import Hardware

    _show_status("building again for a waveform of the failing case")
    hardware: Hardware = Hardware(config, folder, options.simulator, waves=True, verilog=verilog)
    hardware.verify(cases[max(0, report.cases - 1) : report.cases + 1])
    return _copy_waveform(hardware.waveform(), options.out, configuration_name(options.configuration))


def _copy_waveform(waveform: Path | None, out: Path, name: str) -> Path | None:
    if waveform is None:
        return None
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{name}{waveform.suffix}"
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(waveform, temporary)
    temporary.replace(target)
    return target


def _mismatch(failure: dict[str, Any], seed: int, waveform: Path | None) -> str:
    case = failure["case"]
    lines = [f"bitjoule: mismatch in case {case['name']!r} (case seed {case['seed']}, --seed {seed})"]
    if "matmul" in failure:
        m, k, n = failure["shape"]
        lines.append(f"  matmul {failure['matmul'] + 1} of {len(case['shapes'])}: M {m}, K {k}, N {n}")
    element = f" [{failure['element'][0]}, {failure['element'][1]}]" if "element" in failure else ""
    lines.append(f"  mismatch: {failure['what']}{element}")
    lines += [f"  {key}: {failure[key]}" for key in ("expected", "got") if key in failure]
    if "wrong_elements" in failure:
        lines.append(f"  mismatching elements: {failure['wrong_elements']}")
    if waveform:
        lines.append(f"  waveform: {waveform}")
    return "\n".join(lines)


def _show_status(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _progress(done: int, total: int) -> None:
    with contextlib.suppress(OSError):
        _show_status(f"case {done} of {total}")
