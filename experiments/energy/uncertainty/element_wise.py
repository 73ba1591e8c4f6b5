"""Who does the element-wise work at technologies that price units of a BitLinear, and what is paid for it."""

import pandas as pd

from bitjoule.energy_models.papers.arithmetic import Accounting
from bitjoule.energy_models.prices.measured import UNITS
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.experiments.energy.grid import Grid

UNIT_ACTIONS: tuple[str, ...] = UNITS
ELEMENT_WISE_COLUMNS = ("technology", "format", "paid", "lacking")


def element_wise(grid: Grid) -> pd.DataFrame:
    """Return a row for each format of element-wise work at each technology that prices any unit.

    Parameters
    ----------
    grid
        The cases of an experiment.

    Returns
    -------
    DataFrame
        ``technology``; ``format``, that of the elements; ``paid``, the units that they are paid in; ``lacking``, those
        that are paid as operations: the technology does not price them in this format, or a platform has none. Empty
        unless the system accounting is used.
    """
    rows: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for name, technology in grid.technologies.items() if grid.accounting is Accounting.SYSTEM else ():
        if not any(operation in UNITS for operation, _ in technology.rows):
            continue
        for machines in grid.platforms.values():
            for scheme, (platform, hardware) in machines.items():
                machine = Machine(grid.schemes[scheme], hardware, technology, platform)
                paid, lacking = rows.setdefault((name, machine.scheme.vector), ([], []))
                paid += machine.units
                lacking += [unit for unit in UNITS if unit not in machine.units]
    texts = [
        (name, form, *(", ".join(unit for unit in UNITS if unit in found) for found in both))
        for (name, form), both in rows.items()
    ]
    return pd.DataFrame(texts, columns=list(ELEMENT_WISE_COLUMNS))
