"""What passes each memory level of each machine: one row for each case, phase and level."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.phases import PHASE_NAMES, Floats
from bitjoule.energy_models.system.by_phase import ByPhase
from bitjoule.energy_models.system.hardware.machine_levels import COMPONENT, WAYS, WIDTH, levels_of
from bitjoule.energy_models.system.platform.levels import HELD
from bitjoule.experiments.energy.evaluation import case_columns, tokens_of
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.energy.tables.components import utilisation
from bitjoule.experiments.output.columns import PJ_PER_J

BITS_PER_BYTE = 8
BYTES_COLUMNS = tuple(f"{way}_bytes" for way in WAYS)


class LevelTraffic:
    """Collects the bits that pass the memory levels of cases, and their energies; zero where there are none.

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
        platforms = (hardware for by_scheme in grid.platforms.values() for _, hardware in by_scheme.values())
        self.most = max((len(hardware.levels or ()) for hardware in platforms), default=0)
        count = count if self.most else 0
        self.bits: Floats = np.zeros((count, len(PHASE_NAMES), self.most, len(WAYS)))
        self.energy_j: Floats = np.zeros((count, len(PHASE_NAMES), self.most))
        self.latency_s: Floats = np.zeros((count, len(PHASE_NAMES)))

    def add(self, cases: NDArray[np.integer[Any]], by_phase: ByPhase) -> None:
        """Add evaluated cases.

        Parameters
        ----------
        cases
            Their numbers.
        by_phase
            From `bitjoule.energy_models.system.by_phase.evaluate_by_phase`.
        """
        if not self.most:
            return
        evaluated = by_phase.whole
        shape = (len(cases), len(PHASE_NAMES), -1)
        energies = evaluated.energies.nominal_pj.reshape(shape)
        columns = self.grid.system.columns[: energies.shape[2]]
        own = [i for i, column in enumerate(columns) if column.component == COMPONENT]
        levels = len(own) // WIDTH
        parts = (*shape[:2], levels, len(HELD), len(WAYS))
        counts = evaluated.counts.reshape(shape)[:, :, own].reshape(parts)
        self.bits[cases, :, :levels] = counts.sum(axis=3)
        self.energy_j[cases, :, :levels] = energies[:, :, own].reshape(parts).sum(axis=(3, 4)) / PJ_PER_J
        self.latency_s[cases] = evaluated.latency_s

    @property
    def arrays(self) -> dict[str, Floats]:
        """What is collected, a row for each case; none without levels."""
        return {"level_bits": self.bits, "level_energy_j": self.energy_j, "level_latency_s": self.latency_s}

    def table(self) -> pd.DataFrame:
        """Return a row for each case, phase and level of a machine with memory levels, from the buffers outwards.

        Returns
        -------
        DataFrame
            The case's columns; the level's name, what it holds, and its size; bytes read from it, filled into it from
            outside, and written on their way out; ``served_share``, what of the reads did not come from outside;
            ``utilisation``, the share of the time in which it is busy at its peak; its energy. Empty without levels.
        """
        if not self.most:
            return pd.DataFrame()
        cases = np.arange(len(self.grid))
        _, scheme, technology, platform, *_ = self.grid.axis_indices(cases)
        bits, energy_j, latency_s = (
            np.concatenate([values, values.sum(axis=1, keepdims=True)], axis=1)
            for values in (self.bits, self.energy_j, self.latency_s)
        )
        happened = tokens_of(self.grid, cases) > 0
        machines = np.stack([scheme, technology, platform], axis=1)
        tables = []
        for machine in np.unique(machines, axis=0).tolist():
            of_machine = self.grid.system.machine(*machine)
            own = happened & (machines == machine).all(axis=1)[:, None]
            for i, level in enumerate(levels_of(of_machine)):
                case, phase = np.nonzero(own)
                read, fill, write = bits[case, phase, i].T
                peak = level.bits_per_cycle * of_machine.clock_mhz * 1e6
                columns: dict[str, object] = dict(case_columns(self.grid, case, phase.astype(np.int8)))
                holds = " ".join(held for held, passes in zip(HELD, level.holds, strict=True) if passes)
                columns |= {"level": level.name, "holds": holds, "size_bytes": int(level.size_bits) // BITS_PER_BYTE}
                columns |= dict(zip(BYTES_COLUMNS, (way / BITS_PER_BYTE for way in (read, fill, write)), strict=True))
                columns["served_share"] = np.divide(read - fill, read, out=np.zeros_like(read), where=read > 0)
                busy_s = np.maximum(read, fill + write) / peak
                columns["utilisation"] = utilisation(busy_s[:, None], latency_s[case, phase])[:, 0]
                columns["energy_j"] = energy_j[case, phase, i]
                tables.append(pd.DataFrame(columns).assign(_case=case, _phase=phase, _level=i))
        if not tables:
            return pd.DataFrame()
        order = ["_case", "_phase", "_level"]
        return pd.concat(tables).sort_values(order).drop(columns=order).reset_index(drop=True)
