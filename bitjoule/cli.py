"""The command line. Heavy imports stand inside the commands, so that ``--help`` answers at once."""

import argparse
import io
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule import __version__
from bitjoule.calibrate_command import add_calibrate
from bitjoule.energy_models.errors import InputError, whole_file
from bitjoule.mapping_command import add_options, show_mapping
from bitjoule.other_runs import OtherRun, read_other, written_files
from bitjoule.rtl_commands import add_commands
from bitjoule.sim.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.energy_models.errors import Problem
    from bitjoule.experiments.reader import Resolved

OK, FAILURE, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
KINDS = {
    "models": "model",
    "schemes": "scheme",
    "technologies": "technology",
    "memories": "memory",
    "storages": "storage",
    "platforms": "platform",
    "accelerators": "accelerator",
    "checkpoints": "checkpoint",
    "experiments": "experiment",
}
SHOWN_ROWS = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        Default: the process's own.

    Returns
    -------
    int
        0 when all is well, 2 for wrong input, 1 for a failure of the tool.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show × shows its code
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(given)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # unwinds: nothing stays behind
    try:
        return int(options.command(options, given))
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("bitjoule: interrupted; earlier results are as they were", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        _discard_output()
        return OK
    except SimulatorError as error:
        print(f"bitjoule: {error}", file=sys.stderr)
        return FAILURE
    except Exception:
        traceback.print_exc()
        print("bitjoule: this is a fault of bitjoule; please report it with the lines above", file=sys.stderr)
        return FAILURE


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bitjoule",
        description="Energy and hardware co-design simulator for 1-bit and ternary LLMs.",
        epilog="Exit status: 0 all is well, 2 wrong input, 1 a failure of the tool.",
    )
    parser.add_argument("--version", action="version", version=f"bitjoule {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run experiments: tables and pictures", description="Run experiments.")
    _add_experiments(run)
    run.add_argument("--out", type=_folder, default=Path("results"), metavar="DIR", help="default: %(default)s")
    run.add_argument(
        "--jobs", type=_positive, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        metavar="N", help="processes; the tables are the same for any number (default: the processors, %(default)s)",
    )  # fmt: skip
    run.add_argument("--no-plots", action="store_true", help="tables only")
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="validate experiments, run nothing", description="Validate experiments.")
    _add_experiments(check)
    check.set_defaults(command=_check)

    listing = commands.add_parser("list", help="what ships", description="List what ships.")
    listing.add_argument("kind", choices=KINDS, help="what to list")
    listing.set_defaults(command=_list)

    show = commands.add_parser("show", help="one entry, with its sources", description="Show one entry.")
    show.add_argument("kind", choices=[*KINDS.values(), "mapping"], help="what it is")
    show.add_argument("name", metavar="NAME", help="as `bitjoule list` prints it; of a mapping, the platform")
    add_options(show)
    show.set_defaults(command=_show)

    add_commands(commands)
    add_calibrate(commands)
    schema = commands.add_parser("schema", help="JSON Schema of experiment files, for editors", description="Print it.")
    schema.set_defaults(command=_schema)
    doctor = commands.add_parser(
        "doctor", help="what is installed, what is missing, how to get it", description="Look."
    )
    doctor.set_defaults(command=_doctor)
    return parser


def _add_experiments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiments", nargs="+", metavar="FILE.yaml|NAME", help="a file, or a shipped experiment")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE",
        help="change a value, e.g. workload.prompt_tokens=1024; may be given again",
    )  # fmt: skip


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("is empty; expected a folder")
    return Path(text)


def _positive(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,2}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a whole number from 1 to 999")
    return int(text)


def _read(options: argparse.Namespace) -> "tuple[list[Resolved], list[OtherRun]]":
    """Read every experiment before any runs, and report everything wrong in all of them."""
    from bitjoule.experiments.reader import find_experiment, open_experiment, resolve

    found: list[Resolved] = []
    others: list[OtherRun] = []
    problems: list[Problem] = []
    names: set[str] = set()
    for argument in options.experiments:
        try:
            path = find_experiment(argument)
            document = open_experiment(path, options.overrides)
            other = read_other(document, path)
            resolved = None if other else resolve(document, path)
            name = resolved.experiment.name if resolved else other.name if other else ""
            if name in names:
                raise whole_file(
                    argument, f"a second experiment is named {name!r}", "another name: it is the output folder"
                )
            names.add(name)
            if resolved:
                found.append(resolved)
            if other:
                others.append(other)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(dict.fromkeys(problems))
    return found, others


def _run(options: argparse.Namespace, given: Sequence[str]) -> int:
    experiments, others = _read(options)
    if experiments:
        _run_all(experiments, options, given)
    for other in others:
        other.run(options.out, ["bitjoule", *given], not options.no_plots)
    return OK


def _run_all(experiments: "list[Resolved]", options: argparse.Namespace, given: Sequence[str]) -> None:
    from functools import partial

    from bitjoule.experiments.workers import pool

    jobs = min(options.jobs, len(experiments))
    task = partial(
        _run_one, out=options.out, jobs=max(1, options.jobs // len(experiments)), plots=not options.no_plots,
        command=["bitjoule", *given],
    )  # fmt: skip
    if jobs == 1:
        _report(map(task, experiments), len(experiments))
    else:
        with pool(jobs) as workers:
            _report(workers.map(task, experiments), len(experiments))


def _report(finished: Iterable[tuple[str, str]], total: int) -> None:
    for i, (text, files) in enumerate(finished, 1):
        try:
            print(f"{text}\n{files}\n", flush=True)
        except BrokenPipeError:  # nobody reads any more, but the results are still wanted
            _discard_output()
        if sys.stderr.isatty():
            print(f"[{i}/{total}]", file=sys.stderr)


def _run_one(resolved: "Resolved", out: Path, jobs: int, plots: bool, command: Sequence[str]) -> tuple[str, str]:
    """Run one experiment into its folder; return its summary and where the files are."""
    from bitjoule.experiments.folder import replacing
    from bitjoule.experiments.manifest import write_experiment, write_manifest
    from bitjoule.experiments.runner import run
    from bitjoule.experiments.tables import write_csv
    from bitjoule.reports.pictures import draw_all
    from bitjoule.reports.summary import summary_markdown

    target = out / resolved.experiment.name
    with replacing(target) as folder:
        result = run(resolved)
        write_csv(result.results_in_blocks(), folder / "results.csv", jobs)
        write_csv([result.summary], folder / "summary.csv", jobs)
        for name, table in (("memory", result.memory), ("bands", result.bands)):
            if not table.empty:
                write_csv([table], folder / f"{name}.csv")
        if resolved.printed:
            write_csv([result.comparison], folder / "published.csv")
        (folder / "summary.md").write_text(summary_markdown(result), encoding="utf-8")
        write_experiment(resolved, folder / "experiment.yaml")
        if plots:
            draw_all(result, folder)
        write_manifest(folder, resolved, command)
    return summary_markdown(result, SHOWN_ROWS), written_files(target)


def _check(options: argparse.Namespace, _: Sequence[str]) -> int:
    experiments, others = _read(options)
    for resolved in experiments:
        print(f"{resolved.source}: ok, {resolved.experiment.cases} cases")
    for other in others:
        print(other.checked)
    return OK


def _list(options: argparse.Namespace, _: Sequence[str]) -> int:
    from tabulate import tabulate

    from bitjoule.energy_models.catalog import Table, listing
    from bitjoule.experiments.reader import (
        open_experiment,
        read_experiment,
        shipped_experiments,
        shipped_other_experiments,
    )

    if options.kind == "experiments":
        shipped = [read_experiment(path).experiment for path in shipped_experiments().values()]
        rows: list[tuple[str, object, str]] = [(e.name, e.cases, e.description) for e in shipped]
        others = [read_other(open_experiment(path), path, whole=False) for path in shipped_other_experiments().values()]
        rows += [(found.name, found.kind, found.description) for found in others if found]
        table = Table(("experiment", "cases", "description"), rows)
    elif options.kind == "accelerators":
        from bitjoule.sim.configurations import read_configuration, shipped_configurations

        configs = {name: read_configuration(name).as_mapping() for name in shipped_configurations()}
        headers = ("accelerator", *next(iter(configs.values())))
        table = Table(headers, [(name, *config.values()) for name, config in configs.items()])
    elif options.kind == "checkpoints":
        from bitjoule.sim.trained import described_models

        table = Table(("checkpoint", "weights", "parameters", "nats per byte, held out"), described_models())
    else:
        table = listing(options.kind)
    print(tabulate(table.rows, table.headers, maxcolwidths=[None] * (len(table.headers) - 1) + [70]))
    return OK


def _show(options: argparse.Namespace, _: Sequence[str]) -> int:
    from tabulate import tabulate

    from bitjoule.energy_models.catalog import entry
    from bitjoule.energy_models.documents import read_text
    from bitjoule.energy_models.yaml_core import write_yaml
    from bitjoule.experiments.reader import find_experiment

    if options.kind == "experiment":
        print(read_text(find_experiment(options.name), options.name), end="")
        return OK
    if options.kind == "mapping":
        print(show_mapping(options))
        return OK
    if options.kind == "accelerator":
        from bitjoule.sim.configurations import find_configuration

        print(read_text(find_configuration(options.name), options.name), end="")
        return OK
    if options.kind == "checkpoint":
        from bitjoule.sim.trained import find_model

        print(read_text(find_model(options.name) / "README.md", options.name), end="")
        return OK
    kind = next(many for many, one in KINDS.items() if one == options.kind)
    found = entry(kind, options.name)
    if found.fields:
        print(write_yaml(dict(found.fields), 110))
    if found.table is not None:
        print(tabulate(found.table.rows, found.table.headers), end="\n\n")
    print("\n".join(["sources:", *found.references]))
    return OK


def _schema(_: argparse.Namespace, __: Sequence[str]) -> int:
    import json

    from bitjoule.experiments.json_schema import json_schema

    print(json.dumps(json_schema(), indent=2))
    return OK


def _doctor(_: argparse.Namespace, __: Sequence[str]) -> int:
    from bitjoule.doctor import examine

    findings = examine()
    for finding in findings:
        remedy = "" if finding.found else f"MISSING: {finding.remedy}"
        print(f"{finding.item:18} {finding.found or '-':24} {finding.needed_for:30} {remedy}".rstrip())
    missing = [finding.item for finding in findings if finding.required and not finding.found]
    print(f"\nmissing: {', '.join(missing)}" if missing else "\neverything that energy experiments need is there")
    return FAILURE if missing else OK
