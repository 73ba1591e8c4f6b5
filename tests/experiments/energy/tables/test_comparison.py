"""Ours beside printed numbers: each picked and divided anew from the tables of the run."""

import numpy as np
import pytest

from bitjoule import run_experiment
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.papers.published import PrintedNumber
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.energy.tables.comparison import compare

PROMPTS = (7, 300)


@pytest.fixture(scope="module", params=["fp16", "bitnet"])
def ran(request):
    """Return a sweep in which the paper's case, one sequence and no new tokens, never comes first."""
    return run_experiment(
        {
            "name": "x",
            "models": ["bitnet-125m", "bitnet-1.3b"],
            "schemes": ["bitnet", "fp16"],
            "technologies": ["45nm", "7nm"],
            "workload": {"prompt_tokens": list(PROMPTS), "new_tokens": [5, 0], "batch": [3, 1]},
            "baseline": {"scheme": request.param},
        }
    )


def printed(model, scheme, technology, prompt_tokens, action, quantity, text):
    where = {"accounting": "arithmetic", "baseline": "", "source": "s", "where": "w", "note": "n"}
    return PrintedNumber(model, scheme, technology, prompt_tokens, action=action, quantity=quantity, printed=text,
                         **where)  # fmt: skip


def joules(rows, model, scheme, technology, prompt_tokens, action):
    wanted = {"model": model, "scheme": scheme, "technology": technology, "prompt_tokens": prompt_tokens,
              "batch": 1, "new_tokens": 0, "phase": "prefill"}  # fmt: skip
    wanted |= {"action": action} if action else {}
    own = rows[np.logical_and.reduce([rows[column] == value for column, value in wanted.items()])]
    assert len(own)
    return own["energy_pj"].sum() / 1e12


@pytest.mark.parametrize("action", ["", "add", "mul"])
@pytest.mark.parametrize("quantity", ["energy_j", "ratio_to_baseline"])
def test_ours_is_the_prompt_of_one_sequence_or_the_baselines_over_it(ran, quantity, action):
    cases = [
        (model, scheme, technology, prompt)
        for model in ("bitnet-1.3b", "bitnet-125m") for scheme in ("fp16", "bitnet") for technology in ("7nm", "45nm")
        for prompt in PROMPTS
    ]  # fmt: skip
    cells = [printed(*case, action, quantity, "12.5") for case in cases]
    table, overhead = compare(cells, ran.grid, np.zeros((len(ran.grid), 4)))
    assert overhead is None
    keys = ["model", "scheme", "technology", "prompt_tokens"]
    assert table[keys].to_numpy().tolist() == [list(case) for case in cases]
    for case, own in zip(cases, table.to_dict("records"), strict=True):
        ours = joules(ran.results, *case, action)
        if quantity == "ratio_to_baseline":
            ours = joules(ran.results, case[0], ran.baseline.scheme, *case[2:], action) / ours
        assert own["ours"] == pytest.approx(ours)
        assert own["relative_error"] == pytest.approx((ours - 12.5) / 12.5)
        assert (own["action"], own["quantity"], own["printed"]) == (action, quantity, "12.5")
        assert own["source"] + own["where"] + own["note"] == "swn"


@pytest.mark.parametrize(
    ("decimals", "shift", "agrees"), [(1, 0.0, True), (3, 0.0, True), (1, 0.1, False), (3, -0.001, False)]
)
def test_ours_agrees_where_it_rounds_to_what_is_printed(ran, decimals, shift, agrees):
    case = ("bitnet-1.3b", "fp16", "45nm", 300)
    ours = joules(ran.results, *case, "")
    text = f"{round(ours, decimals) + shift:.{decimals}f}"
    table, _ = compare([printed(*case, "", "energy_j", text)], ran.grid, np.zeros((len(ran.grid), 4)))
    assert table["agrees"].tolist() == [agrees]
    assert table["relative_error"].tolist() == [pytest.approx(ours / float(text) - 1)]


def test_cases_that_are_not_run_have_no_row(ran):
    changed = [("bitnet-30b", "fp16", "7nm", 7), ("bitnet-125m", "int8", "7nm", 7), ("bitnet-125m", "fp16", "7nm", 8)]
    cells = [printed(*case, "", "energy_j", "1") for case in changed]
    assert compare(cells, ran.grid, np.zeros((len(ran.grid), 4)))[0].empty


# Three sizes: a line through two would take up whatever the stored bytes lack.
GIGABYTES = {
    ("bitnet-b1.58-700m", "fp16"): "2.08", ("bitnet-b1.58-700m", "bitnet-b1.58"): "0.80",
    ("bitnet-b1.58-1.3b", "fp16"): "3.34", ("bitnet-b1.58-1.3b", "bitnet-b1.58"): "1.14",
    ("bitnet-b1.58-3b", "fp16"): "7.89", ("bitnet-b1.58-3b", "bitnet-b1.58"): "2.22",
}  # fmt: skip


def of_memory(schemes):
    return run_experiment(
        {
            "name": "x",
            "accounting": "system",
            "models": list(dict.fromkeys(model for model, _ in GIGABYTES)),
            "schemes": list(schemes),
            "technologies": ["7nm"],
            "platforms": [{"name": "hbm", "by_scheme": {"fp16": "fp16-hbm", "bitnet-b1.58": "ternary-hbm"}}],
            "workload": {"prompt_tokens": 512, "new_tokens": 0},
            "baseline": {"scheme": "fp16"},
        }
    )


@pytest.mark.parametrize(
    "schemes", [("fp16", "bitnet-b1.58"), ("bitnet-b1.58", "fp16")], ids=["baseline first", "last"]
)
def test_memory_is_weights_tables_and_a_fitted_overhead_and_its_ratio_the_baselines_over_it(schemes):
    """The first case of all may be the baseline: its number, 0, is not "none"."""
    ran = of_memory(schemes)
    cells = [printed(*key, "7nm", 512, "", "memory_gb", text) for key, text in GIGABYTES.items()]
    cells += [printed(model, "bitnet-b1.58", "7nm", 512, "", "memory_ratio", "3.00") for model in ran.models.index]
    rows = ran.memory.set_index(["model", "scheme"])
    kept = ["weights_bytes", "tables_bytes", "kv_cache_bytes", "activations_bytes"]
    in_order = np.array([rows.loc[key, kept] for key in ran.memory[["model", "scheme"]].itertuples(index=False)])
    adapters = 7e7 * np.arange(1, len(rows) + 1) ** 2
    in_order = np.column_stack([in_order.astype(float), adapters])
    table, overhead = compare(cells, ran.grid, in_order)
    stored = rows["weights_bytes"] + rows["tables_bytes"] + adapters
    width = {name: presets()[name].layers * presets()[name].hidden for name in ran.models.index}
    missing = [float(text) * 1e9 - stored[key] for key, text in GIGABYTES.items()]
    slope, fixed = np.polyfit([width[model] for model, _ in GIGABYTES], missing, 1)
    assert overhead.samples == 6

    def held(model, scheme):
        return stored[model, scheme] + fixed + slope * width[model]

    for own in table.to_dict("records"):
        model, scheme = own["model"], own["scheme"]
        bytes_of_it = held(model, scheme)
        wanted = {"memory_gb": bytes_of_it / 1e9, "memory_ratio": held(model, "fp16") / bytes_of_it}
        assert own["ours"] == pytest.approx(wanted[own["quantity"]], rel=1e-6)
    assert len(table) == 9


def test_without_memories_in_bytes_there_is_no_overhead_and_no_ratio_of_memories():
    ran = of_memory(["fp16", "bitnet-b1.58"])
    cells = [printed("bitnet-b1.58-3b", "bitnet-b1.58", "7nm", 512, "", "memory_ratio", "3.00")]
    table, overhead = compare(cells, ran.grid, np.ones((len(ran.grid), 5)))
    assert table.empty
    assert overhead is None


def test_a_ratio_of_memories_without_memories_hides_no_cell_behind_it_and_ours_is_the_prompt_alone(resolved):
    """The case with the fewest new tokens stands for the paper's: what its new tokens take is left out."""
    text = "name: x\nmodels: [bitnet-125m]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\n"
    ran = run(resolved(f"{text}workload: {{prompt_tokens: 7, new_tokens: [5, 2]}}\nbaseline: {{scheme: fp16}}\n"))
    case = ("bitnet-125m", "bitnet", "7nm", 7)
    cells = [printed(*case, "", quantity, "1.0") for quantity in ("memory_ratio", "energy_j")]
    table, _ = compare(cells, ran.grid, np.zeros((len(ran.grid), 5)))
    assert table["quantity"].tolist() == ["energy_j"]
    rows = ran.results[(ran.results["scheme"] == "bitnet") & (ran.results["phase"] == "prefill")]
    each = rows.groupby("new_tokens")["energy_pj"].sum() / 1e12
    assert each.nunique() == 1
    assert table["ours"].tolist() == pytest.approx([each.iloc[0]])
