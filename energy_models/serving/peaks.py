"""What bounds the time of a phase on several chips, and how long their resources and links are busy at their peaks.

The resources of a chip are those of `accounting: system`; beside them are the links between chips and those to a host.
Each chip has one of both. With several chips, what is busy is the sum over all of them.
"""

from typing import NamedTuple, Self

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.serving.links import BITS_PER_GB, Link
from bitjoule.energy_models.serving.steps import StepCosts
from bitjoule.energy_models.system.counting.utilisation import OFF_CHIP, RESOURCES
from bitjoule.energy_models.system.mappings.bounds import BOUNDS

LINK, HOST = "link", "host_link"
LIMITS = (*BOUNDS, LINK, HOST)  # what bounds the time of a phase
PEAKS = (*RESOURCES, LINK, HOST)  # what is busy meanwhile


class Occupied(NamedTuple):
    """Where the time of a phase goes.

    Parameters
    ----------
    bound_s
        The time by what bounds it, shape (`LIMITS`,). While some chips of a pipeline wait, what bounds those that work.
    busy_s
        Seconds that each resource is busy at its peak, of all chips together, shape (`PEAKS`,).
    """

    bound_s: Floats
    busy_s: Floats

    @classmethod
    def nothing(cls) -> Self:
        """Return that of a phase that takes no time."""
        return cls(np.zeros(len(LIMITS)), np.zeros(len(PEAKS)))

    @classmethod
    def of_link(cls, name: str, link: Link, bits: float, seconds: float) -> Self:
        """Return what a transfer takes.

        Parameters
        ----------
        name
            `LINK` or `HOST`.
        link, bits, seconds
            The link, what crosses it, and how long that takes with its latency.
        """
        occupied = cls.nothing()
        occupied.bound_s[LIMITS.index(name)] = seconds
        occupied.busy_s[PEAKS.index(name)] = bits / (link.bandwidth_gb_per_s * BITS_PER_GB)
        return occupied

    @classmethod
    def of_reads(cls, seconds: float, achieved_share: float) -> Self:
        """Return what reading from off-chip memory takes.

        Parameters
        ----------
        seconds, achieved_share
            How long it takes at the share of the peak bandwidth that is reached.
        """
        occupied = cls.nothing()
        occupied.bound_s[BOUNDS.index("off_chip")] = seconds
        occupied.busy_s[OFF_CHIP] = seconds * achieved_share
        return occupied

    def plus(self, other: Self) -> "Occupied":
        """Return both, one after the other.

        Parameters
        ----------
        other
            The other one.
        """
        return Occupied(self.bound_s + other.bound_s, self.busy_s + other.busy_s)

    def shares(self, chips: int) -> Floats:
        """Return the share of each peak that the chips use on average, shape (`PEAKS`,).

        Parameters
        ----------
        chips
            How many.
        """
        seconds = float(self.bound_s.sum())
        return np.minimum(self.busy_s / (chips * seconds), 1.0) if seconds else 0 * self.busy_s


def occupied(
    bound_s: Floats, busy_s: Floats, link_s: Floats, host_s: Floats, moved_bits: Floats, links: tuple[Link, Link],
    repeats: Floats,
) -> Occupied:  # fmt: skip
    """Return where the time of steps goes.

    Chips and the links to a host work at the same time, and the slower of both bounds a step; then come the links
    between chips.

    Parameters
    ----------
    bound_s, busy_s
        Of the chips: the time of each step by what bounds it, shape (`BOUNDS`, steps), and seconds of each resource, of
        all chips, shape (`RESOURCES`, steps).
    link_s, host_s
        How long a step takes on the links between chips, and on those to a host, shape (steps,).
    moved_bits
        What crosses both, over all chips, shape (2, steps).
    links
        Between chips, and to a host.
    repeats
        How often each step is run, shape (steps,).
    """
    per_s = np.array([link.bandwidth_gb_per_s * BITS_PER_GB for link in links])
    by_host = host_s > bound_s.sum(axis=0)
    bounds = np.concatenate([np.where(by_host, 0.0, bound_s), [link_s], [np.where(by_host, host_s, 0.0)]])
    return Occupied(bounds @ repeats, np.concatenate([busy_s, moved_bits / per_s[:, None]]) @ repeats)


def experts_of(whole: StepCosts, bare: StepCosts, each: StepCosts, chips: int) -> tuple[Floats, Floats]:
    """Return time by bound, and busy seconds of all chips, of steps whose experts are shared out.

    Parameters
    ----------
    whole, bare
        All sequences, with the experts and without.
    each
        What one chip does beside the experts, for its own sequences.
    chips
        How many.

    Returns
    -------
    tuple of Floats
        Shape (`BOUNDS`, steps) and (`RESOURCES`, steps).
    """
    works_s = (whole.latency_s - bare.latency_s) / chips + each.latency_s
    # of what runs at once beside the matrices, another resource may be the slowest without the experts
    bound_s = np.maximum((whole.bound_s - bare.bound_s) / chips + each.bound_s, 0.0)
    total = bound_s.sum(axis=0)
    scaled = bound_s * np.divide(works_s, total, out=np.zeros_like(total), where=total > 0)
    return scaled, np.maximum(whole.busy_s - bare.busy_s + chips * each.busy_s, 0.0)
