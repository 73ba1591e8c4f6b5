"""``bitjoule rtl simulate``: a whole BitNet model, its integer matmuls on the simulated accelerator."""

import argparse
import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bitjoule.energy_models.errors import InputError, Problem, whole_file

if TYPE_CHECKING:
    import pandas as pd

    from bitjoule.energy_models.technology import Technology
    from bitjoule.rtl.config import AcceleratorConfig
    from bitjoule.sim.model import Model
    from bitjoule.sim.rtl_engine import Measured, Row
    from bitjoule.sim.tokenizer import Tokenizer

OK = 0
SHOWN_ROWS = 24
DEFAULT_CONFIGURATION = "simulate_64x16"
DEFAULT_MODEL = "tiny-b158"
SCHEMES = {"ternary": "bitnet-b1.58", "binary": "bitnet", "float": "fp16"}
DEFAULT_PROMPT = "The sum of "


class Chosen(NamedTuple):
    """The model of a run.

    Parameters
    ----------
    model, tokenizer, name
        The model, and what it is called.
    scheme
        The scheme that its weights belong to.
    """

    model: "Model"
    tokenizer: "Tokenizer"
    name: str
    scheme: str


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
        "accelerator, bit for bit and cycle by cycle; norms, attention, softmax and scales run in NumPy.",
    )
    command.add_argument(
        "model", nargs="?", default=DEFAULT_MODEL, metavar="MODEL",
        help="a Hugging Face folder, or a model that ships (default: %(default)s); with --random-weights a preset",
    )  # fmt: skip
    command.add_argument(
        "--prompt", default=None, help=f"text, or ids for a model without tokenizer ({DEFAULT_PROMPT!r})"
    )
    command.add_argument("--new-tokens", type=_tokens, default=32, metavar="N", help="default: %(default)s")
    command.add_argument(
        "--config", default=DEFAULT_CONFIGURATION, metavar="CONFIG.yaml", help="accelerator (default: %(default)s)"
    )
    command.add_argument(
        "--engine", choices=("rtl", "numpy", "check"), default="rtl",
        help="who multiplies; check: both, every product compared (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--random-weights", type=_share, metavar="ZERO_SHARE", help="a preset's shape, trits drawn")
    command.add_argument("--seed", type=int, default=0, help="of random weights and of sampling (default: %(default)s)")
    command.add_argument("--temperature", type=float, default=0.6, help="0: the likeliest token (default: %(default)s)")
    command.add_argument("--technology", default="7nm", help="whose prices (default: %(default)s)")
    command.add_argument("--clock-mhz", type=float, default=500.0, help="of the accelerator (default: %(default)s)")
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
    # Products are exact in any order, and OpenBLAS's threads spin against the simulated hardware's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from bitjoule.energy_models.technology import technologies
    from bitjoule.energy_models.validation import unknown_name
    from bitjoule.sim.configurations import read_configuration
    from bitjoule.sim.engines import CheckEngine, Engine, NumpyEngine
    from bitjoule.sim.rtl_engine import Measured, RtlEngine
    from bitjoule.sim.verilated import Verilated

    if options.technology not in technologies():
        problem = Problem(
            "--technology", 1, "technology", *unknown_name("technology", options.technology, technologies())
        )
        raise InputError([problem])
    if not 0 < options.clock_mhz < 1e6:
        raise InputError([Problem("--clock-mhz", 1, "clock_mhz", f"got {options.clock_mhz:g}", "above 0, below 1e6")])
    config = read_configuration(options.config)
    chosen = _model(options)
    _check_fit(chosen.model, config, options)
    prompt = chosen.tokenizer.encode(DEFAULT_PROMPT if options.prompt is None else options.prompt)
    measured: list[Measured] = []
    step = 0
    rtl = None if options.engine == "numpy" else RtlEngine(Verilated(config))
    engines: dict[str, Engine] = {"numpy": NumpyEngine()}
    if rtl is not None:
        engines |= {"rtl": rtl, "check": CheckEngine(rtl, NumpyEngine())}

    def observe(record: Any) -> None:
        from bitjoule.sim.cycles import cycles

        taken = rtl.last_cycles if rtl is not None else cycles(config, record.m, record.k, record.n)
        measured.append(Measured(record, taken, step))

    def counted(tokens: Iterator[int]) -> Iterator[int]:
        nonlocal step
        for token in tokens:
            step += 1
            yield token

    begun = time.perf_counter()
    try:
        tokens = chosen.model.generate(
            prompt, options.new_tokens, engines[options.engine], options.temperature, options.seed, observe=observe
        )
        for text in chosen.tokenizer.stream(counted(tokens)):
            print(text, end="", flush=True)
    except (ValueError, TypeError) as error:
        raise InputError([Problem("--prompt", 1, "prompt", str(error), "ids of the model's vocabulary")]) from None
    seconds = time.perf_counter() - begun
    print("\n")
    _report(options, given, chosen, config, measured, technologies()[options.technology], step, seconds)
    return OK


def _model(options: argparse.Namespace) -> Chosen:
    """Return the model that the command line names."""
    from bitjoule.energy_models.models import presets
    from bitjoule.energy_models.validation import unknown_name
    from bitjoule.sim.loading import load_model
    from bitjoule.sim.synthetic import random_model
    from bitjoule.sim.tokenizer import IdTokenizer
    from bitjoule.sim.trained import shipped_models

    if options.random_weights is not None:
        if options.model not in presets():
            raise InputError([Problem("MODEL", 1, "model", *unknown_name("model", options.model, presets()))])
        try:
            model = random_model(presets()[options.model], options.random_weights, options.seed)
        except ValueError as error:
            raise whole_file(options.model, str(error), "a dense model's shape") from None
        return Chosen(model, IdTokenizer("random weights know no words"), options.model, SCHEMES["ternary"])
    shipped = shipped_models()
    if options.model in shipped:
        found = load_model(shipped[options.model])
        return Chosen(found.model, found.tokenizer, options.model, SCHEMES[found.config.weights])
    folder = Path(options.model)
    if not folder.exists() and "/" not in options.model:
        raise InputError([Problem("MODEL", 1, "model", *unknown_name("model", options.model, shipped))])
    found = load_model(folder, options.model)
    return Chosen(found.model, found.tokenizer, folder.resolve().name, SCHEMES[found.config.weights])


def _check_fit(model: "Model", config: "AcceleratorConfig", options: argparse.Namespace) -> None:
    widest = max(linear.in_features for linear in model.shape.linears)
    if widest > config.max_k and options.engine != "numpy":
        wrong = f"max_k {config.max_k} is too small for K {widest} of the model"
        raise InputError([Problem(options.config, 1, "max_k", wrong, f"at least {widest}")])


def _report(
    options: argparse.Namespace, given: Sequence[str], chosen: Chosen, config: "AcceleratorConfig",
    measured: "list[Measured]", technology: "Technology", new_tokens: int, seconds: float,
) -> None:  # fmt: skip
    """Print what was simulated, and write the tables."""
    import pandas as pd
    from tabulate import tabulate

    from bitjoule.experiments.folder import replacing
    from bitjoule.experiments.manifest import write_run_manifest
    from bitjoule.experiments.tables import write_csv
    from bitjoule.sim.rtl_engine import summed

    if not measured:
        print("no integer matmul was run: this model's weights are floating-point")
        return
    rows = summed(measured, config.lanes * config.columns)
    matmuls = pd.DataFrame(rows)
    cycles = int(matmuls["cycles"].sum())
    trits = int((matmuls["tokens"] * matmuls["k"] * matmuls["n"]).sum())
    summary = _summary(options, chosen, rows, technology)
    shown = [
        (row.phase, row.layer, row.name, f"{row.tokens}x{row.k}x{row.n}", row.cycles, f"{100 * row.utilisation:.1f}",
         f"{100 * row.weight_zero_share:.1f}", f"{100 * row.activation_zero_share:.1f}")
        for row in rows[:SHOWN_ROWS]
    ]  # fmt: skip
    headers = ("phase", "layer", "matmul", "tokens x K x N", "cycles", "utilisation (%)", "zero trits (%)",
               "zero activations (%)")  # fmt: skip
    print(tabulate(shown, headers, disable_numparse=True, colalign=("left", "right", "left", *["right"] * 5)))
    if len(rows) > SHOWN_ROWS:
        print(f"... {len(rows)} rows in all, in matmuls.csv")
    on = {"rtl": "on the RTL", "check": "on the RTL, every product equal to NumPy's", "numpy": "in NumPy"}[
        options.engine
    ]
    decode = summary[summary["phase"] == "decode"]
    lines = [
        ("model", f"{chosen.name}, {len({(row.layer, row.name) for row in rows})} integer matmuls a token, {on}"),
        ("simulated", f"{new_tokens} tokens in {seconds:.1f} s, {new_tokens / seconds:.2f} tokens/s with NumPy's part: "
                      f"{cycles / seconds / 1e3:.0f} k cycles/s, {trits / seconds / 1e9:.3f} G trits/s"),
        ("accelerator", f"{cycles} cycles at {options.clock_mhz:g} MHz: {cycles / options.clock_mhz / 1e3:.4g} ms"),
    ]  # fmt: skip
    if len(decode):
        per_token_j = float(decode["energy_per_token_j"].iloc[0])
        per_s = float(decode["tokens_per_s"].iloc[0])
        lines.append(
            ("a new token", f"{1e3 / per_s:.4g} ms, additions {1e6 * per_token_j:.4g} uJ at {technology.name}")
        )
    print(f"\n{tabulate(lines, tablefmt='plain')}")
    target = options.out / f"rtl_{re.sub(r'[^a-z0-9_]', '_', chosen.name.lower())}"
    with replacing(target) as folder:
        write_csv([matmuls], folder / "matmuls.csv")
        write_csv([_long(options, chosen, rows, technology)], folder / "results.csv")
        write_csv([summary], folder / "summary.csv")
        write_run_manifest(folder, _inputs(options), ["bitjoule", *given], {"seed": options.seed})
    print(f"Tables in {target}/")


def _inputs(options: argparse.Namespace) -> dict[str, str]:
    """Return the SHA-256 of the model's and the accelerator's files."""
    from bitjoule.energy_models.documents import fingerprint
    from bitjoule.sim.configurations import find_configuration
    from bitjoule.sim.trained import shipped_models

    files = {options.config: find_configuration(options.config)}
    folder = shipped_models().get(options.model, Path(options.model))
    if options.random_weights is None:
        names = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".safetensors"})
        files |= {f"{options.model}/{path.name}": path for path in names}
    return {name: fingerprint(path) for name, path in files.items()}


def _case(options: argparse.Namespace, chosen: Chosen, rows: "list[Row]") -> dict[str, object]:
    prompt = next((row.tokens for row in rows if row.phase == "prefill"), 0)
    return {
        "experiment": "rtl_simulate", "model": chosen.name, "parameters": chosen.model.shape.parameters,
        "scheme": chosen.scheme, "technology": options.technology, "platform": options.config, "batch": 1,
        "prompt_tokens": prompt, "new_tokens": options.new_tokens,
    }  # fmt: skip


def _long(options: argparse.Namespace, chosen: Chosen, rows: "list[Row]", technology: "Technology") -> "pd.DataFrame":
    """Return the additions of each matmul as rows of the long table."""
    import pandas as pd

    from bitjoule.experiments.evaluation import RESULT_COLUMNS

    price = technology.price("add", "int8")
    case = _case(options, chosen, rows)
    grouped: dict[tuple[str, str], float] = {}
    for row in rows:
        adds = float(row.tokens) * max(row.k - 1, 0) * row.n
        grouped[row.phase, row.name] = grouped.get((row.phase, row.name), 0.0) + adds
    table = [
        {**case, "phase": phase, "component": component, "operand": "partial_sums", "action": "add", "format": "int8",
         "count": adds, "energy_pj": adds * price.nominal_pj, "energy_low_pj": adds * price.low_pj,
         "energy_high_pj": adds * price.high_pj}
        for (phase, component), adds in grouped.items()
    ]  # fmt: skip
    return pd.DataFrame(table, columns=list(RESULT_COLUMNS))


def _summary(
    options: argparse.Namespace, chosen: Chosen, rows: "list[Row]", technology: "Technology"
) -> "pd.DataFrame":
    """Return energy and time of each phase as rows of the summary; memory and ratios are not known here."""
    import pandas as pd

    from bitjoule.experiments.result import SUMMARY_COLUMNS

    long = _long(options, chosen, rows, technology)
    case = _case(options, chosen, rows)
    table = []
    for phase in dict.fromkeys(row.phase for row in rows):
        own = long[long["phase"] == phase]
        tokens = next(row.tokens for row in rows if row.phase == phase)
        latency_s = sum(row.cycles for row in rows if row.phase == phase) / (options.clock_mhz * 1e6)
        energy = {f"{end}_j": float(own[f"{end}_pj"].sum()) / 1e12 for end in ("energy", "energy_low", "energy_high")}
        times = {"latency_s": latency_s, "tokens_per_s": tokens / latency_s}
        table.append({**case, "phase": phase, **energy, "energy_per_token_j": energy["energy_j"] / tokens, **times})
    return pd.DataFrame(table, columns=list(SUMMARY_COLUMNS))
