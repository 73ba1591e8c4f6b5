"""The memory levels of a machine: what passes them, their rates, the price of a bit, and the columns that count it."""

from typing import NamedTuple

from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.system.hardware.at_point import BITS_PER_GB_AND_MHZ
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.accesses import level_price
from bitjoule.energy_models.system.platform.levels import HELD
from bitjoule.energy_models.system.work.steps import ABSENT, StepPrice

COMPONENT = "memory_levels"
WAYS = ("read", "fill", "write")
LEVEL_ACTIONS = tuple(f"level_{way}" for way in WAYS)
WIDTH = len(HELD) * len(WAYS)  # columns of a level


class MachineLevel(NamedTuple):
    """A memory level at a technology.

    Parameters
    ----------
    name
        In the platform's file.
    holds
        Whether each of `HELD` passes it.
    size_bits
        Its size.
    bits_per_cycle
        That it reads, and also writes.
    read, write
        Price of a bit, and its key.
    """

    name: str
    holds: tuple[bool, ...]
    size_bits: float
    bits_per_cycle: float
    read: tuple[Price, str]
    write: tuple[Price, str]


def levels_of(machine: Machine) -> tuple[MachineLevel, ...]:
    """Return the levels of a machine from the buffers outwards, without those of 0 bytes.

    Parameters
    ----------
    machine
        The machine. Its levels are clocked: they follow the operating point as its buffers do.

    Raises
    ------
    UnpricedError
        The technology does not price a level's memory.
    """
    nominal_mhz = machine.clock_mhz / machine.operating.clock
    found = []
    for name, level in (machine.platform.levels or {}).items():
        if level.size_bytes == 0:
            continue
        prices = [
            machine.at_volts(
                *level_price(level, way == "read", machine.technology, machine.key("levels", name, f"{way}_pj_per_bit"))
            )
            for way in ("read", "write")
        ]
        rate = level.bandwidth_gb_per_s * BITS_PER_GB_AND_MHZ / nominal_mhz
        holds = tuple(held in level.holds for held in HELD)
        found.append(MachineLevel(name, holds, level.size_bytes * 8.0, rate, prices[0], prices[1]))
    return tuple(found)


def level_columns(count: int) -> list[tuple[str, str, str]]:
    """Return component, operand and action of the columns of levels.

    Parameters
    ----------
    count
        Levels of the machine that has most.
    """
    return [(COMPONENT, held, action) for _ in range(count) for held in HELD for action in LEVEL_ACTIONS]


def level_lines(machine: Machine, count: int) -> list[StepPrice]:
    """Return the price of each column of levels; absent where a machine has fewer.

    Parameters
    ----------
    machine, count
        The machine; as for `level_columns`.

    Raises
    ------
    UnpricedError
        As for `levels_of`.
    """
    lines: list[StepPrice] = []
    for level in levels_of(machine):
        lines += [StepPrice(1.0, "", *(level.read if way == "read" else level.write)) for _ in HELD for way in WAYS]
    return [*lines, *[ABSENT] * (count * WIDTH - len(lines))]
