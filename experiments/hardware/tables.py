"""The tables of a hardware run."""

from dataclasses import dataclass

import pandas as pd

from bitjoule.energy_models.architecture.phases import PREFILL
from bitjoule.energy_models.inputs.documents import is_path
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.system.platform.regulator import ACTION
from bitjoule.energy_models.system.platform.regulator import COMPONENT as LOSS
from bitjoule.energy_models.system.platform.static_power import COMPONENT as STATIC
from bitjoule.energy_models.system.platform.static_power import STATES
from bitjoule.energy_models.system.work.steps import MatmulKind
from bitjoule.experiments.hardware.costs import matmul_costs
from bitjoule.experiments.hardware.resolve import Prepared
from bitjoule.experiments.hardware.run import Call, Simulated
from bitjoule.experiments.hardware.schema import DEFAULT_IDS, DEFAULT_MODEL, DEFAULT_PROMPT, OF_MODELS, RtlExperiment
from bitjoule.experiments.output.columns import (
    ARRAY_COLUMNS,
    ENERGY_COLUMNS,
    PJ_PER_J,
    REQUEST,
    RESULT_COLUMNS,
    SUMMARY_COLUMNS,
)
from bitjoule.sim.llm.tokenizer import IdTokenizer
from bitjoule.sim.llm.trained import shipped_models

BARE = "matmul"
# Components of their own, by action; of the loss, low and high are those of what is delivered at nominal prices.
OF_TIME = {"leak": "leakage", ACTION: LOSS, **dict.fromkeys((state.state for state in STATES), STATIC)}
ENDS = ("energy_low_pj", "energy_pj", "energy_high_pj")  # in a price's order


@dataclass(frozen=True)
class HardwareResult:
    """The outcome of a hardware run.

    Parameters
    ----------
    name, description
        Of the experiment.
    engine, config
        The matmul backend, and the accelerator's name in the experiment.
    technology
        Technology of the prices.
    simulated
        The run.
    matmuls
        A row for each layer, matmul and phase.
    results
        A row for each case, phase, matmul and action; columns `RESULT_COLUMNS`. Leakage and static power are
        components of their own. Empty for a model without integer matmuls.
    summary
        A row for each case and phase, and for both where there are two; columns `SUMMARY_COLUMNS`, without memory and
        ratios.
    linears
        Of a run on a whole BitLinear, a row for each layer, linear and phase: how its outputs compare with NumPy's, and
        toggles of its units, where these were asked for.
    warnings
        Of the run.
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
    linears: pd.DataFrame | None = None
    warnings: tuple[str, ...] = ()


def hardware_result(experiment: RtlExperiment, simulated: Simulated) -> HardwareResult:
    """Return the counts, energies and times of a run.

    Parameters
    ----------
    experiment, simulated
        The experiment, and the outcome of its run.
    """
    results, summary = _energies(experiment, simulated) if simulated.built else (pd.DataFrame(), pd.DataFrame())
    run = experiment.rtl
    return HardwareResult(
        experiment.name, experiment.description, run.engine, run.config, experiment.technology, simulated,
        pd.DataFrame(simulated.rows).drop(columns="groups", errors="ignore"), results, summary, _linears(simulated),
    )  # fmt: skip


def _linears(simulated: Simulated) -> pd.DataFrame | None:
    if simulated.linears is None:
        return None
    compared, toggles = simulated.linears.compared, simulated.linears.toggles
    rows = []
    for row in simulated.rows:
        key = row.phase, row.layer, row.name
        counted = {f"{unit}_toggles_per_cycle": value for unit, value in toggles.get(key, {}).items()}
        sizes = {name: getattr(row, name) for name in ("phase", "layer", "name", "k", "n", "tokens", "cycles")}
        rows.append(sizes | (compared[key]._asdict() if key in compared else {}) | counted)
    return pd.DataFrame(rows)


def _energies(experiment: RtlExperiment, simulated: Simulated) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts: dict[tuple[str, ...], tuple[float, Price, str]] = {}
    cycles: dict[tuple[str, str], int] = {}
    cases: dict[str, dict[str, object]] = {}
    design = simulated.linears.config if simulated.linears else simulated.config
    for call, times in simulated.calls.items():
        costs = matmul_costs(simulated.machine, design, call.kind, call.shape, call.cycles, call.commands)
        case = _case(experiment, simulated, call)
        model, component = str(case["model"]), call.name if call.kind is MatmulKind.LINEAR else BARE
        cases.setdefault(model, case)
        cycles[model, call.phase] = cycles.get((model, call.phase), 0) + times * costs.cycles
        for cost in costs.actions:
            key = (model, call.phase, OF_TIME.get(cost.action, component), *cost[:3])
            before = counts[key][0] if key in counts else 0.0
            counts[key] = (before + times * cost.times, cost.price, cost.key)
    names = ("phase", "component", "operand", "action", "format")
    order = list(cycles)
    rows = [
        {**cases[key[0]], **dict(zip(names, key[1:], strict=True)), "count": count,
         **{column: count * end for column, end in zip(ENDS, price, strict=True)}, "price": price_key}
        for key, (count, price, price_key) in sorted(
            counts.items(), key=lambda item: (order.index((item[0][0], item[0][1])), item[0][2] in OF_TIME.values())
        )
    ]  # fmt: skip
    results = pd.DataFrame(rows, columns=list(RESULT_COLUMNS))
    return results, _summary(cases, simulated, results, cycles)


def _summary(
    cases: dict[str, dict[str, object]], simulated: Simulated, results: pd.DataFrame, cycles: dict[tuple[str, str], int]
) -> pd.DataFrame:
    hertz = simulated.machine.clock_mhz * 1e6
    array = simulated.machine.array_name(MatmulKind.LINEAR)  # the accelerator's place; only its matmuls are priced
    table = []
    for model, case in cases.items():
        phases = [phase for key_model, phase in cycles if key_model == model]
        for group in [[phase] for phase in phases] + ([phases] if len(phases) > 1 else []):
            rows = results[(results["model"] == model) & results["phase"].isin(group)]
            tokens = sum(_tokens(simulated, model, phase) for phase in group)
            latency_s = sum(cycles[model, phase] for phase in group) / hertz
            energy = {name.replace("_pj", "_j"): float(rows[name].sum()) / PJ_PER_J for name in ENERGY_COLUMNS}
            times = {"latency_s": latency_s, "tokens_per_s": tokens / latency_s}
            per_token = {"energy_per_token_j": energy["energy_j"] / tokens}
            phase = group[0] if len(group) == 1 else REQUEST
            arrays = dict(zip(ARRAY_COLUMNS, (array, 1.0, ""), strict=True))
            table.append({**case, "phase": phase, **energy, **per_token, **times, **arrays})
    return pd.DataFrame(table, columns=list(SUMMARY_COLUMNS))


def _tokens(simulated: Simulated, model: str, phase: str) -> int:
    """Return the tokens that a phase ran: the prompt, the new tokens that were fed back, or a bare matmul's M."""
    rows = (row for row in simulated.rows if row.phase == phase and (not simulated.bare or row.name == model))
    return next(rows).tokens


def _case(experiment: RtlExperiment, simulated: Simulated, call: Call) -> dict[str, object]:
    bare = call.kind is MatmulKind.STANDALONE
    model = call.name if bare else simulated.name
    return {
        "experiment": experiment.name, "model": model,
        "parameters": call.shape.k * call.shape.n if bare else simulated.parameters, "scheme": simulated.scheme,
        "technology": experiment.technology, "platform": simulated.machine.name, "batch": 1,
        "prompt_tokens": _tokens(simulated, model, PREFILL), "new_tokens": simulated.new_tokens,
    }  # fmt: skip


def inlined_experiment(prepared: Prepared, simulated: Simulated) -> dict[str, object]:
    """Return the experiment with every default filled in: running it again gives the same tables.

    Parameters
    ----------
    prepared, simulated
        The experiment, and the outcome of its run.
    """
    experiment, run = prepared.experiment, prepared.experiment.rtl
    if prepared.selected:
        default = DEFAULT_IDS if isinstance(prepared.selected.tokenizer, IdTokenizer) else DEFAULT_PROMPT
        prompt = default if run.prompt is None else run.prompt
        model = run.model or DEFAULT_MODEL
        if prepared.selected.files and model not in shipped_models():
            model = _absolute(prepared, model, "model")
        run = run.model_copy(update={"model": model, "prompt": prompt})
    config = _absolute(prepared, run.config, "config") if is_path(run.config) else run.config
    run = run.model_copy(update={"config": config, "clock_mhz": simulated.machine.clock_mhz})
    inlined = experiment.model_copy(update={"rtl": run, "platform": prepared.platform.inlined})
    excluded = {"rtl": set(OF_MODELS)} if simulated.bare else None
    return inlined.model_dump(mode="json", exclude_none=True, exclude=excluded)


def _absolute(prepared: Prepared, path: str, key: str) -> str:
    """Return a path of the experiment as an absolute one, which is also valid in the folder of results."""
    return str((prepared.document.folder(("rtl", key)) / path).resolve())
