"""The position of each case under the roof of its machine, and the height of the roofs."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.components import names
from bitjoule.energy_models.system.counting.memory import BITS_PER_BYTE
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.energy.evaluation import evaluate, long_table
from bitjoule.experiments.energy.grid import Grid
from bitjoule.experiments.output.columns import REQUEST

OPERATIONS_A_MAC = 2
KEYS = ["model", "scheme", "technology", "platform", "phase", "batch"]


def points(grid: Grid, summary: pd.DataFrame, lengths: NDArray[np.intp]) -> pd.DataFrame:
    """Return a row for each model, scheme, technology, platform, phase and batch, at some prompts and new tokens.

    Parameters
    ----------
    grid
        Every case, of the system accounting.
    summary
        Of the run.
    lengths
        Indices of prompt tokens and new tokens, shape (pairs, 2).

    Returns
    -------
    DataFrame
        Columns `KEYS`, operations (of the matmuls: twice the MACs where an array's MACs are priced whole; elsewhere, as
        on arrays of adders, twice the additions to sums, which are one less for a sum than its terms), bytes
        (off-chip), latency_s, intensity (operations a byte), operations_per_s; the rows of whole requests follow those
        of the phases.
    """
    cases = np.arange(len(grid))
    own = np.stack(grid.axis_indices(cases)[-2:], axis=1)
    table = long_table(grid, evaluate(grid, cases[(own[:, None, :] == lengths).all(axis=2).any(axis=1)]))
    operand, action = table["operand"].astype(str), table["action"].astype(str)
    adds, macs = (operand == "partial_sums") & (action == "add"), action == "mac"
    table = table.assign(
        operations=table["count"] * (table["component"].isin(names("matmul")) & (adds | macs)) * OPERATIONS_A_MAC,
        bytes=table["count"] * action.str.startswith("off_chip") / BITS_PER_BYTE,
        phase=table["phase"].astype(str),
    )
    keys = [*KEYS, "prompt_tokens", "new_tokens"]
    rows = pd.concat(
        table.assign(**phase).groupby(keys, observed=True, sort=False)[["operations", "bytes"]].sum().reset_index()
        for phase in ({}, {"phase": REQUEST})
    )
    times = summary[[*keys, "latency_s"]].assign(phase=summary["phase"].astype(str))
    rows = rows.merge(times, on=keys, validate="one_to_one")  # drops requests without new tokens, which have no row
    rows["intensity"] = rows["operations"] / rows["bytes"]
    rows["operations_per_s"] = rows["operations"] / rows["latency_s"]
    return rows


def roofs(grid: Grid) -> pd.DataFrame:
    """Return the peak performance of each machine.

    Parameters
    ----------
    grid
        The cases of an experiment with the system accounting.

    Returns
    -------
    DataFrame
        Columns technology, platform, scheme, machine, bytes_per_s (of off-chip memory) and operations_per_s (of the
        array that runs the linears).
    """
    kind = MatmulKind.STANDALONE if grid.bare else MatmulKind.LINEAR
    rows = []
    for technology_name, technology in grid.technologies.items():
        for platform_name, machines in grid.platforms.items():
            for scheme, (name, platform) in machines.items():
                machine = Machine(grid.schemes[scheme], platform, technology, name)
                array, _ = machine.array(kind)
                peak = OPERATIONS_A_MAC * array.lanes * array.columns * array.copies * machine.clock_mhz * 1e6
                rows.append((technology_name, platform_name, scheme, name, machine.off_chip_gb_per_s * 1e9, peak))
    columns = ["technology", "platform", "scheme", "machine", "bytes_per_s", "operations_per_s"]
    return pd.DataFrame(rows, columns=columns)
