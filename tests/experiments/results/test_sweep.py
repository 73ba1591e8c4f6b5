"""Tables of a run as arrays, and the one closed form of the explorer."""

import numpy as np
import pandas as pd
import pytest

import bitjoule
from bitjoule.energy_models.architecture.components import COMPONENTS
from bitjoule.experiments.results.folders import open_result
from bitjoule.experiments.results.sweep import GROUPS, KEYS, MEMORY_KEYS, OTHERS, STATIC, WHOLE_MEMORY, sweep


def swept(experiment):
    result = bitjoule.run(experiment)
    return sweep(result.summary, pd.concat(list(result.components_in_blocks())), result.memory)


def test_each_value_of_the_tables_is_at_its_place(run_edge):
    result = open_result(run_edge())
    summary, components, memory = (result.frame(name) for name in ("summary", "components", "memory"))
    found = sweep(summary, components, memory)
    assert list(found.axes) == list(KEYS)
    assert found.axes["phase"] == ["prefill", "decode"]

    def place(row, keys):
        return tuple(list(found.axes[key]).index(getattr(row, key)) for key in keys)

    for row in summary[summary.phase != "request"].itertuples():
        assert found.sums["energy_j"][place(row, KEYS)] == row.energy_j
        assert found.sums["time_s"][place(row, KEYS)] == row.latency_s
        own = components[np.logical_and.reduce([components[key] == getattr(row, key) for key in KEYS])]
        grouped = {name: table[place(row, KEYS)] for name, table in found.energy_j.items()}
        assert sum(grouped.values()) == pytest.approx(row.energy_j, rel=1e-12)
        assert grouped[STATIC] == own[own.component == "static"].energy_j.sum() > 0
        assert grouped["attention"] == pytest.approx(
            own[own.component.isin(["attention_scores", "attention_values"])].energy_j.sum(), rel=1e-12
        )
        assert sum(table[place(row, KEYS)] for table in found.time_s.values()) == pytest.approx(row.latency_s, rel=1e-9)
    for row in memory.itertuples():
        assert found.memory_bytes[WHOLE_MEMORY][place(row, MEMORY_KEYS)] == row.memory_bytes
        assert found.memory_bytes["KV cache"][place(row, MEMORY_KEYS)] == row.kv_cache_bytes


def test_every_component_has_a_group():
    grouped = [component for components in GROUPS.values() for component in components]
    assert sorted(grouped) == sorted(component.name for component in COMPONENTS)
    assert GROUPS[OTHERS] == ()


def test_a_phase_that_did_not_run_has_no_value():
    found = swept(
        {
            "name": "x", "accounting": "system", "models": ["bitnet-125m"], "schemes": ["fp16"],
            "technologies": ["7nm"], "platforms": ["fp16-edge"],
            "workload": {"prompt_tokens": 16, "new_tokens": [0, 4]},
        }
    )  # fmt: skip
    energy = found.sums["energy_j"].reshape(2, 2)  # new tokens, phase
    assert np.isfinite(energy).tolist() == [[True, False], [True, True]]


def test_energy_at_other_watts_is_no_less_than_that_of_a_run_with_them_and_nearly_that():
    found = swept(
        {
            "name": "x", "accounting": "system", "models": ["bitnet-125m", "llama-3-8b"], "schemes": ["fp16"],
            "technologies": ["7nm"], "platforms": ["fp16-edge-100mw", "fp16-edge-1w"],
            "workload": {"prompt_tokens": [16, 512, 4096], "new_tokens": 8, "batch": [1, 8]},
        }
    )  # fmt: skip
    at = [list(found.axes["platform"]).index(name) for name in ("fp16-edge-100mw", "fp16-edge-1w")]
    energy, own, seconds = (
        [np.take(table, i, axis=1) for i in at]
        for table in (found.sums["energy_j"], found.energy_j[STATIC], found.sums["time_s"])
    )  # fmt: skip
    watts = own[1] / seconds[1]
    assert (watts > 8 * own[0] / seconds[0]).all()
    closed_form = energy[0] - own[0] + watts * seconds[0]
    assert (closed_form >= energy[1] * (1 - 1e-9)).all()
    assert (closed_form <= energy[1] * 1.01).all()


def test_places_do_not_depend_on_the_order_of_the_rows(run_edge):
    """Amounts stand in their order along an axis, phases in that of a request, names as they are met."""
    tables = [open_result(run_edge()).frame(name) for name in ("summary", "components", "memory")]
    found, turned = sweep(*tables), sweep(*(table.iloc[::-1] for table in tables))
    assert turned.axes["scheme"] == found.axes["scheme"][::-1]
    for key in ("new_tokens", "batch", "prompt_tokens"):
        assert turned.axes[key] == sorted(set(tables[0][key]))
    assert turned.axes["phase"] == ["prefill", "decode"]
    at = list(KEYS).index("scheme")
    for ours, theirs in ((found.sums, turned.sums), (found.energy_j, turned.energy_j), (found.time_s, turned.time_s)):
        for name, values in ours.items():
            np.testing.assert_allclose(np.flip(theirs[name], axis=at), values, rtol=1e-12)
