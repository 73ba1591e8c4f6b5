"""A step of training on a machine: what each pass costs, by component, and the memory that it needs.

The passes run one after the other: forward; what is kept, written and read; the layers forward once more, where
what they keep is computed again; gradients of the activations; gradients of the weights; gradients added up; the
optimiser.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import Described, stored_values
from bitjoule.energy_models.architecture.phases import STEP, Cases, Floats, all_steps
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.formats import scaled, width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.switches import switches_of
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.workload import Experts, points_of
from bitjoule.energy_models.training.gradients import Blocks, input_gradients, weight_gradients
from bitjoule.energy_models.training.kept import Kept, kept_bits
from bitjoule.energy_models.training.optimisers import optimisers
from bitjoule.energy_models.training.options import Options
from bitjoule.energy_models.training.streams import Stream, Streamed, streamed

FORWARD, RECOMPUTED, KEPT = "forward", "recomputation", "kept_activations"
INPUTS, WEIGHTS, ADDED, OPTIMISER = "input_gradients", "weight_gradients", "gradient_accumulation", "optimiser"
PASSES = (FORWARD, KEPT, RECOMPUTED, INPUTS, WEIGHTS, ADDED, OPTIMISER)
J_PER_PJ = 1e-12
BITS_PER_BYTE = 8
LATENT = "fp32"  # format of the optimiser's operations


class Pass(NamedTuple):
    """What one pass takes in an optimiser's step, all its micro-batches.

    Parameters
    ----------
    energy_j
        At low, nominal and high prices, by component, shape (3,) each.
    seconds
        Its time.
    macs
        By component.
    """

    energy_j: Mapping[str, Floats]
    seconds: float
    macs: Mapping[str, float]

    @property
    def total_j(self) -> Floats:
        """Of all components, shape (3,)."""
        return np.asarray(np.sum(list(self.energy_j.values()), axis=0), dtype=np.float64)

    def times(self, count: float) -> "Pass":
        """Return the pass run several times.

        Parameters
        ----------
        count
            How often.
        """
        energies = {part: count * value for part, value in self.energy_j.items()}
        return Pass(energies, count * self.seconds, {part: count * value for part, value in self.macs.items()})


class TrainingStep(NamedTuple):
    """An optimiser's step.

    Parameters
    ----------
    passes
        By name, in the order of `PASSES`; those that do not happen are left out.
    tokens
        That it trains on.
    memory_bytes
        By content: ``weights``, ``latent_weights``, ``optimiser_states``, ``gradients`` and ``activations``.
    """

    passes: Mapping[str, Pass]
    tokens: int
    memory_bytes: Mapping[str, float]

    @property
    def energy_j(self) -> Floats:
        """Of all passes, shape (3,)."""
        return np.asarray(np.sum([each.total_j for each in self.passes.values()], axis=0), dtype=np.float64)

    @property
    def seconds(self) -> float:
        """Of all passes."""
        return sum(each.seconds for each in self.passes.values())


class Trainer:
    """A scheme on a platform at a technology, on which models are trained in one way.

    Parameters
    ----------
    name, platform
        Of the platform.
    scheme, technology
        Formats of the forward pass, and prices.
    options
        How it is trained.
    objective, experts
        As for `System`.
    """

    def __init__(
        self, name: str, platform: Platform, scheme: Scheme, technology: Technology, options: Options,
        objective: Objective = Objective.ENERGY, experts: Experts = Experts.EXPECTED,
    ) -> None:  # fmt: skip
        self.name, self.platform, self.scheme, self.technology = name, platform, scheme, technology
        self.options, self.objective, self.experts = options, objective, experts

    @property
    def fused(self) -> bool:
        """Whether scores of attention stay on chip, and are therefore computed again."""
        return self.platform.attention == "fused"

    def step(self, model: ModelShape) -> TrainingStep:
        """Return what a step takes.

        Parameters
        ----------
        model
            The model.

        Raises
        ------
        UntrainableError
            A part of it has no known gradient.
        UnpricedError
            No array computes a product, or a price is missing.
        """
        options, repeats = self.options, self.options.micro_batches
        again = options.activations == "recomputed"
        forward, none = self._system(model, self.scheme), np.zeros(1, dtype=np.intp)
        spilled = bool(forward.count(self._cases, none, none).spilled.any())
        kept = self._kept(model, forward)
        passes = {FORWARD: _evaluated(forward, self._cases).times(repeats)}
        passes[KEPT] = self._stream(self._kept_stream(kept, spilled, again)).times(repeats)
        if again:
            layers = Blocks(tuple(block for block in model.blocks if block.layers))
            passes[RECOMPUTED] = self._run(layers, self.scheme).times(repeats)
        backward = input_gradients(model, recomputed=self.fused)
        passes[INPUTS] = self._run(backward, input_scheme(self.scheme, options.gradients)).times(repeats)
        own = weight_scheme(self.scheme, options.gradients)
        passes[WEIGHTS] = self._run(weight_gradients(model, self.experts), own).times(repeats)
        values = model.parameters
        bits = width_bits(options.gradients)
        if repeats > 1:
            added = Stream(2.0 * values * bits, 1.0 * values * bits, 0.0, 1.0 * values, options.gradients)
            passes[ADDED] = self._stream(added).times(repeats - 1)
        passes[OPTIMISER] = self.optimiser_step(model)
        return TrainingStep(passes, options.step_tokens, self._memory(model, kept, again))

    def optimiser_step(self, model: ModelShape) -> Pass:
        """Return what the optimiser takes.

        Parameters
        ----------
        model
            The model.

        Raises
        ------
        UnpricedError
            The technology does not price its operations.
        """
        return self._stream(self._update(model))

    @cached_property
    def _machine(self) -> Machine:
        return Machine(self.scheme, self.platform, self.technology, self.name)

    @property
    def _cases(self) -> Cases:
        one, tokens = np.zeros(1, dtype=np.intp), float(self.options.sequence_tokens)
        batch, length = np.array([float(self.options.sequences)]), np.array([tokens])
        return Cases(one, one, batch, length, np.zeros(1), 0.0, tokens)

    def _system(self, blocks: Described, scheme: Scheme) -> System:
        machines = [[(self.name, self.platform)]]
        return System([blocks], [scheme], [self.technology], machines, self.objective, (STEP,), self.experts)

    def _run(self, blocks: Described, scheme: Scheme) -> Pass:
        return _evaluated(self._system(blocks, scheme), self._cases)

    def _stream(self, stream: Stream) -> Pass:
        cost: Streamed = streamed(self._machine, stream)
        return Pass(cost.energy_j, cost.seconds, {})

    def _kept(self, model: ModelShape, system: System) -> Kept:
        """Return what the forward pass keeps, whose system it is."""
        machines, none = [system.machine(0, 0, 0)], np.zeros(1, dtype=np.intp)
        switches = switches_of(system.layout, machines, none)
        at = points_of(self._cases, all_steps((STEP,), self._cases), switches)
        return kept_bits(model, machines[0], at, recomputed=self.fused)

    def _kept_stream(self, kept: Kept, spilled: bool, again: bool) -> Stream:
        """Return what is written and read between the passes.

        Where activations do not stay on chip, the forward pass has written them all: nothing is written twice. A layer
        that runs once more writes and reads what it would have kept.
        """
        written = 0.0 if spilled else kept.written
        read = kept.read
        if again:
            written, read = written + kept.layer_inputs, read + kept.layer_inputs
        return Stream(read, written, 0.0, 0.0, self.scheme.residual)

    def _update(self, model: ModelShape) -> Stream:
        """Return the optimiser's stream: gradient, states and latent weights in; the latter and the copies out."""
        optimiser, values = optimisers()[self.options.optimiser], model.parameters
        stored = stored_values(model.blocks)
        mul, add = optimiser.mul * values, optimiser.add * values
        if scaled(self.scheme.weights):
            row = functions()["weight_quantisation"]
            mul, add = mul + row.mul * stored["weights"], add + row.add * stored["weights"]
        read = values * (optimiser.kept_bits + width_bits(self.options.gradients))
        return Stream(read, values * optimiser.kept_bits + self._copies(model), mul, add, LATENT)

    def _copies(self, model: ModelShape) -> float:
        """Return the bits of the parameters in the formats that compute."""
        stored, scheme = stored_values(model.blocks), self.scheme
        bits = {
            "weights": scheme.stored("weight_storage").bits, "embedding": scheme.stored("embedding").bits,
            "lm_head": scheme.stored("lm_head").bits, "adapters": scheme.stored("adapter").bits,
            "other": float(self._machine.vector_bits),
        }  # fmt: skip
        return sum(stored[name] * each for name, each in bits.items())

    def _memory(self, model: ModelShape, kept: Kept, again: bool) -> dict[str, float]:
        optimiser, values = optimisers()[self.options.optimiser], model.parameters
        activations = kept.layer_inputs + kept.largest if again else kept.written + kept.cached
        bits = {
            "weights": self._copies(model),
            "latent_weights": values * optimiser.latent_bits,
            "optimiser_states": values * sum(optimiser.state_bits),
            "gradients": float(values * width_bits(self.options.gradients)),
            "activations": activations,
        }
        return {name: each / BITS_PER_BYTE for name, each in bits.items()}


def input_scheme(scheme: Scheme, gradients: str) -> Scheme:
    """Return the formats of the pass that carries gradients back: weights as they are stored, times gradients.

    Parameters
    ----------
    scheme
        Of the forward pass.
    gradients
        Format of the gradients.
    """
    weights = scheme.weights if scaled(scheme.weights) else gradients
    return _derived(scheme, gradients, weights, scheme.weight_storage if scaled(scheme.weights) else None)


def weight_scheme(scheme: Scheme, gradients: str) -> Scheme:
    """Return the formats of the weights' gradients: inputs as they were multiplied, times gradients.

    Parameters
    ----------
    scheme, gradients
        As for `input_scheme`.
    """
    return _derived(scheme, gradients, scheme.activations if scheme.quantises_activations else gradients, None)


def _derived(scheme: Scheme, gradients: str, weights: str, storage: object) -> Scheme:
    keys = {
        "weights": weights, "activations": gradients, "attention": gradients, "weight_storage": storage,
        "rescale": gradients if scaled(weights) else None,
        "embedding": scheme.embedding, "lm_head": scheme.lm_head,
    }  # fmt: skip
    return Scheme.model_validate({name: value for name, value in keys.items() if value is not None})


def _evaluated(system: System, cases: Cases) -> Pass:
    none = np.zeros(1, dtype=np.intp)
    evaluated = system.evaluate(cases, none, none)
    ends = np.stack([evaluated.energies.low_pj, evaluated.energies.nominal_pj, evaluated.energies.high_pj])[:, 0]
    energies: dict[str, Floats] = {}
    for column in np.flatnonzero(ends.any(axis=0)).tolist():
        name = system.columns[column].component
        energies[name] = energies.get(name, np.zeros(3)) + ends[:, column] * J_PER_PJ
    macs = dict(zip(system.layout.matmuls, evaluated.times.macs[0, 0].tolist(), strict=True))
    return Pass(energies, float(evaluated.latency_s[0, 0]), {name: value for name, value in macs.items() if value})
