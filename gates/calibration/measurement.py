"""One measurement: an array's netlist, run on operands, priced; from the cache if it was made before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from bitjoule.gates.code_fingerprint import code_fingerprint
from bitjoule.gates.constants import constant
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints
from bitjoule.gates.netlist import Netlist
from bitjoule.gates.power.activity import Simulator, clock_tree
from bitjoule.gates.power.delays import arc_delays
from bitjoule.gates.power.energy import EnergyModel
from bitjoule.gates.power.parts import by_part, energy_by_part_fj, parts_of
from bitjoule.gates.stimuli.operands import OperandSource, Values
from bitjoule.gates.stimuli.stimulus import Stimulus, check
from bitjoule.gates.stimuli.texts import parse_operands
from bitjoule.gates.synthesis.flow import Goals
from bitjoule.gates.synthesis.store import stored_netlist
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.garbage import uncollected
from bitjoule.rtl.verilog import TOP
from bitjoule.sim.accelerator.build_cache import cached, content_hash
from bitjoule.sim.accelerator.generated import generated_verilog

CLOCK = "clk"
WARM_UP_CYCLES = 12
_CHECKED_TILES = 3
_FILE = "measurement.json"


@dataclass(frozen=True)
class Effort:
    """How long operands are run: more of them make a smaller standard error.

    Parameters
    ----------
    cycles
        Clock cycles that are counted; where weights stay for several tokens, whole numbers of those.
    words
        Words of 64 independent sequences.
    seed
        Of the random operands.
    """

    cycles: int = 8
    words: int = 1
    seed: int = 1


@dataclass(frozen=True)
class Measurement:
    """An array's energy in a cycle, and what it is made of.

    Parameters
    ----------
    config
        The configuration, as its YAML file holds it.
    stimulus
        The operands' text.
    held
        Whether a weight tile served `tokens` tokens.
    zero_share
        Of the weights that were run.
    settled_fj, total_fj
        Without glitches and with those that real delays leave, pins only, clock included.
    wire_settled_fj, wire_fj
        Of wires, by the wire-load rule, without and with glitches.
    clock_fj
        The clock pins' share of `settled_fj` and `total_fj`.
    error_fj
        Standard error of `total_fj`.
    leakage_nw, area_um2, cells, period_ns
        Of the netlist.
    parts_fj, parts_settled_fj, parts_um2
        Energy with and without glitches, wires and primary inputs included, and area, by part; see
        `bitjoule.gates.power.parts`.
    """

    config: Mapping[str, object]
    stimulus: str
    held: bool
    zero_share: float
    settled_fj: float
    total_fj: float
    wire_settled_fj: float
    wire_fj: float
    clock_fj: float
    error_fj: float
    leakage_nw: float
    area_um2: float
    cells: int
    period_ns: float
    parts_fj: Mapping[str, float] = field(default_factory=dict)
    parts_settled_fj: Mapping[str, float] = field(default_factory=dict)
    parts_um2: Mapping[str, float] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """MACs in a cycle."""
        accelerator = AcceleratorConfig.from_mapping(dict(self.config))
        return accelerator.lanes * accelerator.columns

    @property
    def counted_fj(self) -> float:
        """All that was counted in a cycle: pins and wires, with glitches."""
        return self.total_fj + self.wire_fj

    @property
    def without_glitches_fj(self) -> float:
        """Pins and wires in a cycle if each net toggled once at most."""
        return self.settled_fj + self.wire_settled_fj

    @property
    def band_fj(self) -> tuple[float, float, float]:
        """Energy of a cycle: low, nominal and high.

        Low: pins alone, without glitches. Nominal: with wires and with the glitches that the delays of the library
        leave (`bitjoule.gates.power.events`). High: longer wires and a clock tree (constants.csv: ``high-wire-length``,
        ``high-clock-tree``).
        """
        high = self.total_fj + constant("high-wire-length") * self.wire_fj + constant("high-clock-tree") * self.clock_fj
        return self.settled_fj, self.counted_fj, high


def netlist_of(config: AcceleratorConfig, library: Library, options: Options | None = None, names: int = 0) -> Netlist:
    """Return a configuration's netlist.

    Parameters
    ----------
    config
        The accelerator.
    library
        The cells.
    options
        How to synthesise.
    names
        As of `measure`.

    Raises
    ------
    RuntimeError
        Yosys failed.
    ValueError
        Something could not be mapped.
    """
    goals = Goals(float("nan"), constant("load-share"))
    # One way through ABC for all sizes: of two whose areas are equal, one can glitch a tenth more than the other.
    options = replace(options or Options(tries=1), names=names)
    return stored_netlist(generated_verilog(config), TOP, CLOCK, library, options, goals)


def measure(
    config: AcceleratorConfig, library: Library, stimulus: str, effort: Effort | None = None, names: int = 0
) -> Measurement:
    """Return what an array takes in a cycle at full rate, after its netlist has been checked against NumPy.

    A configuration for several tokens reuses each weight tile for all of them.

    Parameters
    ----------
    config
        The accelerator.
    library
        The cells.
    stimulus
        The operands; see `bitjoule.gates.stimuli.operands`.
    effort
        How long.
    names
        Which of several netlists that differ in names alone: they lie some percent apart. See
        `bitjoule.gates.synthesis.names`.

    Raises
    ------
    StimulusError
        The text names no operands of this configuration.
    NetlistError
        The netlist does not compute what NumPy computes.
    """
    effort = effort or Effort()
    return _measure(_Array(config, library, names, effort.words), stimulus, effort)


def measure_all(
    config: AcceleratorConfig, library: Library, stimuli: Iterable[str], effort: Effort
) -> list[Measurement]:
    """Return what `measure` returns of each of several stimuli; the array's netlist is read and timed once for all.

    Parameters
    ----------
    config, library, effort
        As of `measure`.
    stimuli
        The operands of each measurement.

    Raises
    ------
    StimulusError, NetlistError
        As `measure` does.
    """
    array = _Array(config, library, 0, effort.words)
    with uncollected():
        return [_measure(array, stimulus, effort) for stimulus in stimuli]


@dataclass(frozen=True)
class _Array:
    """An array's netlist and what follows from it alone, each found when it is first asked for."""

    config: AcceleratorConfig
    library: Library
    names: int
    words: int

    @cached_property
    def netlist(self) -> Netlist:
        return netlist_of(self.config, self.library, names=self.names)

    @cached_property
    def model(self) -> EnergyModel:
        return EnergyModel(self.netlist, self.library, clock_tree(self.netlist, set(self.netlist.inputs[CLOCK])))

    @cached_property
    def simulator(self) -> Simulator:
        return Simulator(self.netlist, CLOCK, self.words, arc_delays(self.netlist, self.model.wired.analysis))

    @cached_property
    def parts(self) -> Sequence[str]:
        return parts_of(self.netlist, self.config)


def _measure(array: _Array, stimulus: str, effort: Effort) -> Measurement:
    config, library = array.config, array.library
    operands = parse_operands(stimulus)
    verilog = generated_verilog(config)
    key = content_hash(
        verilog,
        stimulus,
        operands.fingerprint,
        json.dumps([asdict(effort), array.names]),
        *fingerprints(library).values(),
        code_fingerprint(__name__),
        np.__version__,
    )

    def build(folder: Path) -> None:
        netlist = array.netlist
        held = config.tokens > 1
        tiles = min(_CHECKED_TILES, max(1, config.max_k // config.lanes))
        simulator = array.simulator
        simulator.restart()
        check(simulator, Stimulus(config, operands, effort.words, effort.seed, held), tiles)
        simulator.restart()
        source = Stimulus(config, operands, effort.words, effort.seed, held)
        counted = _Counted(source.source)
        source.source = counted
        cycles = WARM_UP_CYCLES + effort.cycles
        activity = simulator.measure(source.steady(simulator, cycles), WARM_UP_CYCLES)
        energy = array.model.energy(activity)
        parts = array.parts
        measurement = Measurement(
            config=config.as_mapping(),
            stimulus=stimulus,
            held=held,
            zero_share=counted.zeros / counted.drawn,
            settled_fj=energy.settled_fj,
            total_fj=energy.total_fj,
            wire_settled_fj=energy.wire_fj[0],
            wire_fj=energy.wire_fj[1],
            clock_fj=energy.clock_fj,
            error_fj=energy.error_fj,
            leakage_nw=energy.leakage_nw,
            area_um2=netlist.area_um2,
            cells=len(netlist.instances),
            period_ns=array.model.wired.analysis.timing.period_ns,
            parts_fj=energy_by_part_fj(energy, parts),
            parts_settled_fj=energy_by_part_fj(energy, parts, settled=True),
            parts_um2=by_part((instance.cell.area_um2 for instance in netlist.instances), parts),
        )
        (folder / _FILE).write_text(json.dumps(asdict(measurement)), encoding="utf-8")

    stored = json.loads((cached(f"measurement-{key}", build) / _FILE).read_text(encoding="utf-8"))
    return Measurement(**stored)


class _Counted:
    """Operands, and how many of the weights were zero."""

    def __init__(self, source: OperandSource) -> None:
        self._source = source
        self.zeros = self.drawn = 0

    def weights(self) -> Values:
        values = self._source.weights()
        self.zeros += int(np.count_nonzero(values == 0))
        self.drawn += values.size
        return values

    def activations(self) -> Values:
        return self._source.activations()
