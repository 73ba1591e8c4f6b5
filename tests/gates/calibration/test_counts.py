"""What is counted in a cycle of an array, and what is given per multiply-accumulate, by hand."""

import csv
import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from bitjoule.energy_models.prices.measured import FEATURES
from bitjoule.gates.calibration import terms
from bitjoule.gates.calibration.calibration import (
    CalibrationError,
    Plan,
    _wires,
    calibrate,
    fitted_configs,
    measured_mac,
)
from bitjoule.gates.calibration.measurement import Effort, Measurement
from bitjoule.gates.calibration.terms import activation_format, charged_fj, counts
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.rtl.config import AcceleratorConfig

LANES, COLUMNS = 16, 4
ONE = AcceleratorConfig(lanes=LANES, columns=COLUMNS, max_k=256, weight_bus_bits=128)
HELD = dataclasses.replace(ONE, tokens=8)
MACS = LANES * COLUMNS


def measured(config: AcceleratorConfig, zero_share: float) -> Measurement:
    """A measurement of some area, leakage and energy; no two figures of it are equal."""
    macs = config.lanes * config.columns
    return Measurement(
        config.as_mapping(), "", config.tokens > 1, zero_share, settled_fj=100.0 * macs, total_fj=200.0 * macs,
        wire_settled_fj=60.0 * macs, wire_fj=80.0 * macs, clock_fj=20.0 * macs, error_fj=0.0, leakage_nw=3.0 * macs,
        area_um2=5.0 * macs, cells=9, period_ns=0.75,
    )  # fmt: skip


def test_a_tile_that_serves_several_tokens_is_loaded_for_a_share_of_each():
    expected = {"nonzero": 0.75 * MACS, "zero": 0.25 * MACS, "column": COLUMNS, "lane": LANES, "cycle": 1.0}
    expected["fanout"] = MACS * 2  # four columns are two doublings of one
    assert counts(measured(ONE, 0.25)) == pytest.approx({**expected, "load": MACS, "stored": 0.0})
    assert counts(measured(HELD, 0.25)) == pytest.approx({**expected, "load": MACS / 8, "stored": COLUMNS * 8})


def test_area_and_leakage_are_given_for_each_mac_and_the_band_by_its_ends():
    found = measured_mac(ONE, [measured(size, share) for size in fitted_configs(ONE) for share in (0.2, 0.5)])
    assert (found.area_um2, found.leakage_nw, found.period_ns) == (5.0, 3.0, 0.75)
    assert (found.lanes, found.columns) == (LANES, COLUMNS)
    nonzero = found.nonzero_pj
    assert nonzero.low / nonzero.nominal == pytest.approx(100 / (200 + 80), rel=1e-5)
    assert nonzero.high / nonzero.nominal == pytest.approx((200 + 2 * 80 + 20) / (200 + 80), rel=1e-5)


@pytest.mark.parametrize(
    ("given", "accumulation"),
    [
        ({}, "int32"), ({"accumulation": "fp32"}, "fp32"), ({"weight_encoding": "int8"}, "int32"),
        ({"weight_encoding": "fp16"}, "fp32"),
        ({"weight_encoding": "fp16", "datapath": "rounding_tree", "accumulation": "fp16"}, "fp16"),
    ],
)  # fmt: skip
def test_prices_name_formats_and_datapath_of_their_array(given, accumulation):
    """Exact sums of integers are those of 32 bits to a platform."""
    config = AcceleratorConfig(lanes=16, columns=4, max_k=256, weight_bus_bits=1 << 11, **given)
    found = measured_mac(config, [measured(size, share) for size in fitted_configs(config) for share in (0.2, 0.5)])
    assert found.accumulation == accumulation
    assert found.datapath == config.datapath
    weights = {"ternary2": "ternary"}.get(config.weight_encoding, config.weight_encoding)
    assert (found.weights, found.activations) == (weights, "int8" if config.activation_bits == 8 else "fp16")


def test_the_arrays_of_a_kind_are_these():
    """Half and a quarter of its lanes, at least eight, and of its columns; the quarters also with tiles that stay."""
    with (Path(terms.__file__).parents[1] / "data" / "constants.csv").open(newline="") as handle:
        (tokens,) = [int(row["value"]) for row in csv.DictReader(handle) if row["quantity"] == "held-tokens"]
    for lanes, columns, half, quarter in ((64, 16, (32, 8), (16, 4)), (16, 4, (8, 2), (8, 1)), (8, 2, (8, 1), (8, 1))):
        largest = dataclasses.replace(ONE, lanes=lanes, columns=columns, weight_bus_bits=2 * lanes * columns)
        smaller = [quarter, (lanes, quarter[1]), (quarter[0], columns)]
        expected = [(lanes, columns, 1), (*half, 1)]
        expected += [(*shape, each) for each in (1, tokens) for shape in smaller]
        found = fitted_configs(largest)
        assert [(made.lanes, made.columns, made.tokens) for made in found] == list(dict.fromkeys(expected))
        assert all((made.tile_beats, made.weight_bus_bits) == (1, made.tile_bits) for made in found)


@pytest.mark.parametrize(
    ("given", "named"),
    [({}, "int8"), ({"activation_bits": 4}, "int4"), ({"accumulation": "fp32"}, "fp16"),
     ({"weight_encoding": "fp16"}, "fp16")],
)  # fmt: skip
def test_activations_are_named_by_their_bits(given, named):
    assert activation_format(AcceleratorConfig(16, 4, 256, 1 << 11, **given)) == named


def test_the_worst_fit_is_the_farthest_energy_above_or_below():
    found = [measured(size, share) for size in fitted_configs(ONE) for share in (0.2, 0.5)]
    for above in (1.3, 0.7):
        first = dataclasses.replace(found[0], total_fj=found[0].total_fj * above)
        mac = measured_mac(ONE, [first, *found[1:]])
        counted = counts(first)
        predicted_fj = sum(1e3 * getattr(mac, f"{name}_pj").nominal * counted[name] for name in FEATURES)
        error = predicted_fj / (first.total_fj + first.wire_fj) - 1
        assert mac.worst_fit == pytest.approx(abs(error), rel=1e-3)
        assert (error < 0) == (above > 1)


def test_energies_that_no_mac_takes_part_in_are_refused():
    found = []
    for size in fitted_configs(ONE):
        for share in (0.2, 0.5):
            each = measured(size, share)
            found.append(dataclasses.replace(each, total_fj=300.0 * size.lanes, wire_fj=0.0, wire_settled_fj=0.0))
    with pytest.raises(
        CalibrationError, match=r"^16 lanes x 4 columns are too few to separate the MACs from the rest$"
    ):
        measured_mac(ONE, found)


def test_rules_of_wires_are_told_with_the_first_of_their_names():
    def told(*names):
        rules = iter(SimpleNamespace(name=name, ff_per_um=0.25) for name in names)
        library = SimpleNamespace(wire_load=lambda area, cells: (next(rules), asked.append((area, cells)))[0])
        return _wires(library, [measured(ONE, 0.2)] * len(names))

    asked = []
    assert told("pitch of 2 um", "pitch of 2 um") == "pitch of 2 um; 0.25 fF/um"
    names = [f"pitch of {i} um" for i in range(9, 1, -1)]
    assert told(*names) == "pitch of 2 um, or by other pitches; 0.25 fF/um"
    assert set(asked) == {(5.0 * MACS, 9)}


def test_what_cannot_be_calibrated_is_refused_before_anything_is_measured():
    plan = Plan([ONE, HELD], [], "gaussian:32", 0.5, "", Effort())
    expected = r"^duplicate kind of array ternary x int8, carry_save; expected one array per kind$"
    with pytest.raises(CalibrationError, match=expected):
        calibrate(plan, None, 45.0, "", print, None)
    expected = r"^stimulus 'gaussian:32,zeros:0.5': the calibration sets the share of zeros; expected no zeros:SHARE$"
    with pytest.raises(StimulusError, match=expected):
        calibrate(
            dataclasses.replace(plan, configs=[ONE], stimulus="gaussian:32,zeros:0.5"), None, 45.0, "", print, None
        )


def test_without_another_share_of_zeros_a_zero_costs_what_a_weight_does():
    found = measured_mac(ONE, [measured(size, 0.25) for size in fitted_configs(ONE)])
    assert found.zero_pj == found.nonzero_pj
    assert found.nonzero_pj.nominal > 0


def test_shares_of_zeros_that_differ_by_chance_are_one():
    """As of operands of a model: more zeros and more energy by another cause would make other trits cost nothing."""
    found = []
    for i, size in enumerate(fitted_configs(ONE)):
        apart = 0.002 * (-1) ** i
        each = measured(size, 0.25 + apart)
        found.append(dataclasses.replace(each, total_fj=each.total_fj * (1 + 10 * apart)))
    mac = measured_mac(ONE, found)
    assert mac.zero_pj == mac.nonzero_pj
    assert mac.nonzero_pj.nominal > 0


def test_glitches_of_a_store_for_several_tokens_are_taken_for_those_of_a_single_sum():
    """Of the same array for one token under the same operands; what does not glitch, and what is not stored, stays."""

    def made(config, stimulus, glitches):
        settled = {"accumulate": 30.0, "control": 4.0, "tree": 50.0, "registers": 7.0}
        parts = {part: value + glitches.get(part, 0.0) for part, value in settled.items()}
        return dataclasses.replace(measured(config, 0.25), stimulus=stimulus, parts_fj=parts, parts_settled_fj=settled)

    held = made(HELD, "uniform", {"accumulate": 25.0, "registers": 3.0, "tree": 11.0})
    other_size = made(dataclasses.replace(ONE, columns=2), "uniform", {"accumulate": 90.0})
    other_operands = made(ONE, "worst", {"accumulate": 80.0})
    one = made(ONE, "uniform", {"accumulate": 10.0, "registers": 1.0, "tree": 2.0})
    low, nominal, high = held.band_fj
    more = (25.0 - 10.0) + (3.0 - 1.0)  # of accumulators and registers
    for order in ([other_size, other_operands, one, held], [held, one, other_operands, other_size]):
        assert charged_fj(held, order) == pytest.approx((low, nominal - more, high - more))
        assert charged_fj(one, order) == one.band_fj
    assert charged_fj(held, [other_size, other_operands, held]) == held.band_fj
