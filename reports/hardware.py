"""The summary of a run on the simulated hardware."""

import math

import pandas as pd

from bitjoule.energy_models.architecture.phases import DECODE
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.system.platform.regulator import ACTION, OPERAND
from bitjoule.energy_models.system.platform.static_power import STATES
from bitjoule.experiments.hardware.linear_costs import MEMORIES, UNITS
from bitjoule.experiments.hardware.run import Simulated
from bitjoule.experiments.hardware.tables import HardwareResult
from bitjoule.experiments.output.columns import PJ_PER_J, REQUEST
from bitjoule.reports.figures.digits import prefix, significant, with_unit
from bitjoule.reports.figures.markdown import cut, markdown

ON = {"rtl": "on the RTL", "check": "on the RTL, every product equal to NumPy's", "numpy": "in NumPy"}
HEADERS = ("phase", "layer", "matmul", "tokens x K x N", "cycles", "utilisation (%)", "zero trits (%)",
           "zero activations (%)")  # fmt: skip
PARTS: dict[tuple[str, str], str] = {  # by operand and the action's first word
    ("partial_sums", "add"): "additions",
    ("weights", "mac"): "multiply-accumulates",
    ("unpacking", "mul"): "unpacking of weights",
    ("unpacking", "add"): "unpacking of weights",
    ("partial_sums", "register"): "accumulators",
    ("weights", "register"): "weight registers",
    ("weights", "buffer"): "weights, buffer",
    ("weights", "off"): "weights, off-chip memory",
    ("activations", "buffer"): "activations, buffer",
    ("activations", "off"): "activations, off-chip memory",
    ("outputs", "buffer"): "results, buffer",
    ("outputs", "off"): "results, off-chip memory",
    **{(operand, "wire"): "wires" for operand in ("weights", "activations", "partial_sums", "outputs")},
    **{(unit, action): f"unit {unit}" for unit in UNITS for action in ("element", "mul", "add")},
    **{(memory, "memory"): "memories around the array" for memory in MEMORIES},
    ("chip", "leak"): "leakage",
    **{(state.part, state.state): f"static power, {state.part}" for state in STATES},
    (OPERAND, ACTION): "loss in regulators",
}


def headline(result: HardwareResult) -> str:
    """Return cycles and energy in one line.

    Parameters
    ----------
    result
        A run.
    """
    run = result.simulated
    cycles = sum(row.cycles for row in run.rows)
    last = result.summary[result.summary["phase"] != REQUEST].iloc[-1]
    energy = with_unit(float(last["energy_per_token_j"]), "J")
    per_token = f"{energy} per token in {last['phase']} at {result.technology}"
    return f"{run.name}, {cycles} cycles on {result.config}; {per_token}"


def hardware_markdown(result: HardwareResult, max_rows: int) -> str:
    """Return what was run and measured as Markdown; nothing in it depends on the machine that simulated.

    Parameters
    ----------
    result
        A run.
    max_rows
        Rows of matmuls shown.
    """
    run = result.simulated
    matmuls = len({(row.layer, row.name) for row in run.rows})
    cycles, clock_mhz = sum(row.cycles for row in run.rows), run.machine.clock_mhz
    sentences = [
        _linears(result, matmuls)
        if run.linears
        else f"{run.name}: {matmuls} integer matmuls, {ON[result.engine]} ({result.config}).",
        f"{cycles} cycles, {with_unit(cycles / clock_mhz / 1e6, 's')} at {clock_mhz:g} MHz if operands never wait.",
    ]
    parts = [f"# {result.name}", result.description, " ".join(sentences), _table(run, max_rows)]
    at = f"On {run.machine.name} at {result.technology}, its memories feeding this accelerator"
    left_out = "norms, attention, softmax, scales, embedding and LM head are not counted"
    if run.linears:
        norms = "" if run.linears.config.normed else "norms, "
        left_out = f"units and memories around the array are counted; {norms}attention, softmax, embedding and LM head "
        left_out += "are not"
    parts += [f"{at}; {left_out}:" if not run.bare else f"{at}, operands and results off-chip:"]
    parts += [_times(run, result.summary, max_rows), _steps(run, result.summary), _parts(result, max_rows)]
    parts += [_additions(run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _linears(result: HardwareResult, linears: int) -> str:
    """Return which whole linears ran, how their outputs compare, and what ran in NumPy."""
    run = result.simulated
    assert run.linears is not None  # noqa: S101 (the caller asks)
    config, compared = run.linears.config, run.linears.compared.values()
    text = f"{run.name}: {counted(linears, 'whole linear')} on the RTL ({result.config}: {config.in_words})."
    if compared:
        outputs = sum(one.outputs for one in compared)
        share, own = (max(one[place] for one in compared) for place in (1, 2))
        text += (
            f" All {outputs} outputs have the bits of NumPy's reference. They differ from float32's, given the same "
        )
        text += f"activations in {config.format}, by at most {100 * share:.0f} % of the bound, and from those of the "
        text += f"model's own layers in float32 by at most {100 * own:.2g} % of a layer's largest output."
    if run.bare:
        return text
    norms = "" if config.normed else "norms, "
    head = "" if any(row.name == "lm_head" for row in run.rows) else " and the LM head"
    return f"{text} In NumPy ran {norms}attention, activation functions, embedding{head}."


def speed_line(run: Simulated) -> str:
    """Return how long the run took, and how long the simulated hardware took in it.

    Parameters
    ----------
    run
        A run.
    """
    tokens = "" if run.bare else f": {run.new_tokens} tokens, {run.new_tokens / run.seconds:.2f} tokens/s"
    duration = f"Ran in {run.seconds:.1f} s{tokens}."
    if run.hardware_seconds is None:
        return duration
    cycles = sum(row.cycles for row in run.rows)
    trits = sum(row.tokens * row.k * row.n for row in run.rows)
    rates = f"{cycles / run.hardware_seconds / 1e3:.0f} k cycles/s, {trits / run.hardware_seconds / 1e9:.3f}"
    return f"{duration} Of it {run.hardware_seconds:.1f} s in the simulated hardware: {rates} G trits/s."


def _times(run: Simulated, summary: pd.DataFrame, max_rows: int) -> str:
    """Return time and energy per token of each case and phase."""
    cycles_by_case: dict[tuple[str, str], int] = {}  # the accelerator's cycles
    for row in run.rows:
        for phase in (row.phase, REQUEST):
            key = (row.name if run.bare else run.name, phase)
            cycles_by_case[key] = cycles_by_case.get(key, 0) + row.cycles
    rows = []
    for case in summary.head(max_rows).to_dict("records"):
        tokens = case["energy_j"] / case["energy_per_token_j"]
        ends = [with_unit(case[f"energy_{end}_j"] / tokens, "J") for end in ("low", "high")]
        computing_s = cycles_by_case[case["model"], case["phase"]] / (run.machine.clock_mhz * 1e6) / tokens
        cells = [case["model"], case["phase"], f"{tokens:.0f}", with_unit(1 / case["tokens_per_s"], "s")]
        rows.append(
            [*cells, with_unit(computing_s, "s"), with_unit(case["energy_per_token_j"], "J"), " to ".join(ends)]
        )
    headers = ("model", "phase", "tokens", "time per token", "compute time", "energy per token", "band")
    return markdown(headers, rows, [0, 1]) + cut(len(summary), max_rows, "summary.csv")


def _steps(run: Simulated, summary: pd.DataFrame) -> str:
    """Return the decode of the new tokens as `accounting: system` counts it, a step a token; nothing if it was so."""
    decode = summary[summary["phase"] == DECODE]
    steps = sum(round(row["energy_j"] / row["energy_per_token_j"]) for row in decode.to_dict("records"))
    if run.bare or steps == run.new_tokens:
        return ""
    text = f"{counted(run.new_tokens, 'new token')} took {counted(steps, 'decode step')}, as prefill gives the first. "
    text += "`accounting: system` counts a decode step for each new token"
    if not steps:
        return f"{text}."
    energy, latency = (float(decode[name].iloc[0]) / steps * run.new_tokens for name in ("energy_j", "latency_s"))
    return (
        f"{text}: {run.new_tokens} steps of the mean here take {with_unit(latency, 's')} and {with_unit(energy, 'J')}."
    )


def _parts(tables: HardwareResult, max_rows: int) -> str:
    """Return the parts of a token's energy, with a column for each case and phase."""
    results = tables.results
    part = [PARTS[operand, action.split("_")[0]] for operand, action in results[["operand", "action"]].to_numpy()]
    columns, headers = [], []
    for row in tables.summary.to_dict("records")[:max_rows]:
        in_case = (results["model"] == row["model"]) & (results["phase"] == row["phase"])
        if not in_case.any():
            continue
        tokens = row["energy_j"] / row["energy_per_token_j"]
        columns.append(results["energy_pj"].where(in_case, 0.0).groupby(part).sum() / tokens / PJ_PER_J)
        headers.append(f"{row['model']} {row['phase']}")
    names = [name for name in dict.fromkeys(PARTS.values()) if name in columns[0].index]
    table = [[name] for name in names]
    for i, column in enumerate(columns):
        factor, unit = prefix(column.max())
        headers[i] += f" ({unit}J per token)"
        for cells in table:
            cells.append(significant(column[cells[0]] / factor))
    return markdown(["part", *headers], table, [0])


def _additions(run: Simulated) -> str:
    """Return how many additions zero trits would save."""
    every = sum(row.tokens * (row.k - row.groups) * row.n for row in run.rows)
    nonzero = 0
    for row in run.rows:
        trits = round((1 - row.weight_zero_share) * row.k * row.n)
        nonzero += row.tokens * max(trits - row.n * row.groups, 0)
    share = f"; of nonzero trits alone there are {100 * nonzero / every:.1f} % of these {every}" if every else ""
    return f"Additions are counted as the papers count them, all trits but the first of each sum{share}."


def _table(run: Simulated, max_rows: int) -> str:
    toggles = any(not math.isnan(row.toggles_per_trit) for row in run.rows)
    rows = []
    for row in run.rows[:max_rows]:
        cells = [row.phase, str(row.layer), row.name, f"{row.tokens}x{row.k}x{row.n}", str(row.cycles)]
        cells += [f"{100 * share:.1f}" for share in (row.utilisation, row.weight_zero_share, row.activation_zero_share)]
        rows.append([*cells, significant(row.toggles_per_trit)] if toggles else cells)
    headers = [*HEADERS, "toggles per trit"] if toggles else HEADERS
    return markdown(headers, rows, [0, 2]) + cut(len(run.rows), max_rows, "matmuls.csv")
