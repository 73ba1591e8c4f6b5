"""What the parts of each machine's DRAM device take: one row for each case and phase."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.system.by_phase import ByPhase
from bitjoule.energy_models.system.counting.columns import CountColumn
from bitjoule.energy_models.system.counting.dram_parts import OFF_CHIP
from bitjoule.energy_models.system.platform.channels import ACTIVATE, IO, PHY, WAYS
from bitjoule.energy_models.system.platform.static_power import COMPONENT, DRAM
from bitjoule.experiments.energy.evaluation import case_columns, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import PJ_PER_J

WAITING = "waiting"
PARTS = (*WAYS, ACTIVATE, IO, PHY, WAITING)  # of an energy
COUNTED = {"bits": WAYS, "opened_rows": (ACTIVATE,)}


class DramParts:
    """Collects the energies of cases by part of their DRAM device, if any machine has one; of the others, zeros.

    Parameters
    ----------
    grid
        Every case.
    count
        Cases that are collected, from 0 on; default: all.
    """

    def __init__(self, grid: Grid, count: int | None = None) -> None:
        self.grid = grid
        count = len(grid) if count is None else count
        self.devices = np.array(
            [
                [hardware.off_chip.device or "" for _, hardware in by_scheme.values()]
                for by_scheme in grid.platforms.values()
            ]
        )
        count = count if self.devices.any() else 0
        self.energy_j: Floats = np.zeros((count, len(PHASE_NAMES), len(PARTS)))
        self.counts: Floats = np.zeros((count, len(PHASE_NAMES), len(COUNTED)))

    def add(self, cases: NDArray[np.integer[Any]], by_phase: ByPhase) -> None:
        """Add evaluated cases.

        Parameters
        ----------
        cases
            Their numbers.
        by_phase
            From `bitjoule.energy_models.system.by_phase.evaluate_by_phase`.
        """
        if not self.devices.any():
            return
        evaluated = by_phase.whole
        nominal = evaluated.energies.nominal_pj.reshape(len(cases), len(PHASE_NAMES), -1)
        parts = np.array([_part(column) for column in self.grid.system.columns[: nominal.shape[2]]])
        for i, part in enumerate(PARTS):
            self.energy_j[cases, :, i] = nominal[:, :, parts == part].sum(axis=2) / PJ_PER_J
        counts = evaluated.counts.reshape(nominal.shape)
        for i, counted in enumerate(COUNTED.values()):
            self.counts[cases, :, i] = counts[:, :, np.isin(parts, counted)].sum(axis=2)

    @property
    def arrays(self) -> dict[str, Floats]:
        """What is collected, a row for each case; none without a device."""
        return {"dram_energy_j": self.energy_j, "dram_counts": self.counts}

    def table(self) -> pd.DataFrame:
        """Return a row for each case and phase of a machine with a device.

        Returns
        -------
        DataFrame
            The case's columns; the device; bits that cross the chip's edge, and rows that are opened; the joules of
            each of `PARTS`, ``read_j`` to ``waiting_j``: reading and writing without the pins, opening rows, pins,
            controller and PHY, standby and refresh. Empty without a device.
        """
        cases = np.arange(len(self.grid))
        _, scheme, _, platform, *_ = self.grid.axis_indices(cases)
        if not self.devices.any():
            return pd.DataFrame()
        device = self.devices[platform, scheme]
        energy_j, counts = (
            np.concatenate([values, values.sum(axis=1, keepdims=True)], axis=1)
            for values in (self.energy_j, self.counts)
        )
        case, phase = np.nonzero((tokens_of(self.grid, cases) > 0) & (device != "")[:, None])
        columns: dict[str, object] = dict(case_columns(self.grid, case, phase.astype(np.int8)))
        columns["device"] = device[case]
        columns |= {name: counts[case, phase, i] for i, name in enumerate(COUNTED)}
        columns |= {f"{part}_j": energy_j[case, phase, i] for i, part in enumerate(PARTS)}
        return pd.DataFrame(columns)


def _part(column: CountColumn) -> str:
    """Return the part of a device that a column counts, or nothing."""
    if column.component == COMPONENT:
        return WAITING if column.operand == DRAM else ""
    way, _, part = column.action.partition("_")
    if column.action.startswith(OFF_CHIP):
        return column.action.removeprefix(OFF_CHIP)
    return part if way in WAYS and part in PARTS else ""
