"""What single steps of a model cost on a machine: energy, time, and the bits that off-chip memory reads."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import STEP, Cases, Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.prices.technology import Technology
from bitjoule.energy_models.system.counting.memory import Bytes
from bitjoule.energy_models.system.counting.times import array_names
from bitjoule.energy_models.system.counting.utilisation import RESOURCES
from bitjoule.energy_models.system.hardware.machine import Machine as SystemMachine
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.mappings.mapping import Objective
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.platform.regulator import UNREGULATED
from bitjoule.energy_models.system.platform.static_power import NOT_COMPUTING, NOT_MOVING, ON, STATES
from bitjoule.energy_models.system.system import System
from bitjoule.energy_models.system.work.workload import Experts

J_PER_PJ = 1e-12
US_PER_S = 1e6
TABLES = ("embedding", "lm_head")
Row = tuple[float, ...]  # tokens, before, batch and outputs of a step
BLOCK = 128  # steps that are counted together
WAITING = (ON, NOT_COMPUTING, NOT_MOVING)


class Steps(NamedTuple):
    """Single steps, shape (steps,) each.

    Parameters
    ----------
    tokens, before
        Of each sequence: in the step, and in the KV cache as it begins.
    batch
        Sequences.
    outputs
        Tokens of each sequence that the LM head runs for.
    repeats
        How often the step is run.
    """

    tokens: Floats
    before: Floats
    batch: Floats
    outputs: Floats
    repeats: Floats

    @classmethod
    def of(cls, *steps: tuple[float, float, float, float, float]) -> "Steps":
        """Return steps given as tuples of the five fields; those that are not run are left out."""
        table = np.array([step for step in steps if step[0] and step[-1]], dtype=np.float64).reshape(-1, 5)
        return cls(*table.T)


class StepCosts(NamedTuple):
    """What steps cost, each run once.

    Parameters
    ----------
    energy_j
        At low, nominal and high prices, shape (3, steps).
    latency_s
        Shape (steps,).
    weight_bits, cache_bits
        That off-chip memory reads for the weights but embedding and LM head, and for keys, values and states, shape
        (steps,) each.
    macs
        By the name of the array that runs them, shape (steps,) each.
    bound_s
        The latency by what bounds it, shape (`BOUNDS`, steps).
    busy_s
        How long each resource is busy at its peak, shape (`RESOURCES`, steps).
    """

    energy_j: Floats
    latency_s: Floats
    weight_bits: Floats
    cache_bits: Floats
    macs: Mapping[str, Floats]
    bound_s: Floats
    busy_s: Floats


class Machine:
    """A scheme on a platform at a technology, for which steps of models are counted.

    Parameters
    ----------
    name, platform
        Of the platform.
    scheme, technology, objective, experts
        As for `System`.

    Attributes
    ----------
    collecting
        Whether `costs` only collects steps and returns zeros: steps that are known are counted together, which takes a
        fraction of the time.
    """

    def __init__(
        self, name: str, platform: Platform, scheme: Scheme, technology: Technology, objective: Objective,
        experts: Experts,
    ) -> None:  # fmt: skip
        self.name, self.platform, self.scheme, self.technology = name, platform, scheme, technology
        self._how = (objective, experts)
        self.collecting = False
        self._systems: dict[str, System] = {}
        self._known: dict[str, dict[Row, Floats | None]] = {}
        self._arrays: dict[str, tuple[str, ...]] = {}
        self._stored: dict[str, Bytes] = {}

    def system(self, model: ModelShape) -> System:
        """Return the machine with a model; its mappings are found once.

        Parameters
        ----------
        model
            The model.
        """
        key = model.model_dump_json()
        if key not in self._systems:
            objective, experts = self._how
            machines: Sequence[Sequence[tuple[str, Platform]]] = [[(self.name, self.platform)]]
            self._systems[key] = System(
                [model], [self.scheme], [self.technology], machines, objective, (STEP,), experts
            )
        return self._systems[key]

    def costs(self, model: ModelShape, steps: Steps) -> StepCosts:
        """Return what steps cost.

        Parameters
        ----------
        model, steps
            The model and its steps; at least one.
        """
        key, rows = model.model_dump_json(), list(zip(*(values.tolist() for values in steps[:4]), strict=True))
        known = self._known.setdefault(key, {})
        if self.collecting:
            known |= {row: None for row in rows if row not in known}
            none = np.zeros(len(rows))
            bound_s, busy_s = np.zeros((len(BOUNDS), len(rows))), np.zeros((len(RESOURCES), len(rows)))
            return StepCosts(np.zeros((3, len(rows))), none, none, none, {}, bound_s, busy_s)
        if any(known.get(row) is None for row in rows):
            known |= {row: None for row in rows if row not in known}
            missing = [row for row, costs in known.items() if costs is None]
            for start in range(0, len(missing), BLOCK):
                block = missing[start : start + BLOCK]
                known |= zip(block, self._costs(model, block), strict=True)
        table = np.array([known[row] for row in rows]).T
        bound_s, busy_s, by_array = np.split(table[6:], [len(BOUNDS), len(BOUNDS) + len(RESOURCES)])
        macs = {array: by_array[i] for i, array in enumerate(self._arrays[key]) if by_array[i].any()}
        return StepCosts(table[:3], table[3], table[4], table[5], macs, bound_s, busy_s)

    def _costs(self, model: ModelShape, rows: Sequence[Row]) -> list[Floats]:
        """Return the fields of `StepCosts` of steps, one after the other; MACs in the order of `_arrays`."""
        system = self.system(model)
        tokens, before, batch, outputs = np.array(rows).T
        zeros, none = np.zeros(len(rows), dtype=np.intp), np.zeros(len(rows))
        cases = Cases(zeros, zeros, batch, tokens, none, before, outputs)
        evaluated = system.evaluate(cases, zeros, zeros)
        read = np.array([column.action == "off_chip_read" for column in system.columns])
        cached = np.array([column.component == "kv_cache_read" for column in system.columns])
        weights = np.array(
            [column.operand == "weights" and column.component not in TABLES for column in system.columns]
        )
        ends = (evaluated.energies.low_pj, evaluated.energies.nominal_pj, evaluated.energies.high_pj)
        names = array_names(system.machine(0, 0, 0), system.layout)
        arrays = self._arrays[model.model_dump_json()] = tuple(dict.fromkeys(name for name in names if name))
        macs = np.zeros((len(arrays), len(rows)))
        for at, array in enumerate(names):
            if array:
                macs[arrays.index(array)] += evaluated.times.macs[:, 0, at]
        fields = [end.sum(axis=1) * J_PER_PJ for end in ends] + [evaluated.latency_s[:, 0]]
        fields += [evaluated.counts[:, read & own].sum(axis=1) for own in (weights & ~cached, cached)]
        shared = [each[:, 0].sum(axis=1).T for each in (evaluated.times.seconds, evaluated.times.busy)]
        return list(np.stack([*fields, *shared[0], *shared[1], *macs], axis=1))

    def stored(self, model: ModelShape) -> Bytes:
        """Return the memory of a model without a token: weights and tables; values, not arrays.

        Parameters
        ----------
        model
            The model.
        """
        key = model.model_dump_json()
        if key not in self._stored:
            one = np.ones(1)
            cases = Cases(np.zeros(1, np.intp), np.zeros(1, np.intp), one, one, 0 * one)
            memory = self.system(model).evaluate(cases, np.zeros(1, np.intp), np.zeros(1, np.intp)).memory_bytes
            self._stored[key] = Bytes(*(values[0] for values in memory))
        return self._stored[key]

    @property
    def idle_w(self) -> Floats:
        """Watts of the machine while it waits, at low, nominal and high values, shape (3,)."""
        machine = self.system_machine
        clock_hz = machine.clock_mhz * US_PER_S
        if self.platform.power is None:
            return np.array(machine.cycle_pj) * J_PER_PJ * clock_hz
        watts, loss = np.zeros(3), np.array(machine.regulator.price)
        for state, line in zip(STATES, machine.static, strict=True):
            if state.cycles in WAITING:
                watts += np.array(line.price) * (1 + loss * (state.part not in UNREGULATED))
        return watts * J_PER_PJ * clock_hz

    @cached_property
    def system_machine(self) -> SystemMachine:
        """The machine as the system accounting has it."""
        return SystemMachine(self.scheme, self.platform, self.technology, self.name)
