"""What the readers have in common: an array of PEs under memories, outermost first, and what was not carried over."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

OPERANDS = ("weights", "inputs", "outputs")


@dataclass(frozen=True)
class Level:
    """A memory.

    Parameters
    ----------
    name
        As its file calls it.
    holds
        Of `OPERANDS`, those that it stores.
    size_bits
        Of each instance; infinite where its file says so.
    inside
        Whether it belongs to a PE, or to a row or column of PEs, instead of to all of them.
    shared_by_lanes
        Of one inside: whether the PEs whose products are added up share it.
    read_pj_per_bit, write_pj_per_bit
        Energies; none where the file gives none.
    read_bits, write_bits
        Bits a cycle; infinite without a limit, none where the file gives none.
    leakage_w
        Of all its instances.
    """

    name: str
    holds: frozenset[str]
    size_bits: float
    inside: bool
    shared_by_lanes: bool = False
    read_pj_per_bit: float | None = None
    write_pj_per_bit: float | None = None
    read_bits: float | None = None
    write_bits: float | None = None
    leakage_w: float = 0.0


@dataclass(frozen=True)
class Hardware:
    """An accelerator as another tool describes it.

    Parameters
    ----------
    tool
        Name of the tool.
    name
        Of the accelerator.
    lanes, columns
        PEs whose products are added up, and those that have outputs of their own.
    mac_pj
        Energy of a multiply-accumulate; none where the file gives none.
    operand_bits
        Of an input and of a weight.
    levels
        Memories, outermost first.
    clock_mhz
        None where the file counts cycles alone.
    pipeline_cycles
        From the first operands to the first result.
    mac_leakage_w
        Of all multiply-accumulate units.
    left_out
        What the reader could not carry over, a line each.
    """

    tool: str
    name: str
    lanes: int
    columns: int
    mac_pj: float | None
    operand_bits: int
    levels: tuple[Level, ...]
    clock_mhz: float | None = None
    pipeline_cycles: int = 0
    mac_leakage_w: float = 0.0
    left_out: tuple[str, ...] = field(default=())

    def shared(self, operands: Iterable[str]) -> list[Level]:
        """Return the memories between the outermost and the PEs that hold any of some operands, outermost first.

        Parameters
        ----------
        operands
            Of `OPERANDS`.
        """
        return [level for level in self.levels[1:] if not level.inside and level.holds & set(operands)]

    def inner(self, operand: str) -> list[Level]:
        """Return the memories of the PEs that hold an operand, outermost first.

        Parameters
        ----------
        operand
            Of `OPERANDS`.
        """
        return [level for level in self.levels if level.inside and operand in level.holds]


def finite(value: float | None) -> bool:
    """Return whether a value is given and bounded.

    Parameters
    ----------
    value
        Of a level.
    """
    return value is not None and math.isfinite(value)
