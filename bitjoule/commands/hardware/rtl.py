"""``bitjoule rtl generate`` and ``verify``: the accelerator as Verilog, and its verification in a simulator."""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.commands.files import write_whole
from bitjoule.commands.hardware.rtl_platform import add_platform
from bitjoule.commands.hardware.rtl_simulate import add_simulate
from bitjoule.commands.hardware.rtl_synthesize import add_synthesize
from bitjoule.commands.options import add_scheduler
from bitjoule.energy_models.inputs.errors import InputError, Problem, whole_file
from bitjoule.sim.bench.simulators import SimulatorError, check_simulator

if TYPE_CHECKING:
    from bitjoule.rtl.config import AcceleratorConfig
    from bitjoule.sim.accelerator.cycles import MatmulShape
    from bitjoule.sim.bench.cases import Case
    from bitjoule.sim.bench.verification import VerificationReport

OK, FAILURE = 0, 1
LARGEST_STEPS = 2_000_000  # cycles of one matmul at full rate: about a minute of simulation


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
        "packing and parameters.",
    )  # fmt: skip
    _add_configuration(generate)
    generate.add_argument(
        "-o", "--output", metavar="FILE.v",
        help="file to write (default: name of the configuration, in the current directory)",
    )  # fmt: skip
    generate.set_defaults(command=_generate)

    verify = subcommands.add_parser(
        "verify",
        help="compare the accelerator with NumPy in a simulator",
        description="Run directed corner cases and random matmuls in a simulator, and compare every result and cycle "
        "count with NumPy and the cycle model. The exit status is 1 on a mismatch.",
    )
    _add_configuration(verify)
    verify.add_argument(
        "--cases",
        type=_count,
        default=100,
        metavar="N",
        help="number of random cases in addition to the corner cases (default: %(default)s)",
    )
    verify.add_argument(
        "--seed", type=_seed, default=0, metavar="S", help="seed of the random cases (default: %(default)s)"
    )
    verify.add_argument(
        "--matmul", type=_matmul, action="append", default=[], metavar="MxKxN",
        help="additional matmul to run; may be repeated",
    )  # fmt: skip
    verify.add_argument(
        "--simulator", choices=("verilator", "icarus"), default="verilator", help="simulator (default: %(default)s)"
    )
    verify.add_argument("--verilog", metavar="FILE.v", help="verify this Verilog file instead of the generated text")
    verify.add_argument("--waves", action="store_true", help="write a waveform even if there is no mismatch")
    verify.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="directory for waveforms (default: %(default)s)",
    )
    add_scheduler(verify)
    verify.set_defaults(command=_verify)
    add_simulate(subcommands)
    add_synthesize(subcommands)
    add_platform(subcommands)


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "configuration", metavar="CONFIG.yaml|NAME", help="accelerator: a file, or a built-in configuration"
    )


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected an integer from 0 to 999999")
    return int(text)


def _seed(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a non-negative integer")
    return int(text)


def _matmul(text: str) -> tuple[int, int, int]:
    match = re.fullmatch("([1-9][0-9]{0,7})x([1-9][0-9]{0,7})x([1-9][0-9]{0,7})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"got {text[:30]!r}; expected MxKxN, e.g. 1x2560x6912")
    return int(match[1]), int(match[2]), int(match[3])


def _needs_packages(*names: str) -> None:
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise SimulatorError(f"{', '.join(missing)} not installed: pip install 'bitjoule[rtl]'")


def _name(configuration: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", Path(configuration).stem) or "accelerator"


def _generate(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.sim.accelerator.configurations import read_configuration

    _needs_packages("amaranth")
    config = read_configuration(options.configuration)
    target = Path(options.output) if options.output is not None else Path(f"{_name(options.configuration)}.v")
    description_file = target.with_suffix(".json") if target.name else target
    if target.is_dir() or not target.name or description_file == target:
        raise whole_file(str(target), "is not a file name for Verilog", "a file name such as accelerator.v")
    if not target.parent.is_dir():
        raise whole_file(str(target.parent), "is not a directory", "an existing directory for the Verilog file")

    from bitjoule.rtl.verilog import accelerator_verilog, description

    text = json.dumps(description(config), indent=1) + "\n"
    text = re.sub(r"\[\s+((?:-?\d+,\s+)*-?\d+)\s+\]", lambda match: f"[{' '.join(match[1].split())}]", text)
    write_whole(target, accelerator_verilog(config))
    write_whole(description_file, text)
    size = f"{config.lanes} lanes x {config.columns} columns, {config.weight_encoding}"
    print(f"{target}: {size}; described by {description_file}")
    return OK


def _verify(options: argparse.Namespace, _: Sequence[str]) -> int:
    from tabulate import tabulate

    from bitjoule.energy_models.inputs.documents import read_text
    from bitjoule.sim.accelerator.configurations import read_configuration

    config = read_configuration(options.configuration)
    shapes = _fitting(config, options.matmul)
    verilog = None if options.verilog is None else _verilog(options.verilog, read_text)
    _needs_packages("amaranth", "cocotb", "cocotbext")
    check_simulator(options.simulator)

    from bitjoule.sim.bench.cases import Case, directed_cases, random_cases
    from bitjoule.sim.bench.verification import Hardware

    directed = directed_cases(config)
    random = random_cases(config, options.cases, options.seed)
    requested = [Case(f"{s.m}x{s.k}x{s.n}", (s,), seed=options.seed) for s in shapes]
    cases = [*directed, *requested, *random]
    name = _name(options.configuration)
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
    rows = [
        ("configuration", f"{name}: {config.lanes} x {config.columns}, {config.weight_encoding}, {config.datapath}"),
        ("simulator", options.simulator),
        ("cases", f"{report.cases} of {len(cases)} passed ({len(directed)} directed, {len(random)} random)"),
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


def _verify_on_cluster(
    config: "AcceleratorConfig", options: argparse.Namespace, verilog: str | None, cases: "Sequence[Case]"
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


def _fitting(config: "AcceleratorConfig", matmuls: Sequence[tuple[int, int, int]]) -> "list[MatmulShape]":
    from bitjoule.sim.accelerator.cycles import MatmulShape, cycles

    problems: list[Problem] = []
    for m, k, n in matmuls:
        text = f"{m}x{k}x{n}"
        if k > config.max_k:
            wrong = f"K {k} exceeds max_k {config.max_k}"
            problems.append(Problem("--matmul", 1, text, wrong, f"K from 1 to {config.max_k}, or a larger max_k"))
        elif m >= 1 << 16 or n >= 1 << 24:
            problems.append(
                Problem("--matmul", 1, text, "is too large", f"M up to {(1 << 16) - 1}, N up to {(1 << 24) - 1}")
            )
        elif cycles(config, m, k, n) > LARGEST_STEPS:
            wrong = f"takes {cycles(config, m, k, n)} cycles"
            problems.append(Problem("--matmul", 1, text, wrong, f"at most {LARGEST_STEPS}, a minute of simulation"))
    if problems:
        raise InputError(problems)
    return [MatmulShape(*matmul) for matmul in matmuls]


def _verilog(file: str, read_text: Any) -> str:
    text: str = read_text(Path(file), file)
    if not re.search(r"^\s*module\s+bitjoule_accelerator\b", text, re.MULTILINE):
        raise whole_file(
            file, "contains no module bitjoule_accelerator", "Verilog with the ports of `bitjoule rtl generate`"
        )
    return text


def _waveform_of(
    report: "VerificationReport",
    cases: "Sequence[Case]",
    config: "AcceleratorConfig",
    folder: Path,
    options: argparse.Namespace,
    verilog: str | None,
) -> Path | None:
    """Repeat the failing case and the one before it with a waveform."""
    from bitjoule.sim.bench.verification import Hardware

    _show_status("building again for a waveform of the failing case")
    hardware: Hardware = Hardware(config, folder, options.simulator, waves=True, verilog=verilog)
    hardware.verify(cases[max(0, report.cases - 1) : report.cases + 1])
    return _copy_waveform(hardware.waveform(), options.out, _name(options.configuration))


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
