"""``bitjoule stats``: what energy depends on in the weights and activations of a checkpoint."""

import argparse
import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.files import check_output, write_whole
from bitjoule.commands.status import OK
from bitjoule.energy_models.inputs.errors import whole_file

if TYPE_CHECKING:
    from bitjoule.sim.llm.statistics import Statistics

MODEL_KEYS = ("model", "weights", "prompt", "new_tokens", "temperature", "seed")


def add_stats(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``stats``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    stats = commands.add_parser(
        "stats", help="count zeros, entropy and toggles in the weights and activations of a checkpoint",
        description="Let a BitNet model generate text in NumPy, and count what energy depends on: the share of zeros "
        "and the entropy of weights and activations, and how often a data line changes when they are read over a bus "
        "(toggle rate), or from token to token at the input of a lane.",
    )  # fmt: skip
    stats.add_argument(
        "model", nargs="?", metavar="MODEL",
        help="directory of a Hugging Face model, a GGUF file, or a bundled checkpoint (default: tiny-b158)",
    )  # fmt: skip
    stats.add_argument("--prompt", help="prompt text, or token ids for a model without tokenizer")
    stats.add_argument(
        "--new-tokens", type=int, default=32, metavar="N", help="maximum number of new tokens (default: %(default)s)"
    )
    stats.add_argument("--temperature", type=float, default=0.6, help="sampling temperature (default: %(default)s)")
    stats.add_argument("--seed", type=int, default=0, help="seed of the sampling (default: %(default)s)")
    stats.add_argument("--weights", choices=("ternary", "binary"), help="quantise floating-point weights on loading")
    stats.add_argument(
        "--bus-bits", type=_bus, default=64, metavar="BITS", help="width of the memory's bus (default: %(default)s)"
    )
    stats.add_argument(
        "-o", "--output", type=Path, metavar="STATS.csv", help="also write a row for each linear of each layer"
    )
    stats.set_defaults(command=_stats)


def _bus(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", text) or int(text) % 8:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected a multiple of 8 bits, e.g. 64")
    return int(text)


def _stats(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule.commands.terminal import show
    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.energy_models.inputs.validation import validate
    from bitjoule.experiments.hardware.model import select_model
    from bitjoule.experiments.hardware.schema import RtlExperiment
    from bitjoule.reports.statistics import statistics_markdown
    from bitjoule.sim.llm.linears import OverflowInModelError
    from bitjoule.sim.llm.statistics import StatisticsEngine

    if options.output is not None:
        check_output(options.output, (".csv",))
    run = {key: getattr(options, key) for key in MODEL_KEYS if getattr(options, key) is not None}
    document = Document("stats", {"name": "stats", "rtl": run}, {(): 1})
    selected = select_model(validate(RtlExperiment, document), document)
    file = options.model or selected.name
    if not selected.multiplies_integers:
        raise whole_file(file, "has floating-point weights", "trits or ±1; --weights ternary quantises them")
    model = selected.read(lambda text: print(f"bitjoule: warning: {text}", file=sys.stderr))
    engine = StatisticsEngine(options.bus_bits)
    try:
        for _token in model.generate(
            selected.prompt, options.new_tokens, engine, options.temperature, options.seed, selected.stop,
            engine.observe,
        ):  # fmt: skip
            pass
    except OverflowInModelError as error:
        raise whole_file(file, str(error), "weights of a working model") from error
    rows = {name: statistics.row() for name, statistics in engine.by_kind().items()}
    show(statistics_markdown(selected.name, rows, options.bus_bits))
    if options.output is not None:
        write_whole(options.output, _csv(engine.linears))
    return OK


def _csv(linears: "Mapping[str, Statistics]") -> str:
    rows = [{"linear": name, **statistics.row()} for name, statistics in linears.items()]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value != value else value for key, value in row.items()} for row in rows)
    return text.getvalue()
