"""What the system accounting adds to a summary: machines, time, bands of the prices, memory."""

from bitjoule.experiments.energy.frames import Frames
from bitjoule.reports.energy.phases import BOUND_NAMES
from bitjoule.reports.energy.workloads import unit_of
from bitjoule.reports.figures.digits import column_prefix, parameters, significant, with_unit
from bitjoule.reports.figures.markdown import cut, differing, markdown, side_by_side

SHOWN_FLIPS = 12


def machines_line(frames: Frames) -> str:
    """Return a sentence that names the machine of each scheme where it is not the platform itself.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    """
    sets = []
    for name, machines in frames.machines.groupby("platform", sort=False):
        if set(machines["machine"]) != {name}:
            pairs = machines[["scheme", "machine"]].itertuples(index=False)
            sets.append(f"{name}: " + ", ".join(f"{scheme} on {machine}" for scheme, machine in pairs))
    return "Machines: " + "; ".join(sets) + "." if sets else ""


def time_table(frames: Frames, max_rows: int) -> str:
    """Return tokens, or images, a second and what bounds them, with a row for each model, platform, phase and workload.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    max_rows
        Rows shown.
    """
    phases = frames.summary["phase"] != "request"
    summary, bounds = frames.summary[phases], frames.bounds[phases]
    models, schemes = len(frames.models), list(frames.schemes)
    order = side_by_side(summary, models, len(schemes))
    bound = bounds[list(BOUND_NAMES)].to_numpy().argmax(axis=1)[order]
    keys = ["model", "technology", "platform", "phase", "batch", "prompt_tokens", "new_tokens"]
    keys = differing(summary, keys, always=("model",))
    speed = summary["tokens_per_s"].to_numpy()[order]
    rows = []
    for row, case in enumerate(summary[keys].iloc[order[:max_rows, 0]].to_dict("records")):
        names = [list(BOUND_NAMES.values())[index].split()[0] for index in bound[row]]
        rows.append([*(str(value) for value in case.values()), *(significant(value) for value in speed[row]), *names])
    text = [i for i, key in enumerate(keys) if key in ("model", "technology", "platform", "phase")]
    headers = [
        *keys,
        *(f"{scheme} ({unit_of(frames)}s/s)" for scheme in schemes),
        *(f"{scheme} bound by" for scheme in schemes),
    ]
    text += range(len(headers) - len(schemes), len(headers))
    table = markdown(headers, rows, text)
    return "## Speed\n\n" + table + cut(len(order), max_rows, "summary.csv")


def bands_text(frames: Frames) -> str:
    """Return which comparisons depend on where the prices lie in their bands.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    """
    bands = frames.bands
    if bands.empty:
        return ""
    title = "## Sensitivity to price uncertainty\n\n"
    flips = bands[bands["flips"]]
    low, high = (f"{100 * bands['banded_share'].agg(end):.0f} %" for end in ("min", "max"))
    share = f"{low} to {high}" if low != high else low
    tables = "the operations' tables"
    if frames.without_bands != frames.technologies:
        tables = f"the operations at {' and '.join(frames.without_bands)}"
    without = f"; those of {tables} have none, as all copy one source" if frames.without_bands else ""
    title += f"Of a case's energy, {share} has a price with a band{without}.\n\n"
    if flips.empty:
        return f"{title}All {len(bands)} comparisons with the baseline hold wherever the prices lie in their bands."
    lines = []
    for row in flips.head(SHOWN_FLIPS).to_dict("records"):
        case = [row["model"], row["scheme"], row["technology"], row["platform"], row["phase"]]
        case += [f"batch {row['batch']}, prompt {row['prompt_tokens']}, new {row['new_tokens']}"]
        ends = f"{with_unit(row['saving_low_j'], 'J')} to {with_unit(row['saving_high_j'], 'J')}"
        lines.append(f"- {', '.join(case)}: saves {with_unit(row['saving_j'], 'J')}, {ends} within the bands.")
    more = f"\n\nThe first {SHOWN_FLIPS}; all are in bands.csv." if len(flips) > SHOWN_FLIPS else ""
    change = "changes" if len(flips) == 1 else "change"
    head = f"{len(flips)} of {len(bands)} comparisons with the baseline {change} sign within the bands:"
    return title + "\n".join([head, "", *lines]) + more


def memory_table(frames: Frames, max_rows: int) -> str:
    """Return the memory of each model and scheme, and the first scheme's memory relative to it.

    Parameters
    ----------
    frames
        Of a run of the system accounting.
    max_rows
        Rows shown.
    """
    memory = frames.memory
    if frames.bare or memory["memory_bytes"].nunique() == 1:
        return ""
    keys = differing(memory, ("batch", "prompt_tokens", "new_tokens"))
    tables = "first and last layers" if unit_of(frames) == "image" else "embedding and head"
    parts = {"weights": "weights_bytes", tables: "tables_bytes", "KV cache": "kv_cache_bytes",
             "activations": "activations_bytes", "adapters": "adapters_bytes", "all": "memory_bytes"}  # fmt: skip
    parts = {name: column for name, column in parts.items() if column in memory}
    factor, unit = column_prefix(memory["memory_bytes"].tolist())
    first = str(next(iter(frames.schemes)))
    at_first = {
        tuple(case[key] for key in ("model", *keys)): case
        for case in memory[memory["scheme"] == first].to_dict("records")
    }
    rows = []
    for case in memory.head(max_rows).to_dict("records"):
        same = at_first[tuple(case[key] for key in ("model", *keys))]
        cells = [case["model"], parameters(case["parameters"]), case["scheme"], *(str(case[key]) for key in keys)]
        cells += [significant(case[column] / factor) for column in parts.values()]
        cells += [significant(same[column] / case[column]) for column in ("weights_bytes", "memory_bytes")]
        rows.append(cells)
    headers = ["model", "parameters", "scheme", *keys, *(f"{name} ({unit}B)" for name in parts)]
    headers += [f"weights: {first} / this", f"all: {first} / this"]
    return "## Memory\n\n" + markdown(headers, rows, [0, 2]) + cut(len(memory), max_rows, "memory.csv")


def overhead_line(frames: Frames) -> str:
    """Return what was added to weights and tables to compare with printed memories, or nothing.

    Parameters
    ----------
    frames
        Of a run.
    """
    overhead = frames.overhead
    if overhead is None:
        return ""
    tokens = overhead.bytes_per_value / 4
    return (
        f"Ours is weights, embedding and LM head plus an overhead alike for every format: "
        f"{with_unit(overhead.fixed_bytes, 'B')} and {with_unit(overhead.bytes_per_value, 'B')} for each layer and "
        f"unit of width (as much as an FP16 KV cache of {significant(tokens, 2)} tokens), fitted by least squares to "
        f"the {overhead.samples} numbers printed in GB."
    )
