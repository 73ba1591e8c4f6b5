"""What the parts of DRAM devices take, as a table of the summary."""

from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.figures.digits import column_prefix, significant
from bitjoule.reports.figures.markdown import cut, differing, markdown

PARTS = {
    "read_j": "read",
    "write_j": "write",
    "activate_j": "opened rows",
    "io_j": "data pins",
    "phy_j": "controller and PHY",
    "waiting_j": "standby and refresh",
}
KEYS = ("model", "technology", "platform", "scheme", "phase", "batch", "prompt_tokens", "new_tokens")
TEXT = ("model", "technology", "platform", "scheme", "phase")
REQUEST = "request"


def dram_text(frames: Frames, max_rows: int) -> str:
    """Return the joules of each part, with a row for each case and phase of a machine with a device.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    max_rows
        Rows shown.
    """
    table = frames.dram
    if table.empty:
        return ""
    table = table[table["phase"] != REQUEST]
    keys = differing(table, KEYS, always=("platform", "scheme"))
    total_j = table[list(PARTS)].sum(axis=1)
    factor, unit = column_prefix(total_j.tolist())
    rows = []
    for row, total in zip(table.head(max_rows).to_dict("records"), total_j, strict=False):
        cells = [str(row[key]) for key in keys] + [str(row["device"])]
        rows.append([*cells, *(significant(joules / factor) for joules in (*(row[part] for part in PARTS), total))])
    headers = [*keys, "device", *(f"{name} ({unit}J)" for name in (*PARTS.values(), "all"))]
    text = [i for i, key in enumerate(keys) if key in TEXT] + [len(keys)]
    title = "## Off-chip memory by part"
    text_line = "Parts of the DRAM device, at nominal prices; low and high ends are in results.csv."
    return f"{title}\n\n{text_line}\n\n{markdown(headers, rows, text)}{cut(len(table), max_rows, 'dram.csv')}"
