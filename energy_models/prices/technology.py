"""Technologies: a process node and what an operation costs there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from bitjoule.energy_models.formats.formats import add_only, factors, formats, width_bits
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.inputs.facts import Price, positive, price, read_facts
from bitjoule.energy_models.inputs.plugins import with_contributed
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.prices.measured import SOURCE, MeasuredMac, MeasuredTechnology, read_measured
from bitjoule.energy_models.prices.memories import Memory

OPERATIONS_FILE = DATA / "operations.csv"
MEASURED_FOLDER = DATA / "technologies"
ARRAYS = "-arrays"
COLUMNS = (
    "operation", "format", "node_nm", "energy_pj", "energy_low_pj", "energy_high_pj", "source", "where", "note",
)  # fmt: skip


@dataclass(frozen=True)
class OperationRow:
    """One priced operation, with the place its price was printed."""

    operation: str
    format: str
    node_nm: float
    energy: Price
    source: str
    where: str
    note: str
    line: int = 0


@dataclass(frozen=True)
class Technology:
    """A process node and its prices.

    Parameters
    ----------
    name
        As experiments name it: ``45nm``, the node with unit, or ``45nm-measured``.
    node_nm
        Process node.
    rows
        Priced operations, by (operation, format).
    macs
        MACs of whole arrays, where they were measured.
    zero_share
        Share of ternary weights that are zero, for the price of such MACs.
    priced_as_macs
        Whether sums of products are priced as those MACs also where only operations are counted.
    lanes, columns
        Of the array whose MACs those are then.
    memories
        Prices of memories of its own, in place of the built-in ones.
    file
        File of its prices, as price keys begin; by default the measured technology's file of this name.
    """

    name: str
    node_nm: float
    rows: Mapping[tuple[str, str], OperationRow]
    macs: tuple[MeasuredMac, ...] = ()
    zero_share: float = 0.0
    priced_as_macs: bool = False
    lanes: int = 64
    columns: int = 16
    memories: tuple[Memory, ...] = ()
    file: str = ""

    def price_key(self, operation: str, number_format: str) -> str:
        """Return the key of an operation's price; see `bitjoule.energy_models.prices.keys`.

        Parameters
        ----------
        operation, number_format
            As for `price`.
        """
        return f"{self.place}:{operation}:{number_format}"

    def mac_key(self, mac: MeasuredMac, lanes: int, columns: int, trits: bool) -> str:
        """Return the key of a measured MAC's price.

        Parameters
        ----------
        mac
            The MAC.
        lanes, columns
            Of the full array.
        trits
            Whether weights are trits, of which a share is zero.
        """
        return f"{self.place}:mac:{mac.name}:{lanes}x{columns}{':zeros' * trits}"

    def load_key(self, mac: MeasuredMac) -> str:
        """Return the key of the price of a weight that enters an array.

        Parameters
        ----------
        mac
            What the array computes.
        """
        return f"{self.place}:load:{mac.name}"

    def term_key(self, operation: str, weights: str, number_format: str) -> str:
        """Return the key of `term_price`.

        Parameters
        ----------
        operation, weights, number_format
            As for `term_price`.
        """
        mac = self.term_mac(weights, number_format)
        if mac is None:
            return self.price_key(operation, number_format)
        if operation == "add" and not add_only(weights):
            return f"{self.place}:in-mac:{mac.name}"
        return self.mac_key(mac, self.lanes, self.columns, formats()[weights].kind == "ternary")

    def memory_key(self, kind: str, which: str) -> str:
        """Return the key of the price of a memory of its own.

        Parameters
        ----------
        kind
            ``sram`` or ``dram``.
        which
            Bytes of a bank, or the name of the memory; empty for a price of all.
        """
        return f"{self.place}:{kind}:{which}".rstrip(":")

    def dram(self, name: str) -> Memory | None:
        """Return its own price of an off-chip memory, or none.

        Parameters
        ----------
        name
            As platforms name it; a row without a name is that of all others.
        """
        rows = {row.name: row for row in self.memories if row.kind == "dram"}
        return rows.get(name, rows.get(""))

    @property
    def place(self) -> str:
        """Where its prices stand, as price keys begin."""
        return self.file or f"technologies/{self.name.removesuffix(ARRAYS)}.yaml"

    @property
    def node(self) -> str:
        """The node's own technology, for which memories, clocks and leakage are given."""
        return f"{self.node_nm:g}nm"

    def mac(self, weights: str, activations: str, accumulation: str | None) -> MeasuredMac | None:
        """Return the first measured MAC of these formats, or none.

        Sums that were not measured are those of the next wider format of their kind, which are at least as exact: the
        fused FP16 array adds in FP32 alone, for less than an array that rounds each sum to FP16.

        Parameters
        ----------
        weights, activations
            Formats.
        accumulation
            The sums' format; none for any, as with trits.
        """
        macs = [mac for mac in self.macs if (mac.weights, mac.activations) == (weights, activations)]
        if accumulation is None:
            return next(iter(macs), None)
        sums = formats()[accumulation]
        wide = [mac for mac in macs if formats()[mac.accumulation].kind == sums.kind]
        wide = [mac for mac in wide if mac.accumulation == accumulation or formats()[mac.accumulation].bits > sums.bits]
        return min(wide, key=lambda mac: formats()[mac.accumulation].bits, default=None)

    def mac_of_actions(self, weights: str, actions: Sequence[str]) -> MeasuredMac | None:
        """Return the measured MAC that performs a platform's actions, or none.

        Parameters
        ----------
        weights
            Their format. Narrow integers are multiplied by an array of their own, or else by one of the wider format.
        actions
            Operation and format of each, e.g. ``mul int8``; none where the platform gives a price of its own.
        """
        formats = dict(text.split() for text in actions)
        if not formats:
            return None
        if "mul" not in formats:
            return self.mac(weights, formats["add"], None)
        sums = "int32" if formats["add"] == "int16" else formats["add"]  # a narrow name for integer sums in general
        multiplied, operand = factors(formats["mul"])
        narrow = None if add_only(weights) else self.mac(weights, operand, sums)
        return narrow or self.mac(multiplied, operand, sums)

    def term_mac(self, weights: str, number_format: str) -> MeasuredMac | None:
        """Return the measured MAC by which a term of a sum of products is priced; none without `priced_as_macs`.

        Parameters
        ----------
        weights
            Format of the weights.
        number_format
            Of the activations, products and sums.
        """
        integer = formats()[number_format].kind == "integer"
        sums = None if add_only(weights) else "int32" if integer else number_format
        return self.mac(weights, number_format, sums) if self.priced_as_macs else None

    def term_price(self, operation: str, weights: str, number_format: str) -> Price:
        """Return what multiplying, or adding up, a term of a sum of products costs.

        An operation; with `priced_as_macs`, the whole MAC of a full array of `lanes` x `columns` for the
        multiplication, or where there is none for the addition, and nothing for the other.

        Parameters
        ----------
        operation
            ``add`` or ``mul``.
        weights
            Format of the weights.
        number_format
            Of the activations, products and sums.

        Raises
        ------
        KeyError
            As for `price`.
        """
        mac = self.term_mac(weights, number_format)
        if mac is None:
            return self.price(operation, number_format)
        if operation == "add" and not add_only(weights):
            return Price(0.0, 0.0, 0.0)
        return mac.price(self.lanes, self.columns, self.zero_share if formats()[weights].kind == "ternary" else 0.0)

    def has_price(self, operation: str, number_format: str) -> bool:
        """Return whether `price` returns a price for an operation.

        Parameters
        ----------
        operation, number_format
            As for `price`.
        """
        return not self.lacking(operation, number_format)

    def lacking(self, operation: str, number_format: str) -> tuple[str, ...]:
        """Return the formats of the rows that an operation lacks, with which `price` would return a price for it.

        Parameters
        ----------
        operation, number_format
            As for `price`.
        """
        if (operation, number_format) in self.rows:
            return ()
        narrow, wide = factors(number_format)
        if narrow != wide and operation == "mul":
            return tuple(dict.fromkeys(name for factor in (narrow, wide) for name in self.lacking(operation, factor)))
        described = formats().get(number_format) if narrow == wide else None
        if described is None or described.priced_between is None:
            return (number_format,)
        return tuple(end for end in described.priced_between if (operation, end) not in self.rows)

    def price(self, operation: str, number_format: str) -> Price:
        """Return what one operation costs.

        No table prices INT16 and integers below 8 bits. They lie on the line through the two formats that they are
        `priced_between`, INT8 and INT32, log-log over the width. INT16 may cost as little as INT8 and as much as INT32;
        of the narrow ones, low is at least in proportion to the width (an adder) or to its square (a multiplier), high
        is INT8's own price. A product of two widths lies on the same line: as many partial products as a square one
        whose width is the geometric mean of the two, so its price is the geometric mean of theirs; high is the wider's.

        Parameters
        ----------
        operation
            ``add`` or ``mul``.
        number_format
            E.g. ``int8``; of a product also ``int4xint8``, weights and activations.

        Raises
        ------
        KeyError
            No row prices it at this node.
        """
        if (operation, number_format) in self.rows or not self.has_price(operation, number_format):
            return self.rows[operation, number_format].energy
        first, second = factors(number_format)
        if first != second:
            low, high = sorted(self.price(operation, factor) for factor in (first, second))
            mean = (math.sqrt(low.low_pj * high.low_pj), math.sqrt(low.nominal_pj * high.nominal_pj))
            return Price(*mean, high.high_pj)
        below, above = formats()[number_format].priced_between or ("", "")
        wide, narrow = self.rows[operation, above].energy, self.rows[operation, below].energy
        share = width_bits(number_format) / width_bits(below)
        exponent = math.log(wide.nominal_pj / narrow.nominal_pj, width_bits(above) / width_bits(below))
        if share > 1:
            return Price(narrow.low_pj, narrow.nominal_pj * share**exponent, wide.high_pj)
        least = min(share**exponent, share ** (2 if operation == "mul" else 1))
        return Price(narrow.low_pj * least, narrow.nominal_pj * share**exponent, narrow.high_pj)


@cache
def technologies() -> dict[str, Technology]:
    """Return every technology by name: those of operations.csv, the measured ones that ship, and contributed ones.

    A package contributes technology files of ``bitjoule calibrate`` by entry points ``bitjoule.technologies``.

    Raises
    ------
    InputError
        A row of operations.csv is wrong or duplicated, or a file of data/technologies is wrong.
    """
    rows: dict[float, dict[tuple[str, str], OperationRow]] = {}
    for line, cells in read_facts(OPERATIONS_FILE, COLUMNS):
        node_nm = positive(OPERATIONS_FILE, line, cells, "node_nm")
        energy = price(OPERATIONS_FILE, line, cells)
        row = OperationRow(
            cells["operation"], cells["format"], node_nm, energy, cells["source"], cells["where"], cells["note"], line
        )
        known_rows = rows.setdefault(node_nm, {})
        key = (row.operation, row.format)
        if key in known_rows:
            problem = Problem(str(OPERATIONS_FILE), line, "operation", f"duplicate {' '.join(key)}", "one row")
            raise InputError([problem])
        known_rows[key] = row
    by_name = {}
    for node_nm, node_rows in rows.items():
        name = f"{node_nm:g}nm"
        by_name[name] = Technology(name, node_nm, node_rows, file=f"{OPERATIONS_FILE.name}:{name}")
    for path in sorted(MEASURED_FOLDER.glob("*.yaml")):
        by_name |= _by_operators_and_by_arrays(path)
    return with_contributed("bitjoule.technologies", "technology", by_name, _by_operators_and_by_arrays)


def _by_operators_and_by_arrays(path: Path) -> dict[str, Technology]:
    """Return a measured technology priced by operators, and by arrays, by name."""
    measured = measured_technology(path.stem, read_measured(path))
    arrays = replace(measured, name=measured.name + ARRAYS, priced_as_macs=True)
    return {measured.name: measured, arrays.name: arrays}


def measured_technology(name: str, measured: MeasuredTechnology) -> Technology:
    """Return a measured technology.

    Parameters
    ----------
    name
        Its name.
    measured
        Its prices.
    """
    command = measured.measured.command if measured.measured else ""
    note = "synthesised, switching simulated" if measured.measured else ""
    rows: dict[tuple[str, str], OperationRow] = {
        (row.operation, row.format): OperationRow(
            row.operation,
            row.format,
            measured.node_nm,
            price_of(row.energy_pj),
            row.source or (SOURCE if measured.measured else ""),
            row.where or command,
            note,
        )
        for row in measured.operations
    }
    return Technology(
        name, measured.node_nm, rows, tuple(measured.macs), measured.zero_share, measured.priced_as_macs,
        measured.lanes, measured.columns, _own_memories(measured),
    )  # fmt: skip


def _own_memories(measured: MeasuredTechnology) -> tuple[Memory, ...]:
    return tuple(
        Memory(
            row.memory or "", row.kind, row.capacity_bytes, row.access_bits, measured.node_nm, price_of(row.energy_pj),
            row.source, row.where, note="", line=0,
        )
        for row in measured.memories or ()
    )  # fmt: skip


def row_to_add(technology: Technology, row: str) -> str:
    """Return what a message says is expected of a technology of the user's own: a row for what it lacks.

    Parameters
    ----------
    technology
        Nothing is said of a built-in one.
    row
        As a table of prices has it.
    """
    return "" if technology.name in technologies() else f"a row {row} in the prices of {technology.name}, or "
