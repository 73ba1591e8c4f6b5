"""The tables of a hardware run."""

from dataclasses import dataclass

import pandas as pd

from bitjoule.energy_models.architecture.phases import PREFILL
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.system.steps import MatmulKind
from bitjoule.experiments.hardware.costs import matmul_costs
from bitjoule.experiments.hardware.resolve import Prepared
from bitjoule.experiments.hardware.run import Call, Simulated
from bitjoule.experiments.hardware.schema import DEFAULT_IDS, DEFAULT_MODEL, DEFAULT_PROMPT, OF_MODELS, RtlExperiment
from bitjoule.experiments.names.lookup import is_path
from bitjoule.experiments.output.columns import ENERGY_COLUMNS, PJ_PER_J, REQUEST, RESULT_COLUMNS, SUMMARY_COLUMNS
from bitjoule.sim.llm.tokenizer import IdTokenizer
from bitjoule.sim.llm.trained import shipped_models

BARE = "matmul"
ENDS = ("energy_low_pj", "energy_pj", "energy_high_pj")  # in a price's order


@dataclass(frozen=True)
class HardwareResult:
    """What a hardware run gave.

    Parameters
    ----------
    name, description
        Of the experiment.
    engine, config
        What multiplied, and the accelerator as the experiment names it.
    technology
        Whose prices.
    simulated
        The run.
    matmuls
        A row for each layer, matmul and phase.
    results
        A row for each case, phase, matmul and action; columns `RESULT_COLUMNS`. Leakage is a component of its own.
        Empty for a model without integer matmuls.
    summary
        A row for each case and phase, and for both where there are two; columns `SUMMARY_COLUMNS`, without memory and
        ratios.
    """

    name: str
    description: str
    engine: str
    config: str
    technology: str
    simulated: Simulated
    matmuls: pd.DataFrame
    results: pd.DataFrame
    summary: pd.DataFrame


def hardware_result(experiment: RtlExperiment, found: Simulated) -> HardwareResult:
    """Return what a run counts, costs and takes.

    Parameters
    ----------
    experiment, found
        What was run, and what it gave.
    """
    results, summary = _energies(experiment, found) if found.built else (pd.DataFrame(), pd.DataFrame())
    run = experiment.rtl
    return HardwareResult(
        experiment.name, experiment.description, run.engine, run.config, experiment.technology, found,
        pd.DataFrame(found.rows), results, summary,
    )  # fmt: skip


def _energies(experiment: RtlExperiment, found: Simulated) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts: dict[tuple[str, ...], tuple[float, Price, str]] = {}
    cycles: dict[tuple[str, str], int] = {}
    cases: dict[str, dict[str, object]] = {}
    for call, times in found.calls.items():
        costs = matmul_costs(found.machine, found.config, call.kind, call.shape, call.cycles)
        case = _case(experiment, found, call)
        model, component = str(case["model"]), call.name if call.kind is MatmulKind.LINEAR else BARE
        cases.setdefault(model, case)
        cycles[model, call.phase] = cycles.get((model, call.phase), 0) + times * costs.cycles
        for cost in costs.actions:
            key = (model, call.phase, "leakage" if cost.action == "leak" else component, *cost[:3])
            before = counts[key][0] if key in counts else 0.0
            counts[key] = (before + times * cost.times, cost.price, cost.key)
    names = ("phase", "component", "operand", "action", "format")
    order = list(cycles)
    rows = [
        {**cases[key[0]], **dict(zip(names, key[1:], strict=True)), "count": count,
         **{column: count * end for column, end in zip(ENDS, price, strict=True)}, "price": price_key}
        for key, (count, price, price_key) in sorted(
            counts.items(), key=lambda one: (order.index((one[0][0], one[0][1])), one[0][2] == "leakage")
        )
    ]  # fmt: skip
    results = pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
    return results, _summary(cases, found, results, cycles)


def _summary(
    cases: dict[str, dict[str, object]], found: Simulated, results: pd.DataFrame, cycles: dict[tuple[str, str], int]
) -> pd.DataFrame:
    hertz = found.machine.node.clock_mhz * 1e6
    table = []
    for model, case in cases.items():
        phases = [phase for of, phase in cycles if of == model]
        for own in [[phase] for phase in phases] + ([phases] if len(phases) > 1 else []):
            here = results[(results["model"] == model) & results["phase"].isin(own)]
            tokens = sum(_tokens(found, model, phase) for phase in own)
            latency_s = sum(cycles[model, phase] for phase in own) / hertz
            energy = {name.replace("_pj", "_j"): float(here[name].sum()) / PJ_PER_J for name in ENERGY_COLUMNS}
            times = {"latency_s": latency_s, "tokens_per_s": tokens / latency_s}
            per_token = {"energy_per_token_j": energy["energy_j"] / tokens}
            phase = own[0] if len(own) == 1 else REQUEST
            table.append({**case, "phase": phase, **energy, **per_token, **times})
    return pd.DataFrame(table, columns=list(SUMMARY_COLUMNS))


def _tokens(found: Simulated, model: str, phase: str) -> int:
    """Return the tokens that a phase ran: the prompt's, the new ones that came back, or a bare matmul's M."""
    rows = (row for row in found.rows if row.phase == phase and (not found.bare or row.name == model))
    return next(rows).tokens


def _case(experiment: RtlExperiment, found: Simulated, call: Call) -> dict[str, object]:
    bare = call.kind is MatmulKind.STANDALONE
    model = call.name if bare else found.name
    return {
        "experiment": experiment.name, "model": model,
        "parameters": call.shape.k * call.shape.n if bare else found.parameters, "scheme": found.scheme,
        "technology": experiment.technology, "platform": found.machine.name, "batch": 1,
        "prompt_tokens": _tokens(found, model, PREFILL), "new_tokens": found.new_tokens,
    }  # fmt: skip


def written_out(prepared: Prepared, found: Simulated) -> dict[str, object]:
    """Return the experiment with every default written out: running it again gives the same tables.

    Parameters
    ----------
    prepared, found
        What was run, and what it gave.
    """
    experiment, run = prepared.experiment, prepared.experiment.rtl
    if prepared.chosen:
        default = DEFAULT_IDS if isinstance(prepared.chosen.tokenizer, IdTokenizer) else DEFAULT_PROMPT
        prompt = default if run.prompt is None else run.prompt
        model = run.model or DEFAULT_MODEL
        if prepared.chosen.files and model not in shipped_models():
            model = _from_anywhere(prepared, model, "model")
        run = run.model_copy(update={"model": model, "prompt": prompt})
    config = _from_anywhere(prepared, run.config, "config") if is_path(run.config) else run.config
    run = run.model_copy(update={"config": config, "clock_mhz": found.machine.node.clock_mhz})
    whole = experiment.model_copy(update={"rtl": run, "platform": prepared.platform.whole})
    unsaid = {"rtl": set(OF_MODELS)} if found.bare else None
    return whole.model_dump(mode="json", exclude_none=True, exclude=unsaid)


def _from_anywhere(prepared: Prepared, path: str, key: str) -> str:
    """Return a path of the experiment as one that leads there from the folder of results, too."""
    return str((prepared.document.folder(("rtl", key)) / path).resolve())
