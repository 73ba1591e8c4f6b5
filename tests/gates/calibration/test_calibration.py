import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.prices.measured import FEATURES, MeasuredMac
from bitjoule.energy_models.prices.technology import MEASURED_FOLDER, technologies
from bitjoule.gates.calibration.calibration import (
    Plan,
    calibrate,
    fitted_configs,
    measured_mac,
    measured_operation,
    resized,
    standard_plan,
    stimuli,
)
from bitjoule.gates.calibration.fit import nonnegative_fit, table
from bitjoule.gates.calibration.measurement import Effort, Measurement, measure
from bitjoule.gates.calibration.terms import TERMS, activation_format, charged_fj, counts, weight_format
from bitjoule.gates.constants import constant
from bitjoule.rtl.config import AcceleratorConfig
from tests.sampling import drawing_seed, drawn, sampled, seldom

SMALL = AcceleratorConfig(lanes=16, columns=4, max_k=256, weight_bus_bits=128)
EFFORT = Effort(cycles=8)


def kind(config: AcceleratorConfig) -> str:
    return f"{weight_format(config)}-{activation_format(config)}-{config.datapath}"


def made_up(config: AcceleratorConfig, terms: dict[str, float], zero_share: float) -> Measurement:
    """A measurement whose energy is exactly the sum of its terms, in pJ."""
    held = config.tokens > 1
    empty = Measurement(config.as_mapping(), "", held, zero_share, 1, 1, 0, 0, 0, 0, 1.0, 1.0, 1, 1.0)
    energy_fj = 1e3 * sum(terms[name] * count for name, count in counts(empty).items())
    return dataclasses.replace(
        empty,
        settled_fj=energy_fj / 2,
        wire_settled_fj=energy_fj / 2,
        total_fj=energy_fj * 0.9,
        wire_fj=energy_fj * 0.1,
    )


@pytest.mark.parametrize(
    ("weights", "asked", "expected"),
    [
        ("ternary2", "gaussian:32", ["gaussian:32,zeros:0.2", "gaussian:32,zeros:0.5"]),
        ("ternary2", "uniform", ["uniform,zeros:0.2", "uniform,zeros:0.5"]),
        ("ternary2", "worst", ["worst"]),
        ("int8", "gaussian:32", ["gaussian:32"]),
        ("int8", "uniform", ["uniform"]),
        ("fp16", "gaussian:32", ["gaussian:1"]),
        ("fp16", "uniform", ["uniform"]),
    ],
)
def test_what_an_array_is_measured_with(weights, asked, expected):
    """Trits with two shares of zeros; floating point with operands of deviation 1, whatever the integers have."""
    bits = {"ternary2": 2, "int8": 8, "fp16": 16}[weights]
    config = AcceleratorConfig(16, 4, 256, 64 * bits, weight_encoding=weights)
    assert stimuli(config, asked) == expected


def test_terms_that_energies_are_made_of_are_found_again():
    terms = dict(zip(TERMS, (0.05, 0.02, 0.03, 0.4, 0.2, 5.0, 0.01, 0.1), strict=True))
    configs = fitted_configs(SMALL)
    found = measured_mac(SMALL, [made_up(config, terms, share) for config in configs for share in (0.0, 0.6)])
    for name in FEATURES:
        band = getattr(found, f"{name}_pj")
        assert band.nominal == pytest.approx(terms[name], rel=1e-4)
        assert band.low == pytest.approx(terms[name] / 2, rel=1e-4)
        assert band.high == pytest.approx(terms[name] * 1.1, rel=1e-4)
    assert found.worst_fit < 1e-5
    assert (found.weights, found.activations, found.accumulation) == ("ternary", "int8", "int32")


@pytest.mark.parametrize(
    "config", standard_plan().configs, ids=lambda c: f"{c.weight_encoding}-{c.activation_bits}-{c.datapath}"
)
def test_the_arrays_of_a_kind_tell_all_terms_apart_that_it_has(config):
    rows = [
        counts(made_up(size, dict.fromkeys(TERMS, 1.0), share))
        for size in fitted_configs(config)
        for share in (0.0, 0.6)[: len(stimuli(size, "gaussian:32"))]
    ]
    features = table(rows, TERMS)
    used = [i for i in range(len(TERMS)) if features[:, i].any()]
    assert len(rows) > len(used)
    assert np.linalg.matrix_rank(features[:, used]) == len(used)
    assert {size.tokens for size in fitted_configs(config)} == {1, int(constant("held-tokens"))}


OTHERS = (
    (24, 4, 1, "gaussian:32,zeros:0.3"), (16, 8, 1, "gaussian:32,zeros:0.45"),
    (64, 4, 1, "gaussian:32,zeros:0.6"), (24, 6, int(constant("held-tokens")), "gaussian:32,zeros:0.45"),
    (48, 8, 1, "gaussian:32"),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "predicted", [*seldom([2], 3, "held-out arrays"), pytest.param(len(OTHERS), marks=pytest.mark.dear)]
)
def test_a_model_fitted_to_some_arrays_and_operands_predicts_others_within_5_percent(freepdk45, predicted):
    config = AcceleratorConfig(lanes=32, columns=8, max_k=8192, weight_bus_bits=512)
    fitted = [
        measure(size, freepdk45, text, EFFORT)
        for size in fitted_configs(config)
        for text in stimuli(size, "gaussian:32")
    ]
    energies_fj = np.array([charged_fj(found, fitted)[1] for found in fitted])
    terms = nonnegative_fit(table([counts(found) for found in fitted], TERMS), energies_fj)
    others = [
        (resized(config, *OTHERS[place][:3]), OTHERS[place][3])
        for place in sorted(drawn(OTHERS, predicted, "arrays that are predicted"))
    ]
    errors = {}
    for other, text in others:
        found = measure(other, freepdk45, text, EFFORT)
        # What glitches as several sums are stored is the store's; an array of the same size with one sum tells it.
        single = measure(resized(config, other.lanes, other.columns, 1), freepdk45, text, EFFORT)
        predicted_fj = float((table([counts(found)], TERMS) @ terms)[0])
        charged = charged_fj(found, [found, single])[1]
        errors[other.lanes, other.columns, other.tokens, text] = predicted_fj / charged - 1.0
    assert len(errors) == len(others)
    assert max(map(abs, errors.values())) < 0.05, errors


def of_kind(config: AcceleratorConfig, technology: str) -> MeasuredMac:
    weights, activations = weight_format(config), activation_format(config)
    shipped = (mac for mac in technologies()[technology].macs if mac.datapath == config.datapath)
    return next(mac for mac in shipped if (mac.weights, mac.activations) == (weights, activations))


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    sampled(standard_plan().configs, drawing_seed("another size") % 2, "kinds of another size"),  # every second commit
    ids=kind,
)
def test_the_shipped_terms_of_each_kind_predict_another_size_within_5_percent(freepdk45, config):
    shipped = of_kind(config, "45nm-measured")
    other = resized(config, config.lanes // 2, config.columns * 3 // 4, 1)
    assert other not in fitted_configs(config)
    text = stimuli(config, standard_plan().stimulus)[0].replace("zeros:0.2", "zeros:0.35")
    found = measure(other, freepdk45, text, EFFORT)
    predicted_fj = 1e3 * sum(getattr(shipped, f"{name}_pj").nominal * counts(found)[name] for name in FEATURES)
    assert predicted_fj == pytest.approx(found.band_fj[1], rel=0.05)


OPERATORS = ["add int8", "mul int8", "add fp16"]


@pytest.mark.slow
@pytest.mark.parametrize("operator", sampled(OPERATORS, 1, "operators"))
def test_measuring_an_operator_again_gives_the_shipped_price_within_1_percent(freepdk45, operator):
    operation, number_format = operator.split()
    again = measured_operation(operation, number_format, freepdk45, standard_plan().effort)
    price = technologies()["45nm-measured"].price(operation, number_format)
    assert (again.energy_pj.low, again.energy_pj.nominal, again.energy_pj.high) == pytest.approx(price, rel=0.01)


def one_bit() -> tuple[AcceleratorConfig, MeasuredMac]:
    config = next(config for config in standard_plan().configs if config.activation_bits == 1)
    return config, of_kind(config, "45nm-measured")


@pytest.mark.slow
def test_the_largest_array_has_the_shipped_area_leakage_and_period_and_saves_as_much_by_zeros(freepdk45):
    config, shipped = one_bit()
    plan = standard_plan()
    found = [measure(config, freepdk45, text, plan.effort) for text in stimuli(config, plan.stimulus)]
    for again in found:
        assert again.area_um2 / again.macs == pytest.approx(shipped.area_um2, rel=0.01)
        assert again.leakage_nw / again.macs == pytest.approx(shipped.leakage_nw, rel=0.01)
        assert again.period_ns == pytest.approx(shipped.period_ns, rel=0.01)
    few, many = (min(found, key=lambda m: m.zero_share), max(found, key=lambda m: m.zero_share))
    saved_fj = (
        (many.zero_share - few.zero_share) * few.macs * 1e3 * (shipped.nonzero_pj.nominal - shipped.zero_pj.nominal)
    )
    # Of each energy the fit is off by `worst_fit` at most; within more than half of what is saved nothing is told.
    off_fj = min(shipped.worst_fit * (few.band_fj[1] + many.band_fj[1]), saved_fj / 2)
    assert few.band_fj[1] - many.band_fj[1] == pytest.approx(saved_fj, abs=off_fj)


@pytest.mark.slow
@pytest.mark.dear
def test_measuring_all_arrays_of_a_kind_again_gives_the_shipped_prices_within_1_percent(freepdk45):
    config, shipped = one_bit()
    plan = standard_plan()
    measurements = [
        measure(size, freepdk45, text, plan.effort)
        for size in fitted_configs(config)
        for text in stimuli(size, plan.stimulus)
    ]
    again = measured_mac(config, measurements)
    for name in ("area_um2", "leakage_nw", "period_ns"):
        assert getattr(again, name) == pytest.approx(getattr(shipped, name), rel=0.01)
    for lanes, columns, zero_share in ((32, 8, 0.0), (64, 16, 0.5)):
        prices = [mac.price(lanes, columns, zero_share) for mac in (again, shipped)]
        assert prices[0] == pytest.approx(prices[1], rel=0.01)


@pytest.mark.slow
def test_a_calibration_is_a_technology_that_says_how_it_was_measured(freepdk45):
    tiny = AcceleratorConfig(
        lanes=32, columns=4, max_k=256, weight_bus_bits=128, weight_encoding="binary1", activation_bits=2
    )
    plan = Plan([tiny], [("add", "int8")], "gaussian:1", 0.3, "a test", Effort(cycles=8))
    steps: list[tuple[int, int, str]] = []
    with ThreadPoolExecutor(1) as executor:
        found = calibrate(plan, freepdk45, 45.0, "bitjoule calibrate", lambda *step: steps.append(step), executor)
    assert [(row.operation, row.format) for row in found.operations] == [("add", "int8")]
    assert [mac.name for mac in found.macs] == ["binaryxint2+int32/carry_save"]
    assert found.measured.command == "bitjoule calibrate"
    assert [len(file.sha256) for file in found.measured.liberty] == [64]
    assert steps[-1][0] == steps[-1][1] == len(steps) - 1
    assert steps[0][2] == "add int8"
    shapes = [name.rpartition(", ")[2].split(" x ") for _, _, name in steps[1:-1]]
    macs = [int(lanes) * int(columns) for lanes, columns in shapes]
    assert macs == sorted(macs, reverse=True)  # the longest first, so that no processor waits for one at the end
    assert yaml.safe_load(yaml.safe_dump(found.model_dump(mode="json"))) == found.model_dump(mode="json")


@pytest.mark.parametrize("path", sorted(MEASURED_FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_technology_holds_the_standard_arrays_and_operators(path):
    plan, shipped = standard_plan(), technologies()[path.stem]
    assert {(operation, name) for operation, name in plan.operators} == set(shipped.rows)
    assert len(shipped.macs) == len(plan.configs)
    assert shipped.zero_share == plan.zero_share
    assert all(mac.worst_fit < 0.05 for mac in shipped.macs)
