"""Names of measurements: every one of the shipped rows is known, or the reason why it is not stands beside it."""

import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.names import (
    UnknownNameError,
    activations,
    card_count,
    devices,
    measured_schemes,
    metered,
    meters,
    models,
    number_formats,
    platform_name,
    preset_name,
    scheme_name,
)
from bitjoule.energy_models.machines.rows import read_rows

ROWS = [row for row in read_rows()[1] if row.use in ("fit", "hold")]


@pytest.mark.parametrize(
    ("column", "table"),
    [("device", devices), ("model", models), ("activations", activations), ("what_is_metered", meters)],
)
def test_every_name_of_the_rows_to_fit_and_to_check_is_listed(column, table):
    assert {row.cells[column] for row in ROWS} <= {name for (name,) in table()}


@pytest.mark.parametrize(
    ("table", "column"),
    [(devices, "platform"), (models, "preset"), (number_formats, "scheme"), (activations, "format")],
)
def test_a_name_without_a_counterpart_says_why(table, column):
    assert all(cells[column] or cells["note"] for cells in table().values())


def test_every_preset_and_scheme_that_is_named_exists():
    assert {cells["preset"] for cells in models().values()} - {""} <= set(presets())
    assert {cells["scheme"] for cells in number_formats().values()} - {""} <= set(measured_schemes())


@pytest.mark.parametrize(
    ("weights", "activation", "bits"),
    [  # a sign or two bits or eight fifths, and an FP16 scale for 128 of them
        ("binary g128 (Q1_0 1.125 b)", "fp16 (Q8_1 blocks in kernel)", 1.125),
        ("ternary g128 (Q2_0 2.125 b)", "fp16 (Q8_1 blocks in kernel)", 2.125),
        ("ternary g128 (PTQ1_0 1.75 b)", "fp16", 26 * 8 / 128 + 0.125),
        ("ternary 2 b g128", "int8", 2.125),
        ("int2 (ternary)", "int8", 2),
        ("ternary 1.6 b", "int8", 1.6),
        ("int8 (Q8_0)", "fp16", 8.5),
        ("int4 (Q4_K_M)", "fp16", 144 * 8 / 256),
        ("bfloat16", "bf16", 16),
        ("fp8", "fp8", 8),
        ("fp8", "bf16", 8),
    ],
)
def test_a_scheme_stores_the_bits_that_the_name_says(weights, activation, bits):
    assert measured_schemes()[scheme_name(weights, activation)].stored("weight_storage").bits == pytest.approx(bits)


def test_mxfp4_stands_for_the_ffn_alone_as_gpt_oss_has_it():
    scheme = measured_schemes()[scheme_name("mxfp4", "bf16")]
    assert scheme.linear("ffn_up").storage.bits == 4 + 8 / 32
    assert scheme.linear("q_proj").storage.bits == scheme.stored("lm_head").bits == 16


def test_a_device_of_several_cards_says_how_many():
    assert (platform_name("8x H100"), card_count("8x H100")) == ("h100", 8)
    assert card_count("H100 SXM") == 1


def test_what_stands_for_nothing_says_so():
    with pytest.raises(UnknownNameError, match=r"unknown device 'RTX 409O' \(did you mean 'RTX 4090'\?\)"):
        platform_name("RTX 409O")
    with pytest.raises(UnknownNameError, match=r"BitNet-2\.5B: no source gives its shape"):
        preset_name("BitNet-2.5B")
    with pytest.raises(UnknownNameError, match="no scheme of 'fp8' weights with 'int8' activations"):
        scheme_name("fp8", "int8")
    with pytest.raises(UnknownNameError, match="unknown weights 'int5'"):
        scheme_name("int5", "int8")
    with pytest.raises(UnknownNameError, match="unknown meter 'a watt'"):
        metered("a watt")


def test_a_meter_says_what_it_sees_and_whether_idle_is_in_it():
    net = metered("GPU board power (nvidia-smi), idle subtracted")
    assert (net.scope, net.idle, net.energy) == ("board", "net", True)
    assert metered("unstated").scope is None
    assert not metered("speed only").energy
