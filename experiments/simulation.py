"""Runs a hardware experiment: a model or bare matmuls on the Verilated accelerator, and its tables."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml

from bitjoule.energy_models.arithmetic import Phase
from bitjoule.energy_models.documents import Document, fingerprint
from bitjoule.energy_models.errors import InputError, whole_file
from bitjoule.energy_models.models import presets
from bitjoule.energy_models.technology import technologies
from bitjoule.energy_models.validation import unknown_name
from bitjoule.experiments.evaluation import PJ_PER_J, RESULT_COLUMNS
from bitjoule.experiments.folder import replacing
from bitjoule.experiments.manifest import write_run_manifest
from bitjoule.experiments.result import SUMMARY_COLUMNS
from bitjoule.experiments.rtl_schema import DEFAULT_MODEL, DEFAULT_PROMPT, RtlExperiment
from bitjoule.experiments.tables import write_csv
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.configurations import find_configuration, read_configuration
from bitjoule.sim.cycles import cycles
from bitjoule.sim.engines import CheckEngine, Engine, MatmulRecord, MatmulWeights, NumpyEngine, zero_share
from bitjoule.sim.loading import load_model
from bitjoule.sim.model import Model
from bitjoule.sim.quantisation import QuantisedWeights
from bitjoule.sim.rtl_engine import Measured, Row, RtlEngine, summed
from bitjoule.sim.synthetic import random_model
from bitjoule.sim.tokenizer import IdTokenizer, Tokenizer
from bitjoule.sim.trained import shipped_models
from bitjoule.sim.verilated import Verilated

ENDS = ("energy", "energy_low", "energy_high")
SCHEMES = {"ternary": "bitnet-b1.58", "binary": "bitnet", "float": "fp16"}


class Chosen(NamedTuple):
    """The model of a run.

    Parameters
    ----------
    model, tokenizer, name
        The model, and what it is called.
    scheme
        The scheme that its weights belong to.
    folder
        Where it was read from; none for random weights.
    """

    model: Model
    tokenizer: Tokenizer
    name: str
    scheme: str
    folder: Path | None


class Simulated(NamedTuple):
    """What a run gave.

    Parameters
    ----------
    name, scheme, parameters
        Of the model, or of the matmuls.
    config
        The accelerator.
    rows
        The matmuls of each layer, name and phase.
    new_tokens
        Generated.
    seconds
        The run took, NumPy's part included, building not.
    inputs
        SHA-256 of the model's and the accelerator's files.
    """

    name: str
    scheme: str
    parameters: int
    config: AcceleratorConfig
    rows: list[Row]
    new_tokens: int
    seconds: float
    inputs: dict[str, str]


def simulate(experiment: RtlExperiment, document: Document, say: Callable[[str], None]) -> Simulated:
    """Run a hardware experiment.

    Parameters
    ----------
    experiment
        What to run.
    document
        Where it was written: names file and line.
    say
        Takes the generated text, piece by piece.

    Raises
    ------
    InputError
        A model, configuration or prompt is wrong, or they do not fit each other.
    SimulatorError
        The hardware cannot be built, or is wrong.
    EngineMismatchError
        Hardware and NumPy differ.
    """
    # Products are exact in any order, and OpenBLAS's threads spin against the simulated hardware's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    run = experiment.rtl
    config = read_configuration(run.config)
    chosen = None if run.matmuls else _model(experiment, document)
    widest = max(linear.in_features for linear in chosen.model.shape.linears) if chosen else 0
    for i, matmul in enumerate(run.matmuls or ()):
        widest = max(widest, matmul.k)
        if matmul.m >= 1 << 16 or matmul.n >= 1 << 24:
            problem = document.problem(("rtl", "matmuls", i), "is too large", "M below 65536, N below 16777216")
            raise InputError([problem])
    if widest > config.max_k and run.engine != "numpy":
        wrong = f"{run.config} has max_k {config.max_k}, too small for K {widest}"
        raise InputError([document.problem(("rtl", "config"), wrong, f"max_k of at least {widest}")])
    hardware = None if run.engine == "numpy" else RtlEngine(Verilated(config), counts_toggles=run.toggles)
    engine: Engine = NumpyEngine()
    if hardware is not None:
        engine = CheckEngine(hardware, engine) if run.engine == "check" else hardware
    measured: list[Measured] = []
    step = 0

    def observe(record: MatmulRecord) -> None:
        taken = cycles(config, record.m, record.k, record.n) if hardware is None else hardware.last_cycles
        toggles = math.nan if hardware is None else hardware.last_toggles_per_trit
        measured.append(Measured(record, taken, step, toggles))

    def counted(tokens: Iterator[int]) -> Iterator[int]:
        nonlocal step
        for token in tokens:
            step += 1
            yield token

    begun = time.perf_counter()
    if chosen is None:
        _multiply(experiment, engine, observe)
    else:
        try:
            prompt = chosen.tokenizer.encode(DEFAULT_PROMPT if run.prompt is None else run.prompt)
            tokens = chosen.model.generate(prompt, run.new_tokens, engine, run.temperature, run.seed, observe=observe)
            for text in chosen.tokenizer.stream(counted(tokens)):
                say(text)
        except (ValueError, TypeError) as error:
            expected = "text or ids that the model's vocabulary holds"
            raise InputError([document.problem(("rtl", "prompt"), str(error), expected)]) from None
    return Simulated(
        name=chosen.name if chosen else "matmuls",
        scheme=chosen.scheme if chosen else SCHEMES["ternary"],
        parameters=chosen.model.shape.parameters if chosen else sum(m.k * m.n for m in run.matmuls or ()),
        config=config,
        rows=summed(measured, config.lanes * config.columns),
        new_tokens=step,
        seconds=time.perf_counter() - begun,
        inputs=_inputs(experiment, chosen),
    )


def _model(experiment: RtlExperiment, document: Document) -> Chosen:
    """Return the model that an experiment names."""
    run = experiment.rtl
    name = run.model or DEFAULT_MODEL
    at = ("rtl", "model")
    if run.random_weights is not None:
        if name not in presets():
            raise InputError([document.problem(at, *unknown_name("model", name, presets()))])
        try:
            model = random_model(presets()[name], run.random_weights, run.seed)
        except ValueError as error:
            raise InputError([document.problem(at, str(error), "a dense model's shape")]) from None
        return Chosen(model, IdTokenizer("random weights know no words"), name, SCHEMES["ternary"], None)
    shipped = shipped_models()
    folder = shipped.get(name, Path(name))
    if name not in shipped and "/" not in name and not folder.exists():
        raise InputError([document.problem(at, *unknown_name("model", name, shipped))])
    found = load_model(folder, name)
    called = name if name in shipped else folder.resolve().name
    return Chosen(found.model, found.tokenizer, called, SCHEMES[found.config.weights], folder)


def _multiply(experiment: RtlExperiment, engine: Engine, observe: Callable[[MatmulRecord], None]) -> None:
    """Run bare matmuls on random operands."""
    run = experiment.rtl
    rng = np.random.default_rng(run.seed)
    zeros = run.random_weights or 0.0
    for i, size in enumerate(run.matmuls or ()):
        activations = rng.integers(-127, 128, (size.m, size.k), dtype=np.int8)
        codes = rng.choice(np.array([0, -1, 1], np.int8), (size.k, size.n), p=[zeros, (1 - zeros) / 2, (1 - zeros) / 2])
        weights = MatmulWeights(QuantisedWeights(codes, np.ones(1, np.float32)))
        name = f"{size.m}x{size.k}x{size.n}"
        engine.matmul(name, activations, weights)
        shares = (weights.zero_share, zero_share(activations))
        observe(MatmulRecord(i, name, size.m, size.k, size.n, *shares))


def _inputs(experiment: RtlExperiment, chosen: Chosen | None) -> dict[str, str]:
    files = {experiment.rtl.config: find_configuration(experiment.rtl.config)}
    if chosen is not None and chosen.folder is not None:
        names = sorted(path for path in chosen.folder.iterdir() if path.suffix in {".json", ".safetensors"})
        files |= {f"{experiment.rtl.model or DEFAULT_MODEL}/{path.name}": path for path in names}
    return {name: fingerprint(path) for name, path in files.items()}


def long_table(experiment: RtlExperiment, found: Simulated) -> pd.DataFrame:
    """Return the additions of each matmul as rows of the long table.

    Parameters
    ----------
    experiment, found
        What was run, and what it gave.
    """
    price = technologies()[experiment.technology].price("add", "int8")
    adds: dict[tuple[str, str], float] = {}
    for row in found.rows:
        key = (row.phase, row.name)
        adds[key] = adds.get(key, 0.0) + float(row.tokens) * max(row.k - 1, 0) * row.n
    case = _case(experiment, found)
    kind = {"operand": "partial_sums", "action": "add", "format": "int8"}
    table = [
        {**case, "phase": phase, "component": component, **kind, "count": count, "energy_pj": count * price.nominal_pj,
         "energy_low_pj": count * price.low_pj, "energy_high_pj": count * price.high_pj}
        for (phase, component), count in adds.items()
    ]  # fmt: skip
    return pd.DataFrame(table, columns=list(RESULT_COLUMNS))


def summary_table(experiment: RtlExperiment, found: Simulated) -> pd.DataFrame:
    """Return energy and time of each phase as rows of the summary; memory and ratios are not known here.

    Parameters
    ----------
    experiment, found
        What was run, and what it gave.
    """
    long = long_table(experiment, found)
    table = []
    for phase in dict.fromkeys(row.phase for row in found.rows):
        own = long[long["phase"] == phase]
        tokens = next(row.tokens for row in found.rows if row.phase == phase)
        ticks = sum(row.cycles for row in found.rows if row.phase == phase)
        latency_s = ticks / (experiment.rtl.clock_mhz * 1e6)
        energy = {
            f"{end}_j": float(own[f"{end}_pj"].sum()) / PJ_PER_J for end in ("energy", "energy_low", "energy_high")
        }
        times = {"latency_s": latency_s, "tokens_per_s": tokens / latency_s}
        per_token = {"energy_per_token_j": energy["energy_j"] / tokens}
        table.append({**_case(experiment, found), "phase": phase, **energy, **per_token, **times})
    return pd.DataFrame(table, columns=list(SUMMARY_COLUMNS))


def _case(experiment: RtlExperiment, found: Simulated) -> dict[str, object]:
    prompt = next((row.tokens for row in found.rows if row.phase == Phase.PREFILL), 0)
    return {
        "experiment": experiment.name, "model": found.name, "parameters": found.parameters, "scheme": found.scheme,
        "technology": experiment.technology, "platform": experiment.rtl.config, "batch": 1, "prompt_tokens": prompt,
        "new_tokens": found.new_tokens,
    }  # fmt: skip


def _written_out(experiment: RtlExperiment) -> dict[str, object]:
    run = experiment.rtl
    if run.matmuls is None:
        run = run.model_copy(update={"model": run.model or DEFAULT_MODEL, "prompt": run.prompt or DEFAULT_PROMPT})
    whole = experiment.model_copy(update={"rtl": run})
    return whole.model_dump(mode="json", exclude_none=True)


def write(experiment: RtlExperiment, found: Simulated, target: Path, command: Sequence[str], summary_text: str) -> None:
    """Write the folder of a run: tables, summary.md, the experiment with every default written out, and the manifest.

    Parameters
    ----------
    experiment, found
        What was run, and what it gave.
    target
        The output folder; replaced whole.
    command
        The command line.
    summary_text
        For summary.md.

    Raises
    ------
    InputError
        The folder cannot be written, or holds what no run wrote.
    """
    if not found.rows:
        raise whole_file(str(target), "nothing was run on the hardware", "a model with quantised weights")
    with replacing(target) as folder:
        write_csv([pd.DataFrame(found.rows)], folder / "matmuls.csv")
        write_csv([long_table(experiment, found)], folder / "results.csv")
        write_csv([summary_table(experiment, found)], folder / "summary.csv")
        (folder / "summary.md").write_text(summary_text, encoding="utf-8")
        (folder / "experiment.yaml").write_text(
            yaml.safe_dump(_written_out(experiment), sort_keys=False, allow_unicode=True, width=120), encoding="utf-8"
        )
        write_run_manifest(folder, found.inputs, command, {"seed": experiment.rtl.seed})
