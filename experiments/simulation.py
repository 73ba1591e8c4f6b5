"""Runs a hardware experiment: a model or bare matmuls on the Verilated accelerator."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.accesses import UnpricedError
from bitjoule.energy_models.documents import Document, fingerprint
from bitjoule.energy_models.errors import InputError
from bitjoule.energy_models.machine import Machine
from bitjoule.energy_models.models import presets
from bitjoule.energy_models.schemes import schemes
from bitjoule.energy_models.steps import Kind
from bitjoule.energy_models.storage import WIDTH_BITS
from bitjoule.energy_models.technology import technologies
from bitjoule.energy_models.validation import unknown_name
from bitjoule.experiments.accelerator_costs import accelerator_machine
from bitjoule.experiments.rtl_schema import (
    DEFAULT_MODEL,
    DEFAULT_PROMPT,
    MachineRead,
    RtlExperiment,
    RtlRun,
    read_machine,
)
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.encodings import ENCODINGS
from bitjoule.sim.configurations import find_configuration, read_configuration
from bitjoule.sim.cycles import Shape, cycles
from bitjoule.sim.engines import CheckEngine, Engine, MatmulRecord, MatmulWeights, NumpyEngine, zero_share
from bitjoule.sim.loading import load_model
from bitjoule.sim.model import Model
from bitjoule.sim.quantisation import QuantisedWeights
from bitjoule.sim.rtl_engine import Measured, Row, RtlEngine, summed
from bitjoule.sim.synthetic import random_model
from bitjoule.sim.tokenizer import IdTokenizer, Tokenizer
from bitjoule.sim.trained import shipped_models
from bitjoule.sim.verilated import Verilated

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


class Call(NamedTuple):
    """A matmul with all that decides what it costs.

    Parameters
    ----------
    phase, name
        As of `bitjoule.sim.rtl_engine.Row`.
    kind
        A model's linear, or a bare matmul.
    shape, cycles
        The matmul, and the cycles that the accelerator took.
    """

    phase: str
    name: str
    kind: Kind
    shape: Shape
    cycles: int


class Simulated(NamedTuple):
    """What a run gave.

    Parameters
    ----------
    name, scheme, parameters
        Of the model, or of the matmuls.
    config
        The accelerator.
    built
        The machine around it; none for a model without integer matmuls.
    rows
        The matmuls of each layer, name and phase.
    calls
        How often each distinct one was run.
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
    built: Machine | None
    rows: list[Row]
    calls: dict[Call, int]
    new_tokens: int
    seconds: float
    inputs: dict[str, str]

    @property
    def machine(self) -> Machine:
        """The machine around the accelerator.

        Raises
        ------
        ValueError
            There are no integer matmuls that it could run.
        """
        if self.built is None:
            raise ValueError(f"{self.name} has no integer matmuls")
        return self.built


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
    found_platform = read_machine(experiment, document)
    chosen = None if run.matmuls else _model(experiment, document)
    _check_fit(run, config, chosen, document)
    machine = None
    if chosen is None or chosen.scheme != SCHEMES["float"]:
        machine = _machine(experiment, config, chosen, found_platform, document)
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
    kind = Kind.LINEAR if chosen else Kind.BARE
    calls = Counter(
        Call(one.phase, one.record.name, kind, Shape(one.record.m, one.record.k, one.record.n), one.cycles)
        for one in measured
    )
    return Simulated(
        name=chosen.name if chosen else "matmuls",
        scheme=chosen.scheme if chosen else SCHEMES["ternary"],
        parameters=chosen.model.shape.parameters if chosen else sum(m.k * m.n for m in run.matmuls or ()),
        config=config,
        built=machine,
        rows=summed(measured, config),
        calls=dict(calls),
        new_tokens=step,
        seconds=time.perf_counter() - begun,
        inputs=_inputs(experiment, chosen) | found_platform.inputs,
    )


def _check_fit(run: RtlRun, config: AcceleratorConfig, chosen: Chosen | None, document: Document) -> None:
    """Refuse an accelerator that cannot run the matmuls, whoever multiplies."""

    def refuse(wrong: str, expected: str) -> InputError:
        return InputError([document.problem(("rtl", "config"), f"{run.config} has {wrong}", expected)])

    sizes = [linear.in_features for linear in chosen.model.shape.linears] if chosen else []
    widest = max(sizes + [matmul.k for matmul in run.matmuls or ()])
    if widest > config.max_k:
        raise refuse(f"max_k {config.max_k}, too small for K {widest}", f"max_k of at least {widest}")
    scheme = chosen.scheme if chosen else SCHEMES["ternary"]
    if scheme == SCHEMES["float"]:
        return
    bits = WIDTH_BITS[schemes()[scheme].activations]
    if config.activation_bits < bits:
        wrong = f"activation_bits {config.activation_bits}, too few for the activations' {bits}"
        raise refuse(wrong, f"activation_bits: {bits}")
    if scheme == SCHEMES["ternary"] and run.random_weights != 0 and not config.encoding.zero:
        wrong = f"weight_encoding {config.weight_encoding}, which cannot say the zeros of these weights"
        raise refuse(wrong, f"one of {', '.join(name for name, encoding in ENCODINGS.items() if encoding.zero)}")


def _machine(
    experiment: RtlExperiment, config: AcceleratorConfig, chosen: Chosen | None, found: MachineRead, document: Document
) -> Machine:
    scheme = schemes()[chosen.scheme if chosen else SCHEMES["ternary"]]
    technology = technologies()[experiment.technology]
    try:
        return accelerator_machine(config, scheme, found.platform, technology, found.name, experiment.rtl.clock_mhz)
    except UnpricedError as error:
        raise InputError([document.problem(("platform",), *error.args)]) from None


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
