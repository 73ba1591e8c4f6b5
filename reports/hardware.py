"""The summary of a run on the simulated hardware."""

import math

from bitjoule.experiments.rtl_schema import RtlExperiment
from bitjoule.experiments.simulation import Simulated, summary_table
from bitjoule.reports.digits import significant, with_unit
from bitjoule.reports.markdown import cut, markdown

ON = {"rtl": "on the RTL", "check": "on the RTL, every product equal to NumPy's", "numpy": "in NumPy"}
HEADERS = ("phase", "layer", "matmul", "tokens x K x N", "cycles", "utilisation (%)", "zero trits (%)",
           "zero activations (%)")  # fmt: skip


def hardware_markdown(experiment: RtlExperiment, found: Simulated, max_rows: int) -> str:
    """Return what was run and measured as Markdown; nothing in it depends on the machine that simulated.

    Parameters
    ----------
    experiment, found
        What was run, and what it gave.
    max_rows
        Rows of matmuls shown.
    """
    matmuls = len({(row.layer, row.name) for row in found.rows})
    cycles, clock_mhz = sum(row.cycles for row in found.rows), experiment.rtl.clock_mhz
    told = [f"{found.name}: {matmuls} integer matmuls, {ON[experiment.rtl.engine]} ({experiment.rtl.config})."]
    told.append(f"{cycles} cycles, {with_unit(cycles / clock_mhz / 1e6, 's')} at {clock_mhz:g} MHz.")
    for row in summary_table(experiment, found).to_dict("records"):
        if row["phase"] == "decode":
            energy = with_unit(row["energy_per_token_j"], "J")
            token = with_unit(1 / row["tokens_per_s"], "s")
            told.append(f"A new token takes {token}; its additions {energy} at {experiment.technology}.")
    parts = [f"# {experiment.name}", experiment.description, " ".join(told), _table(found, max_rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(found: Simulated, max_rows: int) -> str:
    counted = any(not math.isnan(row.toggles_per_trit) for row in found.rows)
    rows = []
    for row in found.rows[:max_rows]:
        cells = [row.phase, str(row.layer), row.name, f"{row.tokens}x{row.k}x{row.n}", str(row.cycles)]
        cells += [f"{100 * share:.1f}" for share in (row.utilisation, row.weight_zero_share, row.activation_zero_share)]
        rows.append([*cells, significant(row.toggles_per_trit)] if counted else cells)
    headers = [*HEADERS, "toggles per trit"] if counted else HEADERS
    return markdown(headers, rows, [0, 2]) + cut(len(found.rows), max_rows, "matmuls.csv")
