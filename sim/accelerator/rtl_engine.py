"""The Verilated accelerator as a model's engine, and what it measured.

The cycles of every matmul are counted by the hardware and compared with `bitjoule.sim.accelerator.cycles`.
"""

import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.cycles import cycles as cycles_of_matmul
from bitjoule.sim.accelerator.native_build import native_library
from bitjoule.sim.accelerator.native_machine import Window
from bitjoule.sim.accelerator.streams import result_beats
from bitjoule.sim.accelerator.verilated import PackedWeights, Verilated
from bitjoule.sim.bench.simulators import SimulatorError
from bitjoule.sim.llm.engines import Int32s, MatmulRecord, MatmulWeights
from bitjoule.sim.reference.matmul import Codes

PACKED = "rtl"
WINDOW_CYCLES = 1000  # of a matmul, in which toggles are counted
# Outputs of the trees' adders; the other nets are the same bits under other names, or parts of one expression.
ADDED = re.compile(r"/column\d+/dot_product/level\d+_\d+(_sum|_carry)?$")


@dataclass
class RtlEngine:
    """Multiplies on the simulated hardware.

    Parameters
    ----------
    hardware
        The accelerator.
    keeps_packed
        Whether packed weights are kept in addition to the codes: twice the memory, but packed once.
    counts_toggles
        Whether each matmul's first `WINDOW_CYCLES` cycles are run once more, once in each phase, in a slower build that
        counts toggles; it is compiled here.

    Attributes
    ----------
    phase
        Of the run, set by whoever runs it.
    seconds
        Time of all matmuls on the hardware so far, without packing and counting toggles.
    last_cycles
        Of the latest matmul.
    last_toggles_per_trit
        Of the phase's first call of the latest matmul, if they are counted: bits of the sums and carries that the dot
        products' adders put out, changed from the end of one cycle to the end of the next, over the trits that go
        through them.
    """

    hardware: Verilated
    keeps_packed: bool = True
    counts_toggles: bool = False
    phase: str = field(default="", init=False)
    seconds: float = field(default=0.0, init=False)
    last_cycles: int = field(default=0, init=False)
    last_toggles_per_trit: float = field(default=math.nan, init=False)
    _counted: dict[tuple[str, str], float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.counts_toggles:
            native_library(self.hardware.config, "saif")

    def matmul(self, name: str, activations: Codes, weights: MatmulWeights) -> Int32s:
        """Return the product that the hardware computes; see `bitjoule.sim.llm.engines.Engine.matmul`.

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
        begun = time.perf_counter()
        outcome = self.hardware.matmul(activations, packed)
        self.seconds += time.perf_counter() - begun
        (m, k), n = activations.shape, packed.n
        expected = cycles_of_matmul(self.hardware.config, m, k, n)
        if outcome.cycles != expected:
            raise SimulatorError(f"{name}: the hardware took {outcome.cycles} cycles, the closed form gives {expected}")
        self.last_cycles = outcome.cycles
        if self.counts_toggles:
            key = (name, self.phase)
            if key not in self._counted:
                self._counted[key] = self._toggles_per_trit(activations, packed, outcome.cycles)
            self.last_toggles_per_trit = self._counted[key]
        return outcome.results

    def _toggles_per_trit(self, activations: Codes, packed: PackedWeights, cycles: int) -> float:
        window = Window(cycles=min(WINDOW_CYCLES, cycles))
        toggles = self.hardware.toggles(activations, packed, window, complete=False).toggles
        assert toggles is not None  # noqa: S101 (toggles() counts them)
        changed = sum(count for net, count in toggles.nets.items() if ADDED.search(net))
        return float(changed / (activations.shape[0] * packed.k * packed.n * toggles.cycles / cycles))


class MeasuredMatmul(NamedTuple):
    """One matmul of a run.

    Parameters
    ----------
    record
        What the model multiplied.
    cycles
        What the accelerator takes for it.
    new_token
        0 for the prompt's pass, then 1, 2, ...
    toggles_per_trit
        As of `RtlEngine`; not a number where they were not counted.
    commands
        That a whole BitLinear got for it, one for each scale: each takes all activations.
    """

    record: MatmulRecord
    cycles: int
    new_token: int
    toggles_per_trit: float = math.nan
    commands: int = 1

    @property
    def phase(self) -> str:
        """``prefill`` or ``decode``."""
        return "decode" if self.new_token else "prefill"


class Streams(NamedTuple):
    """Bits of whole beats that cross the hardware's ports in a matmul, the padding of tiles included.

    Parameters
    ----------
    weight_bits
        Each block of `tokens` tokens takes all weights.
    activation_bits
        Each tile of `columns` outputs takes all activations; a whole BitLinear takes each once, and the norm's gains.
    result_bits
        Each once.
    """

    weight_bits: int
    activation_bits: int
    result_bits: int


def streams(config: AcceleratorConfig | LinearConfig, m: int, k: int, n: int) -> Streams:
    """Return what a matmul streams.

    Parameters
    ----------
    config
        The configuration.
    m, k, n
        The matmul's sizes.
    """
    array = config.array if isinstance(config, LinearConfig) else config
    k_tiles, blocks = -(-k // array.lanes), -(-m // array.tokens)
    results = result_beats(array, m, n)
    tiles = k_tiles * result_beats(array, 1, n)
    weight_bits = blocks * tiles * array.tile_beats * array.weight_bus_bits
    if isinstance(config, LinearConfig):
        rows = m + config.normed
        return Streams(
            weight_bits, rows * -(-k // config.lanes) * config.bus_bits, results * config.result_beats * config.bus_bits
        )
    return Streams(weight_bits, results * k_tiles * array.activation_bus_bits, results * array.result_bus_bits)


def _streamed(config: AcceleratorConfig | LinearConfig, matmul: MeasuredMatmul) -> Streams:
    """Return what all commands of a matmul stream."""
    record, commands = matmul.record, matmul.commands
    return Streams(*(commands * bits for bits in streams(config, record.m, record.k, record.n // commands)))


class Row(NamedTuple):
    """The matmuls of one layer and name in one phase, added up.

    Parameters
    ----------
    phase
        ``prefill`` or ``decode``.
    layer, name, k, n
        As of `MatmulRecord`; `k` are the in_features of all groups.
    tokens, cycles
        Over all calls.
    utilisation
        Share of the array's trits over all cycles that are the matmuls' own, 0 to 1.
    weight_zero_share, activation_zero_share
        The weights', and the mean of the activations'.
    toggles_per_trit
        Of the first call.
    weight_bits, activation_bits, result_bits
        What all calls streamed.
    groups
        Matmuls for the in_features of one call, each of `k` / `groups` of them.
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
    toggles_per_trit: float
    weight_bits: int
    activation_bits: int
    result_bits: int
    groups: int = 1


def summed(measured: Iterable[MeasuredMatmul], config: AcceleratorConfig | LinearConfig) -> list[Row]:
    """Return one row for each layer, name and phase, in the order they were first run.

    Parameters
    ----------
    measured
        A run's matmuls.
    config
        The accelerator, or a whole BitLinear.
    """
    array = config.array if isinstance(config, LinearConfig) else config
    groups: dict[tuple[str, int, str], list[MeasuredMatmul]] = {}
    for matmul in measured:
        groups.setdefault((matmul.phase, matmul.record.layer, matmul.record.name), []).append(matmul)
    rows = []
    for (phase, layer, name), group in groups.items():
        first = group[0].record
        rows_run, cycles = sum(matmul.record.m for matmul in group), sum(matmul.cycles for matmul in group)
        zeros = sum(matmul.record.activation_zero_share * matmul.record.m for matmul in group) / rows_run
        used = rows_run * first.k * first.n / (cycles * array.lanes * array.columns)
        weight_zeros = sum(matmul.record.weight_zero_share for matmul in group[: first.groups]) / first.groups
        shares = (used, weight_zeros, zeros, group[0].toggles_per_trit)
        streamed = Streams(*map(sum, zip(*(_streamed(config, matmul) for matmul in group), strict=True)))
        sizes = first.k * first.groups, first.n, rows_run // first.groups
        rows.append(Row(phase, layer, name, *sizes, cycles, *shares, *streamed, first.groups))
    return rows
