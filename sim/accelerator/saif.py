"""Counts of toggles from a SAIF file, the one that Verilator writes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(
    r"^ *(?:\((\S+?)(?:\\\[\d+\\\])? \(T0 .*\(TC (\d+)\)\)|\((?:INSTANCE (\S+)|NET|SAIFILE)|(\)))$", re.MULTILINE
)
_FIELD = re.compile(r"[.\[].*")


@dataclass(frozen=True)
class Toggles:
    """How often bits changed over a window of cycles.

    A bit is compared with what it was at the end of the cycle before: no clock, no glitches.

    Parameters
    ----------
    cycles
        Of the window; the first one's changes are not known, so that changes are between ``cycles - 1`` pairs.
    nets
        Changes of each net, all its bits together, by its path: names of instances and of the net, with ``/`` between.
        A net that passes through ports is listed in each instance that sees it; fields and elements of a net that is
        listed as a whole are left out.
    """

    cycles: int
    nets: dict[str, int]

    @property
    def total(self) -> int:
        """Changes of all nets."""
        return sum(self.nets.values())

    def instances(self, depth: int = 2) -> dict[str, int]:
        """Return the changes below each instance.

        Parameters
        ----------
        depth
            Levels of the hierarchy; what lies deeper counts towards the instance that contains it.
        """
        changes: dict[str, int] = {}
        for path, count in self.nets.items():
            instance = "/".join(path.split("/")[:-1][:depth])
            changes[instance] = changes.get(instance, 0) + count
        return changes


def read_toggles(path: Path, before: Path, cycles: int) -> Toggles:
    """Return the changes that one SAIF file counts more than another.

    Parameters
    ----------
    path
        The window's file.
    before
        The file of its first cycle alone: Verilator counts the ones there as changes.
    cycles
        Of the window.

    Raises
    ------
    ValueError
        The files are not of one model.
    """
    first: dict[str, int] = {}
    nets: dict[str, int] = {}
    for into, file in ((first, before), (nets, path)):
        for net, count in _counts(file.read_text(encoding="utf-8")):
            into[net] = into.get(net, 0) + count
    if first.keys() != nets.keys():
        raise ValueError(f"{path} and {before} name different nets")
    changes = {net: count - first[net] for net, count in nets.items() if not _is_part(net, nets)}
    return Toggles(cycles, changes)


def _is_part(net: str, nets: dict[str, int]) -> bool:
    instance, _, name = net.rpartition("/")
    base = f"{instance}/{_FIELD.sub('', name)}"
    return base != net and base in nets


def _counts(text: str) -> Iterator[tuple[str, int]]:
    """Yield the path and changes of each bit; each opening, each closing and each bit has a line of its own."""
    levels = [""]
    for bit in _LINE.finditer(text):
        net, count, instance, closed = bit.groups()
        if net is not None:
            yield levels[-1] + net, int(count)
        elif closed:
            levels.pop()
        else:
            levels.append(f"{levels[-1]}{instance}/" if instance else levels[-1])
