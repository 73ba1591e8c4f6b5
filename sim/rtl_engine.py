"""The Verilated accelerator as a model's engine, and what it measured.

Every matmul's cycles are the hardware's own and are held against `bitjoule.sim.cycles`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bitjoule.sim.cycles import cycles as cycles_of_matmul
from bitjoule.sim.engines import Int32s, MatmulRecord, MatmulWeights
from bitjoule.sim.matmul import Codes
from bitjoule.sim.simulators import SimulatorError
from bitjoule.sim.verilated import PackedWeights, Verilated

PACKED = "rtl"


@dataclass
class RtlEngine:
    """Multiplies on the simulated hardware.

    Parameters
    ----------
    hardware
        The accelerator.
    keeps_packed
        Whether packed weights are kept beside the codes: twice the memory, but packed once.

    Attributes
    ----------
    last_cycles
        Of the latest matmul.
    """

    hardware: Verilated
    keeps_packed: bool = True
    last_cycles: int = field(default=0, init=False)

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return the product that the hardware computes; see `bitjoule.sim.engines.Engine.matmul`.

        Raises
        ------
        SimulatorError
            The hardware took another number of cycles than its closed form says.
        """
        packed = weights.packed.get(PACKED)
        if packed is None:
            packed = self.hardware.pack(weights.codes)
            if self.keeps_packed:
                weights.packed[PACKED] = packed
        assert isinstance(packed, PackedWeights)  # noqa: S101 (nobody else uses this key)
        outcome = self.hardware.matmul(activations, packed)
        (m, k), n = activations.shape, packed.n
        expected = cycles_of_matmul(self.hardware.config, m, k, n)
        if outcome.cycles != expected:
            raise SimulatorError(f"{name}: the hardware took {outcome.cycles} cycles, its closed form {expected}")
        self.last_cycles = outcome.cycles
        return outcome.results


class Measured(NamedTuple):
    """One matmul of a run.

    Parameters
    ----------
    record
        What the model asked for.
    cycles
        That the accelerator takes for it.
    new_token
        0 for the prompt's pass, then 1, 2, ...
    """

    record: MatmulRecord
    cycles: int
    new_token: int


class Row(NamedTuple):
    """The matmuls of one layer and name in one phase, added up.

    Parameters
    ----------
    phase
        ``prefill`` or ``decode``.
    layer, name, k, n
        As of `MatmulRecord`.
    tokens, cycles
        Over all calls.
    utilisation
        Share of the array's trits over all cycles that are the matmuls' own, 0 to 1.
    weight_zero_share, activation_zero_share
        The weights', and the mean of the activations'.
    """

    phase: str
    layer: int
    name: str
    k: int
    n: int
    tokens: int
    cycles: int
    utilisation: float
    weight_zero_share: float
    activation_zero_share: float


def summed(measured: Iterable[Measured], trits_per_cycle: int) -> list[Row]:
    """Return one row for each layer, name and phase, in the order they were first run.

    Parameters
    ----------
    measured
        A run's matmuls.
    trits_per_cycle
        Of the array: lanes x columns.
    """
    groups: dict[tuple[str, int, str], list[Measured]] = {}
    for one in measured:
        phase = "decode" if one.new_token else "prefill"
        groups.setdefault((phase, one.record.layer, one.record.name), []).append(one)
    rows = []
    for (phase, layer, name), own in groups.items():
        first = own[0].record
        tokens, cycles = sum(one.record.m for one in own), sum(one.cycles for one in own)
        zeros = sum(one.record.activation_zero_share * one.record.m for one in own) / tokens
        used = tokens * first.k * first.n / (cycles * trits_per_cycle)
        rows.append(Row(phase, layer, name, first.k, first.n, tokens, cycles, used, first.weight_zero_share, zeros))
    return rows
