"""``bitjoule rtl simulate``, and hardware experiments: a BitNet model's matmuls on the simulated accelerator."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from bitjoule.commands.experiments import report
from bitjoule.commands.status import OK

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
    from bitjoule.commands.progress import Progress
    from bitjoule.execution import read_all, run_all
    from bitjoule.experiments.hardware.schema import DEFAULT_MODEL
    from bitjoule.writing import Writing

    run = {key: getattr(options, key) for key in KEYS if getattr(options, key) is not None}
    called = re.sub(r"[^a-z0-9_]", "_", Path(options.model or DEFAULT_MODEL).name.lower())[:90]
    experiment = {"name": f"rtl_{called}", "technology": options.technology, "platform": options.platform, "rtl": run}
    tasks = read_all([experiment], file="rtl simulate")
    report(run_all(tasks, Writing(options.out, ["bitjoule", *given]), Progress()), 1)
    return OK
