"""Technologies whose prices were measured on netlists: the files that ``bitjoule calibrate`` writes."""

import math
from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from bitjoule.energy_models.formats.formats import check_format
from bitjoule.energy_models.inputs.amounts import MAX_PRICE, Band, price_of
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.validation import Strict, unknown_name, validate, wrong_value
from bitjoule.energy_models.prices.drams import drams
from bitjoule.energy_models.prices.memories import memories

SOURCE = "bitjoule2026"
MAX_BYTES = 1 << 40
Unit = Literal["absmax", "quantise", "rescale", "rms_norm"]
UNITS: tuple[Unit, ...] = get_args(Unit)
FEATURES = ("nonzero", "zero", "load", "column", "lane", "cycle", "fanout")


class MeasuredOperation(Strict):
    """One operator alone: new operands each cycle, no registers; or a quoted price, with its source.

    Of `UNITS`, what an element passes on its way through a BitLinear in hardware, registers included.
    """

    operation: Literal["add", "mul"] | Unit
    format: str
    energy_pj: Band
    area_um2: float | None = Field(default=None, gt=0, le=MAX_PRICE)
    leakage_nw: float | None = Field(default=None, ge=0, le=MAX_PRICE)
    delay_ns: float | None = Field(default=None, gt=0, le=MAX_PRICE)
    source: str | None = None
    where: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_format(self.format, "format")
        if not self.energy_pj.low > 0:
            raise wrong_value("an operation without energy", "more than 0 pJ", "energy_pj", "low")
        return self


class QuotedMemory(Strict):
    """Price of an access to a memory, in place of the built-in one.

    Parameters
    ----------
    kind
        ``sram``, of the buffers, or ``dram``, the off-chip memory.
    memory
        Of a DRAM: which, as platforms name it in ``off_chip.memory``; none for all.
    capacity_bytes
        Of an SRAM: size of the bank; between rows, prices are interpolated log-log. None for all sizes.
    access_bits
        Bits that one access reads or writes.
    energy_pj
        Of one access.
    source, where
        Where the price comes from.
    """

    kind: Literal["sram", "dram"]
    memory: str | None = None
    capacity_bytes: int | None = Field(default=None, gt=0, le=MAX_BYTES)
    access_bits: int = Field(default=1, gt=0, le=1 << 20)
    energy_pj: Band
    source: str = ""
    where: str = ""

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key, kind in (("memory", "dram"), ("capacity_bytes", "sram")):
            if getattr(self, key) is not None and self.kind != kind:
                raise wrong_value(f"{key} of {self.kind}", f"only of {kind}", key)
        names = list(dict.fromkeys([*(m.name for m in memories() if m.kind == "dram"), *drams()]))
        if self.memory is not None and self.memory not in names:
            raise wrong_value(*unknown_name("memory", self.memory, names), "memory")
        if not self.energy_pj.low > 0:
            raise wrong_value("an access without energy", "more than 0 pJ", "energy_pj", "low")
        return self

    @property
    def name(self) -> str:
        """What it prices: the kind, with its size or memory."""
        return " ".join(str(part) for part in (self.kind, self.memory, self.capacity_bytes) if part is not None)


class MeasuredMac(Strict):
    """The multiply-accumulates of one kind of array: the terms of its energy.

    Parameters
    ----------
    weights, activations, accumulation
        Formats of both operands and of the sums.
    datapath
        What multiplies or selects; see `bitjoule.rtl.config.AcceleratorConfig`. Files may hold several for the same
        formats; experiments charge the first.
    nonzero_pj, zero_pj
        A MAC whose weight stays: its weight not zero, zero.
    load_pj
        In addition, for each weight that enters the array.
    column_pj, lane_pj, cycle_pj
        In each cycle, for each column (accumulator), for each lane (activation) and for the rest (control).
    fanout_pj
        For each MAC and each doubling of the columns: the tree of buffers that takes an activation to all of them makes
        their inputs arrive apart, and what follows glitches.
    lanes, columns
        The largest array measured; area, leakage and period are those of this array.
    area_um2, leakage_nw
        Of one MAC: the array, registers and control included, over lanes x columns.
    period_ns
        Critical path.
    worst_fit
        Largest relative error of the fit over its measurements.
    """

    weights: str
    activations: str
    accumulation: str
    datapath: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$", max_length=40)
    nonzero_pj: Band
    zero_pj: Band
    load_pj: Band
    column_pj: Band
    lane_pj: Band
    cycle_pj: Band
    fanout_pj: Band = Band(low=0.0, nominal=0.0, high=0.0)
    lanes: int = Field(gt=0, le=1 << 20)
    columns: int = Field(gt=0, le=1 << 20)
    area_um2: float = Field(gt=0, le=MAX_PRICE)
    leakage_nw: float = Field(ge=0, le=MAX_PRICE)
    period_ns: float | None = Field(default=None, gt=0, le=MAX_PRICE)
    worst_fit: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key in ("weights", "activations", "accumulation"):
            check_format(getattr(self, key), key)
        if not self.nonzero_pj.low > 0:
            raise wrong_value("a MAC without energy", "more than 0 pJ", "nonzero_pj", "low")
        return self

    @property
    def name(self) -> str:
        """Its formats and its datapath as one word."""
        formats = f"{self.weights}x{self.activations}+{self.accumulation}"
        return f"{formats}/{self.datapath}" if self.datapath else formats

    def price(self, lanes: int, columns: int, zero_share: float) -> Price:
        """Return what a MAC costs in a full array whose weights stay.

        Parameters
        ----------
        lanes, columns
            Of that array.
        zero_share
            Of the weights.
        """
        shares = {
            "nonzero": 1.0 - zero_share,
            "zero": zero_share,
            "column": 1.0 / lanes,
            "lane": 1.0 / columns,
            "cycle": 1.0 / (lanes * columns),
            "fanout": math.log2(columns),
        }
        terms = [price_of(getattr(self, f"{name}_pj"), share) for name, share in shares.items()]
        return Price(*(sum(ends) for ends in zip(*terms, strict=True)))


class LibertyFile(Strict):
    """A file of the library."""

    file: str
    sha256: str


class Conditions(Strict):
    """How the prices were measured."""

    command: str
    library: str
    liberty: list[LibertyFile] = Field(min_length=1)
    voltage_v: float = Field(gt=0, le=100)
    stimulus: str
    wires: str
    missing: str
    versions: dict[str, str]


class MeasuredTechnology(Strict):
    """A technology measured on netlists.

    Parameters
    ----------
    description
        One line for a reader.
    node_nm
        Process node: memories are priced at its table.
    zero_share
        Share of ternary weights that are zero, with which MACs of trits are priced.
    zero_share_source
        Where it comes from.
    measured
        Conditions of the measurement; none of quoted prices.
    operations, macs
        Operators alone, and MACs of whole arrays.
    memories
        Prices of memories of its own; of the kinds and DRAMs that have none the built-in ones hold.
    priced_as_macs
        Whether sums of products are priced as the arrays' MACs also where only operations are counted.
    lanes, columns
        Of the array, the same for all formats, whose MACs those are.
    """

    description: str
    node_nm: float = Field(gt=0, le=1e4)
    zero_share: float = Field(default=0.0, ge=0, le=1)
    zero_share_source: str = ""
    measured: Conditions | None = None
    operations: list[MeasuredOperation] = Field(min_length=1)
    macs: list[MeasuredMac] = Field(default_factory=list)
    memories: list[QuotedMemory] | None = Field(default=None, min_length=1)
    priced_as_macs: bool = False
    lanes: int = Field(default=64, gt=0, le=1 << 20)
    columns: int = Field(default=16, gt=0, le=1 << 20)

    @model_validator(mode="after")
    def _no_duplicates(self) -> Self:
        operations = [(row.operation, row.format) for row in self.operations]
        for i, pair in enumerate(operations):
            if pair in operations[:i]:
                raise wrong_value(f"duplicate {' '.join(pair)}", "one row", "operations", i)
        quoted = [row.name for row in self.memories or ()]
        for i, name in enumerate(quoted):
            if name in quoted[:i]:
                raise wrong_value(f"duplicate {name}", "one row", "memories", i)
        srams = [row.capacity_bytes for row in self.memories or () if row.kind == "sram"]
        if None in srams and len(srams) > 1:
            raise wrong_value("a price for all sizes beside prices of sizes", "one of the two", "memories")
        if self.macs and "zero_share" not in self.model_fields_set:
            raise wrong_value("MACs of arrays without a share of zeros", "zero_share, of the ternary weights", "macs")
        names = [mac.name for mac in self.macs]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong_value(f"duplicate {name}", "one row", "macs", i)
        return self


def read_measured(path: Path) -> MeasuredTechnology:
    """Read a technology file.

    Parameters
    ----------
    path
        YAML, as ``bitjoule calibrate`` writes it.

    Raises
    ------
    InputError
        With a problem for each thing wrong.
    """
    return validate(MeasuredTechnology, read_document(path))
