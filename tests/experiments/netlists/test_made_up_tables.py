"""Tables of a measurement no two of whose numbers are equal: each column is a field of it, for each MAC."""

from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.experiments.netlists.run import MeasuredCase, results_table, summary_table
from bitjoule.gates.calibration.measurement import Measurement
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
