"""Evaluated designs against the same machines in an energy experiment, and against themselves in other company."""

import numpy as np
import pytest

import bitjoule
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.silicon import silicon
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.exploration.evaluation import Evaluations, evaluate
from bitjoule.experiments.exploration.space.metrics import METRICS, metric_values, of_design
from tests.experiments.exploration.cases import resolved

MODELS = ["bitnet-125m", "bitnet-350m"]
FORMATS = {"zip": {"scheme": ["fp16", "bitnet-b1.58"], "platform": ["fp16-edge", "ternary-edge"]}}


def same(first, second):
    """Return whether two evaluations have the same bytes."""
    arrays = zip(first.amounts, second.amounts, strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in arrays) and first.problems == second.problems


@pytest.mark.parametrize("new_tokens", [0, 16])
def test_metrics_are_those_of_an_energy_experiment_on_the_same_machine(new_tokens):
    work = resolved(
        models=MODELS, workload__new_tokens=new_tokens, workload__batch=2,
        explore__knobs={"f": FORMATS, "platform.off_chip.bandwidth_gb_per_s": [12.8, 20]},
    )  # fmt: skip
    values = metric_values(evaluate(work.base, work.space, range(4)).amounts)
    for number in range(4):
        chosen = work.space.assignment(number)
        platform = {
            "name": "p", "like": chosen["platform"],
            "off_chip": {"bandwidth_gb_per_s": chosen["platform.off_chip.bandwidth_gb_per_s"]},
        }  # fmt: skip
        result = bitjoule.run(
            {
                "name": "same", "accounting": "system", "models": MODELS, "schemes": [chosen["scheme"]],
                "technologies": ["7nm"], "platforms": [platform],
                "workload": {"prompt_tokens": 64, "new_tokens": new_tokens, "batch": 2},
            }
        )  # fmt: skip
        for i, model in enumerate(MODELS):
            rows = result.summary[result.summary["model"] == model].set_index("phase")
            whole = rows.loc["request" if new_tokens else "prefill"]
            tokens = rows.loc["decode" if new_tokens else "prefill"]
            expected = {
                "energy_j": whole["energy_j"], "latency_s": whole["latency_s"],
                "energy_per_token_j": tokens["energy_per_token_j"], "tokens_per_s": tokens["tokens_per_s"],
                "first_token_s": rows.loc["prefill", "latency_s"], "memory_bytes": whole["memory_bytes"],
                "watts": whole["energy_j"] / whole["latency_s"],
                "energy_delay_j_s": whole["energy_j"] * whole["latency_s"],
                "tokens_per_joule": 1 / tokens["energy_per_token_j"],
            }  # fmt: skip
            for name, value in expected.items():
                assert values[name][number, i] == pytest.approx(value, rel=1e-12), name


def test_the_ends_of_a_design_are_those_of_the_experiment_and_the_sum_of_its_rows():
    work = resolved()
    evaluated = evaluate(work.base, work.space, [0, 7])
    energy = evaluated.amounts.energy_j
    spread = sum((table[..., 2] - table[..., 0] for table in evaluated.bands.values()), 0.0)
    np.testing.assert_allclose(energy[..., 2] - energy[..., 0], spread, rtol=1e-9)
    assert (energy[..., 0] < energy[..., 1]).all()
    assert (energy[..., 1] < energy[..., 2]).all()


def test_area_and_leakage_follow_the_configuration():
    work = resolved(explore__knobs={"platform.arrays.adders.columns": [16, 32]})
    amounts = evaluate(work.base, work.space, [0, 1]).amounts
    parts = silicon(platforms()["ternary-edge"], technologies()["7nm"])
    area = sum(part.area_um2 for part in parts.values()) / 1e6
    assert amounts.area_mm2[0, 0] == pytest.approx(area)
    assert amounts.leakage_w[0, 0] == pytest.approx(sum(part.leakage_w[1] for part in parts.values()))
    sums_bits = 64 * 23 * 16  # accumulators of the further columns, in SRAM
    more = parts["adders"].area_um2 + sums_bits * 0.04
    assert amounts.area_mm2[1, 0] - amounts.area_mm2[0, 0] == pytest.approx(more / 1e6)
    assert amounts.leakage_w[1, 0] > amounts.leakage_w[0, 0]


def test_designs_do_not_depend_on_what_is_evaluated_with_them():
    work = resolved(explore__knobs={"f": FORMATS, "platform.off_chip.bandwidth_gb_per_s": [12.8, 20]})
    together = evaluate(work.base, work.space, range(4))
    alone = Evaluations.joined([evaluate(work.base, work.space, [number]) for number in range(4)])
    assert same(together, alone)
    assert together.bands.keys() == alone.bands.keys()
    assert all((together.bands[name] == alone.bands[name]).all() for name in together.bands)


def test_a_design_that_cannot_be_has_a_reason_and_the_others_their_values():
    knobs = {
        "platform.buffers.weights.size_bytes": [64, 65536],
        "scheme": ["bitnet-b1.58", "w4a8"],
    }
    work = resolved(explore__knobs=knobs)
    evaluated = evaluate(work.base, work.space, range(4))
    assert "bytes cannot hold a tile" in evaluated.problems[0]
    assert evaluated.problems[2] == ""
    assert evaluated.problems[3].startswith("no array of platform ternary-edge")
    finite = np.isfinite(evaluated.amounts.energy_j).all(axis=(1, 2, 3))
    assert finite.tolist() == [False, False, True, False]
    assert (evaluated.amounts.energy_j[2] == evaluate(work.base, work.space, [2]).amounts.energy_j[0]).all()


def test_an_accelerator_gives_the_array_its_sizes_and_bounds_what_can_be_built():
    knobs = {"accelerator.lanes": [64, 4, 63], "accelerator.instances": [1, 2]}
    work = resolved(accelerator={"config": "edge_64x16", "array": "adders"}, explore__knobs=knobs)
    evaluated = evaluate(work.base, work.space, range(6))
    own = resolved(explore__knobs={"platform.vector.lanes": [16]})
    assert (evaluated.amounts.energy_j[0] == evaluate(own.base, own.space, [0]).amounts.energy_j[0]).all()
    assert evaluated.problems[:2] == ("", "")
    assert all(problem.startswith("accelerator.lanes: got 4") for problem in evaluated.problems[2:4])
    assert all(problem.startswith("accelerator.weight_bus_bits") for problem in evaluated.problems[4:])
    assert evaluated.amounts.time_s[1, 0, 0] < evaluated.amounts.time_s[0, 0, 0]


def test_several_models_count_as_their_geometric_mean_and_what_has_none_gives_nan():
    mean = of_design(np.array([[2.0, 8.0], [1.0, 0.0], [np.nan, 1.0]]))
    assert mean[0] == pytest.approx(4)
    assert np.isnan(mean[1:]).all()
    assert set(METRICS) >= {"area_mm2", "watts", "energy_delay_j_s", "tokens_per_joule", "memory_share"}


def test_the_share_of_the_memory_is_known_where_its_capacity_is():
    work = resolved(explore__knobs={"platform.off_chip.capacity_bytes": [None, 10**8]})
    values = metric_values(evaluate(work.base, work.space, [0, 1]).amounts)
    assert np.isnan(values["memory_share"][0, 0])
    assert values["memory_share"][1, 0] == pytest.approx(values["memory_bytes"][1, 0] / 1e8)
