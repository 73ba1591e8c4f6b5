"""``bitjoule rtl simulate``: runs the matmuls or the whole linears of a BitNet model on the simulated hardware."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from bitjoule.commands.experiments import report
from bitjoule.commands.options import folder
from bitjoule.commands.status import OK

KEYS = ("config", "engine", "model", "weights", "random_weights", "prompt", "new_tokens", "temperature", "seed",
        "clock_mhz", "toggles")  # fmt: skip


def add_simulate(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``rtl simulate``.

    Parameters
    ----------
    subcommands
        Subparsers of ``rtl``.
    """
    command = subcommands.add_parser(
        "simulate",
        help="run a BitNet model with its matmuls or whole linears on the simulated hardware",
        description="Generate text with a BitNet model. The integer matmuls of its linear layers run on the Verilated "
        "accelerator, bit for bit and cycle by cycle; norms, attention, softmax and scales run in NumPy. With a "
        "configuration of a whole BitLinear, e.g. bitlinear_64x5, quantisation and scales, and its norm, run on the "
        "hardware, too. The cycles of each matmul, and the time and energy per token of these matmuls on a platform, "
        "are printed and written to tables.",
    )
    command.add_argument(
        "model", nargs="?", metavar="MODEL",
        help="directory of a Hugging Face model, or a bundled checkpoint (default: tiny-b158); with --random-weights "
        "also a built-in model",
    )  # fmt: skip
    command.add_argument(
        "--prompt",
        help="prompt text (default: 'The sum of '), or token ids for random weights or a model without tokenizer "
        "(default: '0 1 2')",
    )
    command.add_argument(
        "--new-tokens", type=_tokens, default=32, metavar="N",
        help="maximum number of new tokens (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--config",
        default="simulate_64x16",
        metavar="CONFIG.yaml|NAME",
        help="accelerator or whole BitLinear: a file, or a built-in configuration (default: %(default)s)",
    )
    command.add_argument(
        "--engine", choices=("rtl", "numpy", "check"), default="rtl",
        help="matmul backend; check runs both and compares every result; a whole BitLinear takes rtl or check "
        "(default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--weights", choices=("ternary", "binary"), help="quantise floating-point weights on loading")
    command.add_argument(
        "--random-weights", type=_share, metavar="ZERO_SHARE",
        help="use only the shape of the model, with random trits of this share of zeros",
    )  # fmt: skip
    command.add_argument(
        "--seed", type=int, default=0, help="seed of random weights and of sampling (default: %(default)s)"
    )
    command.add_argument(
        "--temperature", type=float, default=0.6,
        help="sampling temperature; 0 always selects the most likely token (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--technology", default="7nm", help="technology whose prices are used (default: %(default)s)")
    command.add_argument(
        "--platform", default="ternary-edge", metavar="NAME|FILE.yaml",
        help="platform that provides memories, clock and leakage (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--clock-mhz", type=float, help="clock frequency of the accelerator (default: that of the platform)"
    )
    command.add_argument(
        "--toggles", action="store_true",
        help="count toggles per trit in the first cycles of each matmul, which makes the simulation slower",
    )  # fmt: skip
    command.add_argument(
        "--out", type=folder, default=Path("results"), metavar="DIR",
        help="parent of the output directory (default: %(default)s)",
    )  # fmt: skip
    command.set_defaults(command=_simulate)


def _tokens(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected an integer from 1 to 999999")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a share of zeros from 0 to 1")
    return value


def _simulate(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.commands.progress import ProgressLine
    from bitjoule.execution import read_all, run_all
    from bitjoule.experiments.hardware.schema import DEFAULT_MODEL
    from bitjoule.writing import Writing

    run = {key: getattr(options, key) for key in KEYS if getattr(options, key) is not None}
    model = re.sub(r"[^a-z0-9_]", "_", Path(options.model or DEFAULT_MODEL).name.lower())[:90]
    experiment = {"name": f"rtl_{model}", "technology": options.technology, "platform": options.platform, "rtl": run}
    tasks = read_all([experiment], file="rtl simulate")
    report(run_all(tasks, Writing(options.out, ["bitjoule", *words]), ProgressLine()), 1)
    return OK
