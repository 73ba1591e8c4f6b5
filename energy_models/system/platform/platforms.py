"""Platforms: a machine's arrays, buffers, further memory levels, off-chip memory, clock and leakage."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.inputs.amounts import MAX_PRICE, Amount, price_of
from bitjoule.energy_models.inputs.derivations import Derivation
from bitjoule.energy_models.inputs.documents import Document, KeyPath, read_document
from bitjoule.energy_models.inputs.inheritance import Family, completed
from bitjoule.energy_models.inputs.plugins import with_contributed
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, validate, wrong_value
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.memories import memories
from bitjoule.energy_models.system.platform.array_schema import MAX_SIZE, Accumulate, Array
from bitjoule.energy_models.system.platform.cards import Cards, PowerLimit
from bitjoule.energy_models.system.platform.dvfs import NOMINAL, Dvfs, Operating
from bitjoule.energy_models.system.platform.free import Free
from bitjoule.energy_models.system.platform.levels import Level, check_levels
from bitjoule.energy_models.system.platform.off_chip import OffChip
from bitjoule.energy_models.system.platform.overheads import Meter, Overheads
from bitjoule.energy_models.system.platform.regulator import Regulator
from bitjoule.energy_models.system.platform.static_power import BusyIdle, Clock, Leakage, StaticPower, leaks
from bitjoule.energy_models.system.platform.unscaled import key_exists, unscaled, unscaled_merges
from bitjoule.energy_models.system.platform.value_sources import changed_sources, merged_sources

FOLDER = DATA / "platforms"


class Buffer(Strict):
    """An on-chip memory between off-chip memory and arrays."""

    holds: list[Literal["weights", "activations"]] = Field(
        min_length=1, description="activations: inputs, outputs, partial sums and intermediate activations"
    )
    size_bytes: int = Field(gt=0, le=MAX_SIZE)
    width_bits: int = Field(
        gt=0, le=MAX_SIZE, description="bits read, and written, per cycle; also the width of an access"
    )
    memory: str | None = Field(
        default=None, description="memory kind, e.g. sram; prices are interpolated log-log over size"
    )
    banks: int = Field(default=1, gt=0, le=MAX_SIZE, description="number of banks, each priced at size_bytes / banks")
    wire_mm: float = Field(default=0.0, ge=0, le=MAX_PRICE, description="length of the wires to the arrays")
    read_pj: float | None = Field(
        default=None, ge=0, le=MAX_PRICE, description="energy of an access, instead of memory"
    )
    write_pj: float | None = Field(default=None, ge=0, le=MAX_PRICE)


class Vector(Strict):
    """The unit for everything but matrix products."""

    lanes: int = Field(ge=1, le=MAX_SIZE, description="operations per cycle")


class StorePrices(Strict):
    """Prices of registers at one technology, instead of the arrays'."""

    read_pj_per_bit: Amount | None = None
    write_pj_per_bit: Amount | None = None


class Node(Strict):
    """What depends on the technology."""

    clock_mhz: Clock = Field(
        description="clock of the chip, or from_configuration: what its slowest array meets as synthesised"
    )
    leakage_w: Leakage = Field(default=0.0, description="leakage power of the chip, or from_configuration")
    weight_registers: StorePrices | None = Field(
        default=None, description="prices of all arrays' weight registers here"
    )
    accumulators: StorePrices | None = Field(default=None, description="prices of all arrays' accumulators here")
    wire_pj_per_bit_mm: Amount = Field(default=0.0, description="energy of a bit on a millimetre of wire")
    clock_factor: float = Field(
        default=1.0, ge=1e-3, le=1e3,
        description="multiplies clock_mhz: below 1 a margin for voltage and corners, above 1 a deeper pipeline",
    )  # fmt: skip


class Platform(Strict):
    """A machine.

    Parameters
    ----------
    description
        One line for a reader.
    arrays
        By name; a matmul runs on the first that computes its formats.
    vector, buffers, off_chip
        The rest of the machine.
    levels
        Memories between the buffers and off-chip memory, from the buffers outwards.
    nodes
        Clock and leakage at each technology it can be built in.
    static
        Watts that flow when nothing toggles; without it, the component ``leakage`` counts the nodes' leakage.
    regulator
        Efficiency of the regulators of chip and memory; without it, nothing is lost.
    overheads
        Times beside the counted work; without them, a machine takes as long as what it counts.
    meter
        What a meter sees of it, for predictions of measurements; it changes no other result.
    dvfs
        Clocks and volts that it can run at; without it, the nodes' clock alone.
    cards, power_limit
        Several of it with links, and the watts that each may draw; for predictions of measurements, as `meter`.
    fit
        What ``bitjoule fit`` fits to measurements, by dotted key; a list's entry by its index.
    skips_masked_pairs
        Whether prefill leaves out the half of attention that the causal mask hides.
    attention
        How scores and values run: ``separate``, one after the other, each with the whole buffer; ``fused``, as one loop
        nest over tiles of queries and keys.
    accumulate
        What the addition of a product is in arrays that multiply and whose accumulators have 32 bits: ``paper``, as
        `actions` of its MAC write it; ``fp32``, FP32 where products are floating-point; ``accumulator``, INT32 for
        integer products too.
    elementwise
        Who does absmax, quantisation, rescaling and RMSNorm: ``units`` of a BitLinear, where the technology prices
        them; ``operations``, the vector unit, as data/functions.yaml assumes, like all other element-wise work.
    sources
        Where each value comes from, by dotted key or the beginning of one; ``assumption`` if it is not published.
    references
        Citation keys, separated by semicolons.
    """

    description: str
    arrays: dict[str, Array] = Field(min_length=1)
    vector: Vector
    buffers: dict[str, Buffer] = Field(min_length=1)
    levels: dict[str, Level] | None = None
    off_chip: OffChip
    nodes: dict[str, Node] = Field(min_length=1)
    static: StaticPower | None = None
    regulator: Regulator | None = None
    overheads: Overheads | None = None
    meter: Meter = Meter()
    dvfs: Dvfs | None = None
    cards: Cards | None = None
    power_limit: PowerLimit | None = None
    fit: dict[str, Free] = Field(default_factory=dict)
    skips_masked_pairs: bool = True
    attention: Literal["separate", "fused"] = "separate"
    accumulate: Accumulate = "paper"
    elementwise: Literal["units", "operations"] = "units"
    sources: dict[str, str] = Field(default_factory=dict)
    references: str = ""
    _unscaled: tuple[str, ...] = PrivateAttr(default=())

    @property
    def unscaled(self) -> tuple[str, ...]:
        """What its file inherits although it does not fit what the file changes, one line each."""
        return self._unscaled

    def inheriting(self, document: Document, at: KeyPath, derivations: Sequence[Derivation]) -> Self:
        """Return the platform with what it inherits although it does not fit, and without sources of other values.

        Parameters
        ----------
        document, at
            Where it is written.
        derivations
            The steps of its inheritance.
        """
        unfit = unscaled(derivations, unscaled_merges(document, at))
        changed = changed_sources(derivations, merged_sources(document, at), self.sources)
        copy = self.model_copy(update={"sources": {**self.sources, **changed}})
        copy._unscaled = tuple(f"{key}: {why}" for key, why in unfit.items())
        return copy

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        operands = [operand for buffer in self.buffers.values() for operand in buffer.holds]
        for operand in ("weights", "activations"):
            if operands.count(operand) > 1:
                raise wrong_value(f"{operands.count(operand)} buffers hold {operand}", "at most one", "buffers")
        if "activations" not in operands:
            raise wrong_value("no buffer holds activations", "one with `holds: [activations]`", "buffers")
        for name, buffer in self.buffers.items():
            _check_price(name, buffer)
        for name, array in self.arrays.items():
            self._check_tiles(name, array)
            for i, macs in enumerate(array.macs):
                if array.accumulators.bits < macs.term_bits:
                    wrong = f"{array.accumulators.bits} bits cannot hold a term of {macs.term_bits} bits (macs[{i}])"
                    raise wrong_value(wrong, f"at least {macs.term_bits}", "arrays", name, "accumulators", "bits")
        check_levels(self.levels or {})
        self._check_static()
        for key in self.sources:
            if not key_exists(self, key):
                raise wrong_value("is not a key of this platform", "a key, e.g. off_chip.memory", "sources", key)
        return self

    @property
    def power(self) -> StaticPower | None:
        """Static power; of a platform with a DRAM device also where it gives no watts of its own."""
        return StaticPower() if self.static is None and self.off_chip.device is not None else self.static

    @property
    def operating(self) -> Operating:
        """What its operating point multiplies."""
        return NOMINAL if self.dvfs is None else self.dvfs.operating

    def _check_static(self) -> None:
        """Reject watts that are given twice: leakage for chip and parts, or what a DRAM device includes."""
        device = self.off_chip.device
        if device is not None and self.static is not None:
            if self.static.dram is not None:
                wrong = f"counts standby and refresh twice: off_chip.device {device} includes them"
                raise wrong_value(wrong, "one of the two, e.g. `dram: null`", "static", "dram")
            phy = self.static.phy
            busy = phy.busy if isinstance(phy, BusyIdle) else phy
            if drams()[device].phy is not None and price_of(busy or 0.0).high_pj > 0:
                wrong = f"counts the clocks twice while bits move: a bit of off_chip.device {device} includes them"
                raise wrong_value(wrong, "the idle interface alone, {busy: 0, idle: ...}", "static", "phy")
        parts = [part for part in ("array", "sram") if getattr(self.static, part, None) is not None]
        leaking = [name for name, node in self.nodes.items() if leaks(node.leakage_w)]
        if parts and leaking:
            wrong = f"counts the leakage of {' and '.join(parts)} twice: nodes.{leaking[0]}.leakage_w includes it"
            raise wrong_value(wrong, "one of the two, e.g. `leakage_w: 0`", "static", parts[0])

    def _check_tiles(self, name: str, array: Array) -> None:
        """Reject buffers that cannot hold the operands of one step of an array."""
        for key, buffer in self.buffers.items():
            need_bits = 0
            for macs in array.macs:
                weights = max(width_bits(f) for f in macs.weights) * array.lanes * array.columns
                inputs = max(width_bits(f) for f in macs.activations) * array.lanes
                sums = max(array.accumulators.bits, 32) * array.columns
                bits_of = {"weights": weights, "activations": inputs + sums}
                need_bits = max(need_bits, sum(bits_of[operand] for operand in buffer.holds))
            need_bytes = -(-need_bits // 8)
            if buffer.size_bytes < need_bytes:
                wrong = f"{buffer.size_bytes} bytes cannot hold a tile of array {name!r}"
                raise wrong_value(wrong, f"at least {need_bytes} bytes, or fewer lanes and columns",
                                  "buffers", key, "size_bytes")  # fmt: skip


def _check_price(name: str, buffer: Buffer) -> None:
    missing = {buffer.read_pj is None, buffer.write_pj is None}
    if missing != {buffer.memory is not None}:
        raise wrong_value("requires memory, or read_pj and write_pj", "one of the two ways", "buffers", name)
    kinds = dict.fromkeys(memory.kind for memory in memories() if memory.capacity_bytes)
    if buffer.memory is not None and buffer.memory not in kinds:
        raise wrong_value(*unknown_name("memory", buffer.memory, kinds), "buffers", name, "memory")


class _Platforms(Mapping[str, Platform]):
    """Platforms by name; each file is read when its platform is first asked for: reading all takes seconds."""

    def __init__(self, files: Mapping[str, Path], others: Mapping[str, Platform]) -> None:
        self._files, self._read = files, dict(others)

    def __getitem__(self, name: str) -> Platform:
        if name not in self._read:
            self._read[name] = read_platform(self._files[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files or name in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._files, *self._read]))

    def __len__(self) -> int:
        return len(self._files.keys() | self._read.keys())


@cache
def platforms() -> Mapping[str, Platform]:
    """Return every platform that ships or that a package contributes (entry points ``bitjoule.platforms``), by name.

    Raises
    ------
    InputError
        A file of data/platforms is wrong; raised when its platform is asked for.
    PluginError
        What a package contributes is wrong.
    """

    def read_file(path: Path) -> dict[str, Platform | None]:
        return {path.stem: read_platform(path)}

    files = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    entries = with_contributed("bitjoule.platforms", "platform", dict[str, Platform | None].fromkeys(files), read_file)
    return _Platforms(files, {name: platform for name, platform in entries.items() if platform is not None})


def read_platform(path: Path) -> Platform:
    """Read a platform file.

    Parameters
    ----------
    path
        YAML; with ``like`` it holds the differences from a platform in its folder, a shipped one, that of another file,
        or one that is written there.

    Raises
    ------
    InputError
        With a problem for each thing wrong.
    """
    document = read_document(path)
    entry = completed(PLATFORM, document, (), path.parent)
    platform = validate(Platform, replace(document, data=entry.data, lines=entry.lines))
    return platform.inheriting(document, (), entry.derivations)


def _without_sources_of_nothing(merged: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a platform in which a key that a null removed keeps no source."""
    changed_sources, merged_sources = changes.get("sources", {}), merged.get("sources")
    if not isinstance(changed_sources, dict) or not isinstance(merged_sources, dict):
        return merged
    sources = {key: text for key, text in merged_sources.items() if key in changed_sources or key_exists(merged, key)}
    return {**merged, "sources": sources}


PLATFORM = Family(
    "platform",
    names=lambda: sorted(path.stem for path in FOLDER.glob("*.yaml")),
    built_in=lambda name: FOLDER / f"{name}.yaml",
    tidied=_without_sources_of_nothing,
)
