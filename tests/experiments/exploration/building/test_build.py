"""What of a design is verified, with which operands its netlist is measured, and what is said without prices."""

from types import SimpleNamespace

import pytest

from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.experiments.exploration.building import build
from bitjoule.gates.calibration.calibration import float_stimulus, standard_plan
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.bench.cases import directed_cases, random_cases

CONFIG = AcceleratorConfig(lanes=8, columns=2, max_k=64, weight_bus_bits=16, tokens=2)
LIBRARY = SimpleNamespace(conditions="1.1 V, 25 C")
TECHNOLOGY = SimpleNamespace(name="priced")


@pytest.mark.parametrize("random", [0, 3])
def test_corner_cases_and_as_many_random_ones_as_asked_for_are_verified(monkeypatch, random):
    """The same random ones as those of `bitjoule rtl verify`, whose seed is 0 unless another is asked for."""
    verified = []

    class Bench:
        def __init__(self, config, folder):
            assert (config, folder.is_dir()) == (CONFIG, True)

        def verify(self, cases):
            verified.extend(cases)
            return "report"

    monkeypatch.setattr(build, "Hardware", Bench)
    expected = [*directed_cases(CONFIG), *random_cases(CONFIG, random, 0)]
    assert build.verify(SimpleNamespace(config=CONFIG), random) == (len(expected), "report")
    assert verified == expected


@pytest.fixture
def synthesise(monkeypatch):
    """Return a function that gives the operands of the netlist's measurement, and what `synthesise` returns."""

    def run(zeros, *, floating_point=False, error=None):
        asked = []

        def found(accelerator, technology):
            if error is not None:
                raise error
            return accelerator, technology

        monkeypatch.setattr(build, "node_nm", lambda _: 45.0)
        monkeypatch.setattr(build, "technology_at", lambda _, node: TECHNOLOGY if node == 45.0 else None)
        monkeypatch.setattr(build, "predicted", found)
        monkeypatch.setattr(build, "zero_share", lambda *usual: zeros if usual[1:] == (TECHNOLOGY, SHARE) else None)
        monkeypatch.setattr(build, "short_name", lambda _: "cells")
        monkeypatch.setattr(build, "measure", lambda *given: asked.append(given) or "measured")
        accelerator = SimpleNamespace(config=SimpleNamespace(floating_point=floating_point))
        made = build.synthesise(accelerator, LIBRARY)
        ((config, library, operands),) = asked
        assert (config, library) == (accelerator.config, LIBRARY)
        assert (made.measurement, made.library) == ("measured", "cells, 1.1 V, 25 C")
        return operands, made, accelerator

    return run


SHARE = standard_plan().zero_share


def test_operands_are_those_of_calibration_with_the_share_of_zeros_that_the_prices_have(synthesise):
    whole, of_floats = standard_plan().stimulus, float_stimulus()
    assert whole != of_floats
    assert synthesise(0.25)[0] == f"{whole},zeros:0.25"
    assert synthesise(0.0)[0] == whole
    assert synthesise(0.0, floating_point=True)[0] == of_floats


def test_what_is_predicted_stands_beside_the_netlist_or_why_nothing_is(synthesise):
    _, made, accelerator = synthesise(0.0)
    assert (made.prediction, made.unpredicted) == ((accelerator, TECHNOLOGY), "")
    _, made, _ = synthesise(0.0, error=UnpricedError("no prices", "a library of 7 nm"))
    assert (made.prediction, made.unpredicted) == (None, "no prices; a library of 7 nm")
