"""Operating points of a chip: clock and volts, and what follows from them.

======================  ================================================================================================
what                    at a point, relative to the nominal one
======================  ================================================================================================
clocked rates           f: arrays, vector unit and buffers
energy of the chip      V^2: operations, registers, buffers and wires
leakage                 V^n, n is `leakage_exponent`: `leakage_w`, the static parts ``array`` and ``sram``
switching static parts  f V^2: those of `switching`, e.g. a clock tree
off-chip memory         its own clock: bandwidth of the point; no energy of it changes
unpacking, launches     time (1 - s) / f + s / B with B the bandwidth and s `memory_bound_share`
======================  ================================================================================================

What the host does (times of steps and of requests) and the other static parts have supplies of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

MAX_VOLTS = 10.0
CLOCK, VOLTS, BANDWIDTH = "clock_mhz", "volts", "bandwidth_gb_per_s"


class Point(Strict):
    """A clock, and the supply that it needs."""

    clock_mhz: float = Field(ge=1e-3, le=1e6)
    volts: float | None = Field(
        default=None, gt=0, le=MAX_VOLTS, description="default: on the line between the neighbours that give theirs"
    )
    bandwidth_gb_per_s: float | None = Field(
        default=None, gt=0, le=1e9, description="peak of the off-chip memory in this mode; default: as volts"
    )


@dataclass(frozen=True)
class Operating:
    """What an operating point multiplies, 1 each at the nominal one.

    Parameters
    ----------
    clock, energy, leakage, memory
        Clocked rates; energy of what switches; watts of leakage; bandwidth of the off-chip memory.
    waiting
        Time to unpack a weight, and of a launch.
    switching
        Static parts whose watts follow clock and energy.
    """

    clock: float = 1.0
    energy: float = 1.0
    leakage: float = 1.0
    memory: float = 1.0
    waiting: float = 1.0
    switching: tuple[str, ...] = ()

    def watts(self, part: str) -> float:
        """Return what the watts of a static part are multiplied with.

        Parameters
        ----------
        part
            A field of `StaticPower`.
        """
        if part in self.switching:
            return self.clock * self.energy
        return self.leakage if part in ("array", "sram") else 1.0


NOMINAL = Operating()


class Dvfs(Strict):
    """Dynamic voltage and frequency scaling: the points that a chip can run at, and the one it does."""

    points: list[Point] = Field(min_length=2, description="by rising clock; the first and the last give their volts")
    nominal_mhz: float = Field(description="clock in MHz at which the other values of the file hold")
    point: float | None = Field(
        default=None, description="clock in MHz that is run, between two points interpolated; default: nominal"
    )
    leakage_exponent: float = Field(
        default=1.0, ge=0, le=10, description="of leakage in watts over volts; 1: a current that does not change"
    )
    switching: list[Literal["array", "sram", "phy", "host", "board"]] = Field(
        default_factory=list, description="static parts whose watts follow f V^2"
    )
    memory_bound_share: float = Field(
        default=0.0, ge=0, le=1,
        description="share of the time of unpacking and launches that follows the memory's clock, at the nominal point",
    )  # fmt: skip

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        clocks = [point.clock_mhz for point in self.points]
        for i, (lower, higher) in enumerate(pairwise(clocks)):
            if lower >= higher:
                raise wrong_value(f"{higher:g} MHz after {lower:g} MHz", "a higher clock", "points", i + 1, CLOCK)
        for i in (0, len(self.points) - 1):
            if self.points[i].volts is None:
                raise wrong_value("an end of the range without volts", "volts", "points", i)
        given = [point for point in self.points if point.volts is not None]
        for lower_point, higher_point in pairwise(given):
            if (lower_point.volts or 0) > (higher_point.volts or 0):
                i = self.points.index(higher_point)
                wrong = f"{higher_point.volts:g} V at a higher clock than {lower_point.volts:g} V"
                raise wrong_value(wrong, "no fewer volts", "points", i, VOLTS)
        missing = [point.bandwidth_gb_per_s is None for point in self.points]
        if not all(missing) and (missing[0] or missing[-1]):
            i = 0 if missing[0] else len(self.points) - 1
            raise wrong_value("an end of the range without bandwidth", "bandwidth_gb_per_s", "points", i)
        for key in ("nominal_mhz", "point"):
            clock = getattr(self, key)
            if clock is not None and not clocks[0] <= clock <= clocks[-1]:
                raise wrong_value(f"got {clock:g}", f"MHz between {clocks[0]:g} and {clocks[-1]:g}", key)
        return self

    def volts(self, clock_mhz: float) -> float:
        """Return the supply of a clock in V.

        Parameters
        ----------
        clock_mhz
            Between the first and the last point.
        """
        return _between(self.points, VOLTS, clock_mhz)

    @property
    def operating(self) -> Operating:
        """What the point that is run multiplies."""
        if self.point is None or self.point == self.nominal_mhz:
            return NOMINAL
        clock = self.point / self.nominal_mhz
        volts = self.volts(self.point) / self.volts(self.nominal_mhz)
        memory = 1.0
        if self.points[0].bandwidth_gb_per_s is not None:
            at = [_between(self.points, BANDWIDTH, each) for each in (self.point, self.nominal_mhz)]
            memory = at[0] / at[1]
        share = self.memory_bound_share
        return Operating(
            clock, volts**2, volts**self.leakage_exponent, memory, (1 - share) / clock + share / memory,
            tuple(self.switching),
        )  # fmt: skip


def _between(points: Sequence[Point], key: str, clock_mhz: float) -> float:
    """Return a value of the points at a clock, on the line between the neighbours that give it."""
    given = [(point.clock_mhz, float(getattr(point, key))) for point in points if getattr(point, key) is not None]
    for (lower, first), (higher, second) in pairwise(given):
        if clock_mhz <= higher:
            return first + (second - first) * (clock_mhz - lower) / (higher - lower)
    return given[-1][1]


def times(price: Price, factor: float) -> Price:
    """Return a price, each end multiplied.

    Parameters
    ----------
    price, factor
        The price; 1 leaves it as it is.
    """
    return price if factor == 1.0 else Price(*(end * factor for end in price))


def scaled_key(key: str, factor: float) -> str:
    """Return the price key of a multiplied price.

    Parameters
    ----------
    key, factor
        Of the price; the factor, which stands behind it.
    """
    return key if factor == 1.0 or not key else f"{key}*{factor:.16g}"


def plain_key(key: str) -> tuple[str, float]:
    """Return a price key without its factor, and the factor.

    Parameters
    ----------
    key
        From `scaled_key`.
    """
    plain, star, factor = key.partition("*")
    return plain, float(factor) if star else 1.0
