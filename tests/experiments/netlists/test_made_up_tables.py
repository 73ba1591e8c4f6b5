"""Tables of a measurement no two of whose numbers are equal: each column is a field of it, for each MAC."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.experiments.netlists.run import MeasuredCase, by_part, results_table, shown_cases, summary_table
from bitjoule.experiments.netlists.sparsity import outside_sweeps, savings
from bitjoule.gates.calibration.measurement import Measurement
from bitjoule.gates.power.parts import PARTS as PARTS_IN_ORDER
from bitjoule.rtl.config import AcceleratorConfig

SIZES = {"lanes": 8, "columns": 2, "tokens": 5, "activation_bits": 4, "max_k": 64, "weight_bus_bits": 32}
MACS = 8 * 2
FIELDS = {"settled_fj": 3.0, "total_fj": 50.0, "wire_settled_fj": 0.7, "wire_fj": 11.0, "clock_fj": 17.0,
          "error_fj": 0.13, "leakage_nw": 19.0, "area_um2": 230.0}  # fmt: skip
PARTS = {
    "tree": (40.0, 2.5, 210.0),
    "wires": (11.0, 0.7, None),
    "control": (10.0, None, 20.0),
}  # with glitches, without


@pytest.fixture(scope="module")
def case():
    config = AcceleratorConfig.from_mapping(SIZES)
    measurement = Measurement(
        config.as_mapping(), "gaussian:32", held=True, zero_share=0.3, cells=1234, period_ns=1.25,
        parts_fj={part: energy for part, (energy, _, _) in PARTS.items()},
        parts_settled_fj={part: energy for part, (_, energy, _) in PARTS.items() if energy is not None},
        parts_um2={part: area for part, (_, _, area) in PARTS.items() if area is not None}, **FIELDS,
    )  # fmt: skip
    return MeasuredCase("cells", 45.0, SimpleNamespace(name="mine", config=config), measurement)


def test_each_column_of_the_summary_is_that_field_for_each_mac(case):
    (row,) = summary_table("it", [case]).to_dict("records")
    told = {"experiment": "it", "library": "cells", "node_nm": 45.0, "array": "mine", "stimulus": "gaussian:32",
            "weights": "ternary", "activations": "int4", "zero_share": 0.3, "cells": 1234, "period_ns": 1.25,
            "netlists": 1}  # fmt: skip
    told |= {key: SIZES[key] for key in ("lanes", "columns", "tokens", "activation_bits")}
    assert {key: row[key] for key in told} == told
    of_mac = FIELDS | {"energy_fj": 50.0 + 11.0, "energy_low_fj": 3.0, "without_glitches_fj": 3.0 + 0.7}
    del of_mac["wire_settled_fj"]
    for key, value in of_mac.items():
        assert row[key] == pytest.approx(value / MACS, rel=1e-5), key
    assert row["energy_high_fj"] > row["energy_fj"]
    for end in ("least", "greatest"):
        found = [row[f"{name}_{end}_{unit}"] * MACS for name, unit in
                 (("energy", "fj"), ("without_glitches", "fj"), ("area", "um2"))]  # fmt: skip
        assert found == pytest.approx([61.0, 3.7, 230.0])


def test_each_part_has_its_energy_with_and_without_glitches_and_its_area(case):
    table = results_table("it", [case])
    assert table["part"].tolist() == list(PARTS)
    wanted = pd.DataFrame(
        [[(value or 0.0) / MACS for value in values] for values in PARTS.values()],
        columns=["energy_fj", "settled_fj", "area_um2"],
    )
    pd.testing.assert_frame_equal(table[list(wanted.columns)], wanted)
    assert set(table["stimulus"]) == {"gaussian:32"}


def test_of_netlists_that_differ_in_names_alone_the_least_and_the_greatest_are_told(case):
    """The first netlist is the one whose numbers are shown; it may be any of them by size."""
    others = [
        replace(case.measurement, area_um2=area, settled_fj=settled) for area, settled in ((190.0, 5.0), (260.0, 2.0))
    ]
    (row,) = summary_table("it", [case._replace(others=tuple(others))]).to_dict("records")
    assert row["netlists"] == 3
    assert row["area_um2"] * MACS == pytest.approx(230.0)
    assert [row[f"area_{end}_um2"] * MACS for end in ("least", "greatest")] == pytest.approx([190.0, 260.0])
    found = [row[f"without_glitches_{end}_fj"] * MACS for end in ("least", "greatest")]
    assert found == pytest.approx([2.0 + 0.7, 5.0 + 0.7])


def test_of_one_array_every_stimulus_is_shown_and_of_several_the_first_in_each_library():
    rows = [("a", "x", "1"), ("a", "x", "2"), ("a", "y", "2"), ("a", "y", "1"), ("b", "y", "3"), ("b", "y", "1")]
    summary = pd.DataFrame(rows, columns=["library", "array", "stimulus"])
    assert shown_cases(summary).to_numpy().tolist() == [list(rows[i]) for i in (0, 2, 4)]
    assert shown_cases(summary[2:]).to_numpy().tolist() == [list(row) for row in rows[2:]]


def test_parts_are_columns_in_one_order_whatever_comes_first():
    """Parts without energy have no column, others of one's own stand behind."""
    rows = [("s2", "odd", 4.0), ("s2", PARTS_IN_ORDER[3], 2.0), ("s2", PARTS_IN_ORDER[0], 1.0),
            ("s1", PARTS_IN_ORDER[1], 0.0), ("s1", PARTS_IN_ORDER[0], 8.0)]  # fmt: skip
    results = pd.DataFrame(rows, columns=["stimulus", "part", "energy_fj"]).assign(library="l", array="a")
    results["settled_fj"] = results["energy_fj"] / 16
    cases = pd.DataFrame({"library": "l", "array": "a", "stimulus": ["s1", "s2"]})
    for column, factor in (("energy_fj", 1), ("settled_fj", 1 / 16)):
        table = by_part(results, cases, column)
        assert list(table.columns) == [PARTS_IN_ORDER[0], PARTS_IN_ORDER[3], "odd"]
        assert table.index.tolist() == [("l", "a", "s1"), ("l", "a", "s2")]
        assert (table.to_numpy() / factor).tolist() == [[8.0, 0.0, 0.0], [1.0, 2.0, 4.0]]


def measured(*points):
    """Return a summary: library, array, stimulus, share of zeros and energy of each measurement."""
    return pd.DataFrame(points, columns=["library", "array", "stimulus", "zero_share", "energy_fj"])


SWEEP = measured(
    ("l", "a", "gaussian,zeros:0.6", 0.6, 40.0), ("l", "a", "gaussian,zeros:0.2", 0.2, 100.0),
    ("l", "a", "gaussian,zeros:0.4", 0.4, 90.0), ("l", "a", "gaussian, zeros:0.4", 0.4, 1.0),
    ("l", "a", "other", 0.3, 77.0), ("l", "a", "beyond", 0.7, 5.0), ("l", "a", "before", 0.1, 6.0),
    ("m", "a", "elsewhere", 0.3, 8.0), ("l", "b", "another", 0.3, 9.0), ("l", "a", "end", 0.6, 10.0),
)  # fmt: skip


def test_what_zeros_save_is_relative_to_the_smallest_share_of_them():
    points = savings(SWEEP.sample(frac=1, random_state=3).sort_values("stimulus", kind="stable"))
    assert points["zero_share"].tolist() == [0.4, 0.6]
    assert points["zero_share_first"].tolist() == [0.2, 0.2]
    assert points["energy_fj_first"].tolist() == [100.0, 100.0]
    assert points["saving"].iloc[1] == pytest.approx(1 - 40 / 100)
    ideal = [1 - 0.6 / 0.8, 1 - 0.4 / 0.8]
    assert points["ideal"].tolist() == pytest.approx(ideal)
    assert points["effectiveness"].iloc[1] == pytest.approx(0.6 / ideal[1])


def test_other_operands_are_compared_on_the_lines_of_the_sweep_of_their_array_within_its_ends():
    table = outside_sweeps(SWEEP)
    assert table["stimulus"].tolist() == ["gaussian, zeros:0.4", "other", "end"]
    between = [90.0, (100 + 90) / 2, 40.0]
    assert table["sweep_fj"].tolist() == pytest.approx(between)
    assert table["energy_fj"].tolist() == [1.0, 77.0, 10.0]
