"""What a meter sees of a row, and the time that a row takes on a card that may not draw more than its limit."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.machines.names import WHOLE, Metered, Named
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.mappings.bounds import BOUNDS
from bitjoule.energy_models.system.platform.cards import PowerLimit
from bitjoule.energy_models.system.platform.channels import PART_ACTIONS
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.platform.static_power import COMPONENT, STATES, state_cycles
from bitjoule.energy_models.system.system import System

J_PER_PJ = 1e-12
US_PER_S = 1e6
OFF_CHIP = ("off_chip_read", "off_chip_write", *(action for action in PART_ACTIONS if not action.endswith("_phy")))
BESIDE_CHIP = ("dram", "host", "board")
CLOCKED = [BOUNDS.index(bound) for bound in ("compute", "buffer")]  # what takes longer at a lower clock
ROUNDS = 40  # of the bisection for the clock


class Spent(NamedTuple):
    """Where the energy of a row on one card goes at the full clock, in joules, and its time.

    Parameters
    ----------
    core, edge
        Of the chip's own work, and of off-chip accesses.
    link
        Of the links, as the share of one card.
    counted_s, clocked_s
        Time of the counted work, and the part of it that is bound by what the clock drives.
    link_s
        Time on the links.
    """

    core: float
    edge: float
    link: float
    counted_s: float
    clocked_s: float
    link_s: float

    @property
    def seconds(self) -> float:
        """Its whole time."""
        return self.counted_s + self.link_s


class Watts:
    """The static power of a row on one card.

    Parameters
    ----------
    platform, machine
        The card, with the row's scheme.
    busy_cycles
        Of parts that work in a part of the time, by part.
    """

    def __init__(self, platform: Platform, machine: Machine, busy_cycles: Mapping[str, float]) -> None:
        self._platform, self._machine, self._busy = platform, machine, busy_cycles

    def joules(self, seconds: float, chip_only: bool = False) -> float:
        """Return what flows in a time.

        Parameters
        ----------
        seconds, chip_only
            The time; whether a meter sees the chip alone.
        """
        machine = self._machine
        cycles = seconds * machine.clock_mhz * US_PER_S
        spent = machine.cycle_pj.nominal_pj * cycles if self._platform.power is None else 0.0
        for state, line in zip(STATES, machine.static, strict=True):
            if chip_only and state.part in BESIDE_CHIP:
                continue
            working = self._busy.get(state.part, 0.0)
            spent += line.price.nominal_pj * state_cycles(cycles, working, working)[state.cycles]
        return float(spent) * J_PER_PJ


class Running(NamedTuple):
    """A row on one card.

    Parameters
    ----------
    spent, watts
        Where its energy goes; its static power.
    """

    spent: Spent
    watts: Watts

    def joules(self, seconds: float, clock: float, idle_w: float, limit: PowerLimit | None, chip_only: bool) -> float:
        """Return the energy that flows through a card, or its chip, in a time.

        Parameters
        ----------
        seconds
            That it takes.
        clock
            Relative to the full one; the chip's own work and what flows beyond the idle watts follow it.
        idle_w, limit
            Of the platform.
        chip_only
            Whether off-chip accesses and what stands beside the chip are left out.
        """
        square = limit.volts(clock) ** 2 if limit else 1.0
        standing = self.watts.joules(seconds, chip_only)
        idle = min(idle_w * seconds, standing)
        static = idle + (standing - idle) * clock * square
        return self.spent.core * square + (0.0 if chip_only else self.spent.edge + self.spent.link) + static

    def limited(self, platform: Platform, seconds: float | None) -> tuple[float, float]:
        """Return the time that a row takes, and the clock at which it does.

        Parameters
        ----------
        platform
            The card.
        seconds
            As measured; the clock is then the highest at which the limit is not exceeded in that time.
        """
        limit, spent = platform.power_limit, self.spent

        def takes(clock: float) -> float:
            return spent.seconds + spent.clocked_s * (1 / clock - 1) if seconds is None else seconds

        def within(clock: float) -> bool:
            took = takes(clock)
            return limit is None or self.joules(took, clock, platform.meter.idle_w, limit, False) <= limit.watts * took

        if limit is None or within(1.0):
            return takes(1.0), 1.0
        low, high = limit.least_clock, 1.0
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            low, high = (middle, high) if within(middle) else (low, middle)
        took = takes(low)
        idle_w = platform.meter.idle_w
        if seconds is None and not within(low) and idle_w < limit.watts:  # it pauses, with idle watts
            took = (self.joules(took, low, idle_w, limit, False) - idle_w * took) / (limit.watts - idle_w)
        return took, low

    def metered(self, platform: Platform, meter: Metered, seconds: float, clock: float) -> float:
        """Return the energy of one card that a meter sees.

        Parameters
        ----------
        platform, meter
            The card, and the row's meter.
        seconds, clock
            From `limited`.
        """
        scope, idle = seen_by(meter, platform)
        idle_w, limit = platform.meter.idle_w, platform.power_limit
        joules = self.joules(seconds, clock, idle_w, limit, scope not in WHOLE)
        if limit is not None:  # also where not even the lowest clock explains a measured time
            joules = min(joules, limit.watts * seconds)
        return joules - (idle_w * seconds if idle == "net" else 0.0)


def seen_by(meter: Metered, platform: Platform) -> tuple[str, str]:
    """Return what is metered: scope, and gross or net.

    Parameters
    ----------
    meter, platform
        Of a row; the machine, whose own meter stands in where the row does not say.
    """
    return meter.scope or platform.meter.scope, meter.idle or platform.meter.idle


def running(
    system: System, found: Evaluated, phases: Floats, scheme: Indices, platform: Platform, link_j: Floats,
    link_s: Floats,
) -> list[Running]:  # fmt: skip
    """Return each row on one card.

    Parameters
    ----------
    system, found
        What was evaluated.
    phases
        1 for each phase that a row contains, otherwise 0; shape (rows, phases).
    scheme, platform
        Index of each row's scheme; the card.
    link_j, link_s
        Energy and time of the links in a row, shape (rows,).
    """
    columns = system.columns
    width = len(columns) // phases.shape[1]
    shape = (len(phases), phases.shape[1], width)
    energies = (found.energies.nominal_pj.reshape(shape) * phases[:, :, None]).sum(axis=1) * J_PER_PJ
    counts = (found.counts.reshape(shape) * phases[:, :, None]).sum(axis=1)
    first = columns[:width]
    over_time = np.array([column.component in (COMPONENT, "leakage") for column in first])
    at_edge = np.array([column.action in OFF_CHIP for column in first]) & ~over_time
    places = {(column.operand, column.action): at for at, column in enumerate(first) if column.component == COMPONENT}
    counted_s = (found.latency_s * phases).sum(axis=1)
    clocked_s = (found.times.seconds[..., CLOCKED].sum(axis=(2, 3)) * phases).sum(axis=1)
    rows = []
    for i in range(len(phases)):
        machine = system.machine(int(scheme[i]), 0, 0)
        cycles = counted_s[i] * machine.clock_mhz * US_PER_S
        busy = {part: _working(counts[i], places, part, cycles) for part, state in places if state == "busy"}
        spent = Spent(
            float(energies[i, ~over_time & ~at_edge].sum()), float(energies[i, at_edge].sum()), float(link_j[i]),
            float(counted_s[i]), float(clocked_s[i]), float(link_s[i]),
        )  # fmt: skip
        rows.append(Running(spent, Watts(platform, machine, busy)))
    return rows


def _working(counts: Floats, places: Mapping[tuple[str, str], int], part: str, cycles: float) -> float:
    """Return the cycles in which a part works; only states that draw power are counted."""
    busy, idle = (float(counts[places[part, state]]) for state in ("busy", "idle"))
    return busy if busy or not idle else cycles - idle


def metered_by(
    rows: Sequence[Named], each: Sequence[Running], platform: Platform, given_s: Floats | None
) -> tuple[Floats, Floats]:
    """Return the seconds of rows, and the joules of one card that their meters see.

    Parameters
    ----------
    rows, each, platform
        The rows, their energy and time on one card, and the card.
    given_s
        The measured times; default: the predicted ones.
    """
    seconds, joules = np.zeros(len(rows)), np.zeros(len(rows))
    for i, (row, one) in enumerate(zip(rows, each, strict=True)):
        seconds[i], clock = one.limited(platform, None if given_s is None else float(given_s[i]))
        joules[i] = one.metered(platform, row.meter, seconds[i], clock)
    return seconds, joules
