"""Experiments with measured prices, on technologies made up by hand: what they divide by what."""

import pytest

from bitjoule.energy_models.prices import technology
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import shipped_experiments
from bitjoule.experiments.prices.schema import read_prices_experiment
from bitjoule.experiments.prices.table import prices_table
from tests.experiments.opened import opened
from tests.experiments.technology_files import OPERATIONS, mac_pj, write_technology


@pytest.fixture(autouse=True)
def made_up(tmp_path, monkeypatch):
    """Have made-up technologies instead of the measured ones that ship."""
    write_technology(tmp_path / "45nm-measured.yaml", 45.0)
    write_technology(tmp_path / "7nm-measured.yaml", 7.0, 0.1)
    monkeypatch.setattr(technology, "MEASURED_FOLDER", tmp_path)
    technology.technologies.cache_clear()
    yield
    technology.technologies.cache_clear()


def ratios(name, *overrides):
    summary = run(read_experiment(shipped_experiments("energy")[name], overrides)).summary
    return summary.set_index(["model", "technology", "scheme", "phase"])["ratio_to_baseline"]


def test_the_ratio_of_one_mac_by_the_table_by_operators_and_by_arrays():
    found = ratios("mac_with_measured_prices").droplevel(["model", "phase"])
    operators = {"fp16": OPERATIONS["mul", "fp16"] + OPERATIONS["add", "fp16"], "bitnet": OPERATIONS["add", "int8"],
                 "int8": OPERATIONS["mul", "int8"] + OPERATIONS["add", "int8"]}  # fmt: skip
    arrays = {"fp16": mac_pj("fp16", "fp16", "fp16"), "bitnet": mac_pj("binary", "int8", "int32"),
              "bitnet-b1.58": mac_pj("ternary", "int8", "int32"), "int8": mac_pj("int8", "int8", "int32")}  # fmt: skip
    assert found["7nm", "bitnet-b1.58"] == pytest.approx(0.5 / 0.007)  # the paper's 71.4
    for node in ("45nm", "7nm"):
        for scheme, energy_pj in operators.items():
            assert found[f"{node}-measured", scheme] == pytest.approx(operators["fp16"] / energy_pj), scheme
        for scheme, energy_pj in arrays.items():
            assert found[f"{node}-measured-arrays", scheme] == pytest.approx(arrays["fp16"] / energy_pj), scheme


def test_the_table_still_gives_figure_1_beside_the_measured_prices():
    result = run(read_experiment(shipped_experiments("energy")["papers_with_measured_prices"]))
    assert len(result.comparison) == 5
    assert result.comparison["agrees"].all()
    found = result.summary.set_index(["model", "technology", "scheme"])["ratio_to_baseline"]
    for kind in ("", "-measured", "-measured-arrays"):
        small, large = (found[f"bitnet-{size}", f"7nm{kind}", "bitnet"] for size in ("125m", "70b"))
        assert 1 < small < large  # what stays in FP16, attention, loses weight
    limits = run(read_experiment(shipped_experiments("energy")["mac_with_measured_prices"])).summary
    limits = limits.set_index(["technology", "scheme"])["ratio_to_baseline"]
    for name in limits.index.levels[0]:
        assert found["bitnet-70b", name, "bitnet"] < limits[name, "bitnet"]


def test_only_measured_prices_move_the_whole_request_and_the_table_gives_what_it_gave():
    machines = "{fp16: fp16-edge, int8: int8-edge, bitnet: ternary-edge, bitnet-b1.58: ternary-edge}"
    changes = [
        "models=[bitnet-125m, bitnet-6.7b]", "schemes=[fp16, int8, bitnet, bitnet-b1.58]", "plots=[]",
        f"platforms=[{{name: same-area, by_scheme: {machines}}}]",
    ]  # without INT4, whose array is not made up here  # fmt: skip
    found = ratios("full_model_measured", *changes)
    before = run(read_experiment(shipped_experiments("energy")["full_model_vs_size"], changes)).summary
    before = before[before["platform"] == "same-area"].set_index(["model", "technology", "scheme", "phase"])
    for name in ("45nm", "7nm"):
        own = found[found.index.get_level_values("technology") == name]
        assert own.tolist() == before.loc[own.index, "ratio_to_baseline"].tolist()
        measured = found["bitnet-6.7b", f"{name}-measured", "bitnet", "prefill"]
        assert measured != pytest.approx(found["bitnet-6.7b", name, "bitnet", "prefill"], rel=1e-3)


def test_every_operation_of_the_tables_is_compared_at_both_nodes():
    table = prices_table(read_prices_experiment(opened(shipped_experiments()["measured_vs_table"])))
    for first, rows in technology.technologies().items():
        if first in ("45nm", "7nm"):
            own = table[table["first"] == first]
            assert set(rows.rows) <= set(zip(own["operation"], own["format"], strict=True))
            assert (own["second"] == f"{first}-measured").all()
            assert {"mac", "mac, new weight"} <= set(own["operation"])
