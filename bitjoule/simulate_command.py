"""``bitjoule rtl simulate``, and hardware experiments: a BitNet model's matmuls on the simulated accelerator."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitjoule.experiments.preparation import Prepared
    from bitjoule.experiments.simulation import Simulated

OK = 0
SHOWN_ROWS = 1000
KEYS = ("config", "engine", "model", "weights", "random_weights", "prompt", "new_tokens", "temperature", "seed",
        "clock_mhz", "toggles")  # fmt: skip


def add_simulate(below: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command.

    Parameters
    ----------
    below
        The parser's commands below ``rtl``.
    """
    command = below.add_parser(
        "simulate",
        help="run a whole BitNet model, its integer matmuls on the simulated hardware",
        description="Generate text with a BitNet model. The integer matmuls of its linears run on the Verilated "
        "accelerator, bit for bit and cycle by cycle; norms, attention, softmax and scales run in NumPy. Printed and "
        "written to tables: each matmul's cycles, and what these matmuls take of time and energy for a token on a "
        "platform, part by part.",
    )
    command.add_argument(
        "model", nargs="?", metavar="MODEL",
        help="a Hugging Face folder, or a model that ships (default: tiny-b158); with --random-weights a preset too",
    )  # fmt: skip
    command.add_argument(
        "--prompt",
        help="text (default: 'The sum of '), or ids for a model without tokenizer or of random weights "
        "(default: '0 1 2')",
    )
    command.add_argument(
        "--new-tokens", type=_tokens, default=32, metavar="N",
        help="at most: a model may end its text (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--config", default="simulate_64x16", metavar="CONFIG.yaml", help="accelerator (default: %(default)s)"
    )
    command.add_argument(
        "--engine", choices=("rtl", "numpy", "check"), default="rtl",
        help="who multiplies; check: both, every product compared (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--weights", choices=("ternary", "binary"), help="quantise a folder's floating-point weights on load"
    )
    command.add_argument(
        "--random-weights", type=_share, metavar="ZERO_SHARE",
        help="only the shape of the model, trits drawn with this share of zeros",
    )  # fmt: skip
    command.add_argument("--seed", type=int, default=0, help="of random weights and of sampling (default: %(default)s)")
    command.add_argument("--temperature", type=float, default=0.6, help="0: the likeliest token (default: %(default)s)")
    command.add_argument("--technology", default="7nm", help="whose prices (default: %(default)s)")
    command.add_argument(
        "--platform", default="ternary-edge", metavar="NAME|FILE.yaml",
        help="the machine around the accelerator: its memories, clock and leakage (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--clock-mhz", type=float, help="of the accelerator (default: the platform's)")
    command.add_argument(
        "--toggles", action="store_true", help="count toggles per trit in each matmul's first cycles (a slower build)"
    )
    command.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="default: %(default)s")
    command.set_defaults(command=_simulate)


def _tokens(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a whole number from 1 to 999999")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected the share of zero trits, 0 to 1")
    return value


def _simulate(options: argparse.Namespace, given: Sequence[str]) -> int:
    from bitjoule.energy_models.documents import Document
    from bitjoule.energy_models.validation import validate
    from bitjoule.experiments.preparation import prepare
    from bitjoule.experiments.rtl_schema import DEFAULT_MODEL, RtlExperiment

    run = {key: getattr(options, key) for key in KEYS if getattr(options, key) is not None}
    called = re.sub(r"[^a-z0-9_]", "_", Path(options.model or DEFAULT_MODEL).name.lower())[:90]
    data: dict[str, Any] = {"name": f"rtl_{called}", "technology": options.technology}
    data |= {"platform": options.platform, "rtl": run}
    document = Document("rtl simulate", data, {(): 1})
    prepared = prepare(validate(RtlExperiment, document), document)
    run_hardware(prepared, options.out, ["bitjoule", *given])
    return OK


def run_hardware(prepared: "Prepared", out: Path, command: Sequence[str]) -> None:
    """Run a hardware experiment; print its text and what was measured; write its tables.

    Parameters
    ----------
    prepared
        What to run.
    out
        The folder in which the experiment gets its own.
    command
        The command line.

    Raises
    ------
    InputError
        The model's weights are wrong, or the folder cannot be written.
    """
    from bitjoule.experiments.folder import replacing
    from bitjoule.experiments.hardware_tables import hardware_tables, write
    from bitjoule.reports.hardware import hardware_markdown
    from bitjoule.reports.summary import MAX_ROWS

    if prepared.machine is None:
        print("no integer matmul will be run: this model's weights are floating-point; `--weights ternary` (in YAML")
        print("rtl.weights) quantises them. No tables are written.\n")
        _generate(prepared)
        return
    experiment = prepared.experiment
    target = out / experiment.name
    with replacing(target) as folder:  # what cannot be written is told before the run
        found = _generate(prepared)
        tables = hardware_tables(experiment, found)
        write(prepared, found, tables, folder, command, hardware_markdown(experiment, found, tables, MAX_ROWS))
    print(hardware_markdown(experiment, found, tables, SHOWN_ROWS))
    print(_speed(found))
    print(f"Tables in {target}/")


def _generate(prepared: "Prepared") -> "Simulated":
    from bitjoule.experiments.simulation import simulate

    chosen = prepared.chosen
    tokens = len(chosen.prompt) + prepared.experiment.rtl.new_tokens if chosen else 0
    if chosen and chosen.positions and tokens > chosen.positions:
        print(f"bitjoule: {tokens} tokens, but {chosen.name} was made for {chosen.positions}", file=sys.stderr)
    found = simulate(prepared, lambda text: print(text, end="", flush=True))
    if not found.bare:
        print("\n")
    return found


def _speed(found: "Simulated") -> str:
    """Return how long the run took, and of it the simulated hardware."""
    tokens = "" if found.bare else f": {found.new_tokens} tokens, {found.new_tokens / found.seconds:.2f} tokens/s"
    told = f"Ran in {found.seconds:.1f} s{tokens}."
    if found.hardware_seconds is None:
        return told
    cycles = sum(row.cycles for row in found.rows)
    trits = sum(row.tokens * row.k * row.n for row in found.rows)
    rates = f"{cycles / found.hardware_seconds / 1e3:.0f} k cycles/s, {trits / found.hardware_seconds / 1e9:.3f}"
    return f"{told} Of it {found.hardware_seconds:.1f} s in the simulated hardware: {rates} G trits/s."
