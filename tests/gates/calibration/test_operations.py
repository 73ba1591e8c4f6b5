"""What a calibration says of an operator that was measured alone."""

import pytest

from bitjoule.gates.calibration import calibration
from bitjoule.gates.calibration.measurement import Effort
from bitjoule.gates.calibration.operators import OperatorMeasurement

MEASURED = {
    "settled_fj": 10.0, "total_fj": 14.0, "wire_settled_fj": 2.0, "wire_fj": 3.0, "error_fj": 0.1, "area_um2": 123.4567,
    "leakage_nw": 7.654321, "delay_ns": 0.98765432, "cells": 9,
}  # fmt: skip


@pytest.mark.parametrize(("operation", "named"), [("add", "add"), ("mul", "mul")])
def test_an_operation_has_the_band_in_picojoules_and_rounded_area_leakage_and_delay(monkeypatch, operation, named):
    fields = OperatorMeasurement.__dataclass_fields__
    measured = OperatorMeasurement(**{name: MEASURED.get(name, "") for name in fields})
    asked = []
    monkeypatch.setattr(calibration, "measure_operator", lambda *arguments: asked.append(arguments) or measured)
    found = calibration.measured_operation(operation, "int8", "library", Effort())
    assert asked == [(operation, "int8", "library", Effort())]
    assert (found.operation, found.format) == (named, "int8")
    low, nominal, high = measured.band_fj
    energy = found.energy_pj
    assert (energy.low, energy.nominal, energy.high) == pytest.approx((low / 1e3, nominal / 1e3, high / 1e3), rel=1e-3)
    assert (found.area_um2, found.leakage_nw, found.delay_ns) == pytest.approx((123.4567, 7.654321, 0.987654), rel=1e-3)
