"""Tables of a built design, by hand from numbers of which no two are equal."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.system.hardware.silicon import Part
from bitjoule.experiments.exploration.building.build import Built, Synthesis
from bitjoule.experiments.exploration.building.prediction import Prediction
from bitjoule.experiments.exploration.building.tables import figures, parts, shares, verification
from bitjoule.gates.calibration.measurement import Measurement
from bitjoule.gates.constants import constant
from bitjoule.sim.bench.verification import VerificationReport

CONFIG = {"lanes": 8, "columns": 2, "max_k": 64, "weight_bus_bits": 16, "tokens": 2}
MACS = 16
MEASURED = Measurement(
    CONFIG, "gaussian:32", held=True, zero_share=0.0, settled_fj=1600.0, total_fj=3200.0, wire_settled_fj=80.0,
    wire_fj=160.0, clock_fj=320.0, error_fj=1.0, leakage_nw=5000.0, area_um2=500.0, cells=3, period_ns=1.25,
    parts_fj={"tree": 2400.0, "wires": 960.0}, parts_um2={"tree": 7.0},
)  # fmt: skip
SAID = Prediction(
    SimpleNamespace(), SimpleNamespace(), Part(300.0, Price(1e-6, 2e-6, 4e-6)), Part(50.0, Price(1e-7, 3e-7, 8e-7)),
    640.0, 200.0, Price(0.1, 0.2, 0.4), Price(0.01, 0.03, 0.05), Price(0.001, 0.004, 0.009),
)  # fmt: skip


def rows(said=SAID):
    """Return the figures' unit and values by name."""
    table = figures(Synthesis(MEASURED, "cells", said, ""))
    assert list(table) == [
        "figure", "unit", "predicted", "predicted_low", "predicted_high", "synthesised", "synthesised_low",
        "synthesised_high", "difference",
    ]  # fmt: skip
    return {name: (unit, values) for name, unit, *values in table.itertuples(index=False)}


HIGH_PJ = (3200 + 160 * constant("high-wire-length") + 320 * constant("high-clock-tree")) / MACS / 1000
SYNTHESISED = {
    "area": ("um2", [500.0] * 3), "clock": ("MHz", [800.0] * 3), "energy of a MAC": ("pJ", [0.21, 0.1, HIGH_PJ]),
    "leakage": ("uW", [5.0] * 3),
}  # fmt: skip
PREDICTED = {
    "area": [350.0] * 3,
    "clock": [640.0] * 3,
    "energy of a MAC": [0.234, 0.111, 0.459],
    "leakage": [2.3, 1.1, 4.8],
}


def test_figures_are_nominal_low_and_high_of_both_sides_and_how_far_the_prediction_is_off():
    found = rows()
    assert list(found) == list(SYNTHESISED)
    for name, (unit, netlist) in SYNTHESISED.items():
        expected = [*PREDICTED[name], *netlist, PREDICTED[name][0] / netlist[0] - 1]
        assert found[name][0] == unit
        assert found[name][1] == pytest.approx(expected), name


def test_without_a_prediction_or_a_clock_there_is_nothing_on_its_side():
    for name, (_, values) in rows(None).items():
        assert np.isnan([*values[:3], values[6]]).all()
        assert values[3:6] == pytest.approx(SYNTHESISED[name][1])
    without = rows(SAID._replace(clock_mhz=None))
    assert np.isnan(without["clock"][1][:3]).all()
    assert without["area"][1][:3] == PREDICTED["area"]


def test_a_prediction_consists_of_macs_loading_and_accumulators():
    expected = [("MACs", 300.0, 0.2), ("loading of weights", None, 0.03), ("accumulators", 50.0, 0.004)]
    found = [(part, None if np.isnan(area) else area, pj) for part, area, pj in shares(SAID).itertuples(index=False)]
    assert found == expected


def test_parts_of_the_netlist_have_their_area_and_their_energy_of_a_mac():
    found = list(parts(Synthesis(MEASURED, "cells", None, "")).itertuples(index=False, name=None))
    assert found == [("tree", 7.0, pytest.approx(0.15)), ("wires", 0.0, pytest.approx(0.06))]
    none = parts(Synthesis(replace(MEASURED, parts_fj={}), "cells", None, ""))
    assert list(none) == ["part", "area_um2", "energy_pj"]


def test_what_was_verified_is_told_apart_from_what_passed():
    report = VerificationReport(98, 250, 88, None, 4321, 1.0)
    (row,) = verification(Built(SimpleNamespace(), 99, report, SimpleNamespace())).to_dict("records")
    assert row == {"cases": 99, "passed": 98, "matmuls": 250, "exact_cycles": 88, "cycles": 4321}
