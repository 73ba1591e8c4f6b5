"""The datasheet of a built design: one page of Markdown."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.exploration.building import tables
from bitjoule.experiments.exploration.building.build import Built
from bitjoule.experiments.exploration.building.prediction import Prediction
from bitjoule.experiments.exploration.result import ExplorationResult
from bitjoule.experiments.exploration.space.metrics import METRICS
from bitjoule.reports.exploration.words import knob_columns, quantity, setting_text
from bitjoule.reports.figures.digits import significant
from bitjoule.reports.figures.markdown import markdown

FILES = {
    "accelerator.yaml": "configuration, for `bitjoule rtl` commands",
    "platform.yaml": "the whole chip, for experiments",
    "accelerator.v": "Verilog of one accelerator",
    "accelerator.json": "its ports, packing and timing",
    "verification.csv": "cases, matmuls and cycles that were compared",
    "figures.csv": "predicted and synthesised figures",
    "parts.csv": "area and energy of the parts of the netlist",
}


def datasheet(result: ExplorationResult, number: int, built: Built) -> str:
    """Return the page.

    Parameters
    ----------
    result
        Of the exploration.
    number
        Of the design.
    built
        Its hardware.
    """
    name, row = result.experiment.name, result.designs[result.designs["design"] == number].iloc[0]
    parts = [
        f"# Design {number} of {name}", _why(result, number, str(row["status"])), _accelerator(built),
        "## As explored", _workload(result, built), _explored(result, row),
        "## Verification", _verification(built),
        "## Predicted and synthesised", _figures(built),
        "## Parts of the netlist", _parts(tables.parts(built.synthesis)),
        "## Files", markdown(["file", "holds"], list(FILES.items()), [0, 1]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _why(result: ExplorationResult, number: int, status: str) -> str:
    if number != result.best:
        return f"Chosen by its number; status in the exploration: {status}."
    chosen = result.experiment.explore.best
    if chosen:
        return f"The best design: of the Pareto set, the one with the best {METRICS[chosen].label} (`explore.best`)."
    product = " x ".join(METRICS[name].label for name in result.experiment.explore.objectives)
    return f"The best design: of the Pareto set, the one with the least product {product}, each as a ratio."


def _accelerator(built: Built) -> str:
    config, said = built.accelerator.config, built.synthesis.prediction
    rows = [
        ("array of the platform", f"{built.accelerator.array}, {counted(built.accelerator.instances, 'accelerator')}"),
        ("each", f"{config.lanes} lanes x {config.columns} columns, {config.lanes * config.columns} MACs a cycle"),
        ("weights", f"{config.weight_encoding}, {config.datapath}; {config.weight_bus_bits} bits a cycle"),
        ("activations", f"{config.activation_bits} bits; {config.activation_bus_bits} bits a cycle"),
        ("sums", f"{config.accumulator_bits} bits, {counted(config.tokens, 'token')}; K up to {config.max_k}"),
        ("latency", f"{config.latency_cycles} cycles"),
    ]
    if said is not None:
        rows.append(("clock of the chip", f"{significant(said.chip_mhz)} MHz at {said.technology.name}"))
    return markdown(["", ""], rows, [0, 1])


def _workload(result: ExplorationResult, built: Built) -> str:
    design, models = built.accelerator.design, ", ".join(result.cases["model"].unique())
    request = f"{counted(design.prompt_tokens, 'prompt token')}, {counted(design.new_tokens, 'new token')}"
    return (
        f"{models} in {design.scheme_name} on {design.platform_name} at {design.technology.name}: {request}, batch "
        f"{design.batch}."
    )


def _explored(result: ExplorationResult, row: "pd.Series") -> str:
    rows = [(name, setting_text(name, str(row[name]))) for name in knob_columns(result.designs)]
    rows += [
        (metric.label, quantity(name, float(str(row[name])))) for name, metric in METRICS.items() if row.notna()[name]
    ]
    return markdown(["", "value"], rows, [0])


def _verification(built: Built) -> str:
    report = built.report
    return (
        f"In Verilator, {report.cases} of {built.cases} cases passed: {report.matmuls} matmuls equal NumPy bit for "
        f"bit, and the cycles of {report.exact_cycles} cases equal the cycle model; {report.cycles} cycles in all."
    )


def _figures(built: Built) -> str:
    table = tables.figures(built.synthesis).to_dict("records")
    rows = [
        (f"{row['figure']} ({row['unit']})", *(_side(row, side) for side in ("predicted", "synthesised")),
         "" if pd.isna(row["difference"]) else f"{100 * row['difference']:+.3g} %")
        for row in table
    ]  # fmt: skip
    headers = ["one accelerator", "predicted", "synthesised", "predicted relative to synthesised"]
    text = [
        f"Synthesised in the cells of {built.synthesis.library}: {built.synthesis.measurement.cells} cells, operands "
        f"{built.synthesis.measurement.stimulus}. In brackets: low to high.",
        markdown(headers, rows, [0]),
    ]
    if built.synthesis.prediction is None:
        return "\n\n".join([*text, f"No prediction at the node of the library: {built.synthesis.unpredicted}."])
    return "\n\n".join([*text, *_reasons(built, built.synthesis.prediction)])


def _side(row: Mapping[Hashable, Any], side: str) -> str:
    value, low, high = (float(str(row[name])) for name in (side, f"{side}_low", f"{side}_high"))
    if pd.isna(value):
        return ""
    return significant(value) + (f" ({significant(low)} to {significant(high)})" if low != high else "")


def _reasons(built: Built, said: Prediction) -> Sequence[str]:
    """Return what the predicted figures are made of, and why they may lie apart from those of the netlist."""
    size, config = said.mac, built.accelerator.config
    own = built.accelerator.design.technology
    text = (
        f"Predicted area and leakage are {config.lanes * config.columns} times those of a MAC in an array of "
        f"{size.lanes} x {size.columns}, and accumulators are counted as SRAM; the netlist has all registers of its "
        "own size, and accumulators of flip-flops. The predicted clock is that of such an array. Predicted energy "
        f"is at {said.technology.name}"
    )
    text += "." if own.name == said.technology.name else f", since the design's own {own.name} is of another node."
    late = said.chip_mhz > 1e3 / built.synthesis.measurement.period_ns
    rows = [
        (str(row["part"]), *("" if pd.isna(row[key]) else significant(row[key]) for key in ("area_um2", "energy_pj")))
        for row in tables.shares(said).to_dict("records")
    ]
    warning = [f"**The netlist does not meet the chip's clock of {significant(said.chip_mhz)} MHz.**"] if late else []
    return [*warning, text, markdown(["predicted", "area (um2)", "energy of a MAC (pJ)"], rows, [0])]


def _parts(table: pd.DataFrame) -> str:
    rows = [
        (str(row["part"]), significant(row["area_um2"]) if row["area_um2"] else "", significant(row["energy_pj"]))
        for row in table.to_dict("records")
    ]
    return markdown(["part", "area (um2)", "energy of a MAC (pJ)"], rows, [0])
