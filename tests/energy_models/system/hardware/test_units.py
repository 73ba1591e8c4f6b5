"""Element-wise work in units of a BitLinear: which elements pay them, and that nothing is paid twice."""

from dataclasses import replace

import numpy as np
import pytest

import bitjoule
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.technology import OperationRow, technologies
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.hardware.units import unit_shares
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import KINDS, MatmulKind
from bitjoule.reports.energy.summary import element_wise_line

UNITS = ("absmax", "quantise", "rescale", "rms_norm")
WRITERS = ("model", "queries", "head", "cache")


def machine(scheme="bitnet-b1.58", platform="ternary-edge", technology="7nm-measured", changes=None, **of_scheme):
    found = schemes()[scheme].model_copy(update=of_scheme)
    hardware = platforms()[platform].model_copy(update=changes or {})
    return Machine(found, hardware, technologies()[technology], platform)


def shares(*args, **kwargs):
    """Return the share of the elements of each writer that each unit takes."""
    found = unit_shares(machine(*args, **kwargs), ()).elements
    return {writer: dict(zip(UNITS, row.tolist(), strict=True)) for writer, row in zip(WRITERS, found, strict=True)}


@pytest.mark.parametrize("technology", ["45nm-measured", "7nm-measured", "7nm-measured-arrays"])
@pytest.mark.parametrize("number_format", ["fp16", "bf16", "fp32"])
def test_a_technology_of_netlists_has_all_units_in_three_formats(technology, number_format):
    assert machine(technology=technology, rescale=number_format).units == UNITS


def test_published_technologies_have_none_and_a_platform_may_be_without():
    assert machine(technology="7nm").units == machine(technology="45nm").units == ()
    assert machine(changes={"elementwise": "operations"}).units == ()
    for of in ({"technology": "7nm"}, {"changes": {"elementwise": "operations"}}):
        assert not any(share for row in shares(**of).values() for share in row.values())
        assert set(unit_shares(machine(**of), KINDS).rescales) == {0.0}


def test_a_technology_with_one_unit_in_one_format_has_that_alone():
    row = OperationRow("quantise", "bf16", 7.0, Price(0.1, 0.2, 0.3), "mine", "", "")
    own = replace(technologies()["7nm"], rows={**technologies()["7nm"].rows, ("quantise", "bf16"): row})
    found = [
        Machine(schemes()["bitnet-b1.58"].model_copy(update={"rescale": form}), platforms()["ternary-edge"], own, "")
        for form in ("fp16", "bf16")
    ]
    assert [each.units for each in found] == [(), ("quantise",)]
    key = "technologies/7nm-measured.yaml:quantise:fp16"
    assert machine().operation_key("quantise", "fp16") == key
    assert machine().operation("quantise", "fp16") == technologies()["7nm-measured"].price("quantise", "fp16")


@pytest.mark.parametrize(
    ("activations", "share"), [("int8", 1.0), ("int4", 1.0), ("int1", 1.0), ("fp8", 0.0), ("int32", 0.0)]
)
def test_codes_wider_than_eight_bits_and_narrow_floats_are_not_what_the_quantiser_gives(activations, share):
    found = shares(activations=activations)["model"]
    assert (found["absmax"], found["quantise"]) == (1.0, share)


def test_the_cache_pays_for_the_half_of_it_that_holds_integers():
    assert shares()["cache"]["quantise"] == shares()["cache"]["absmax"] == 0
    assert shares("bitnet-b1.58-kv8")["cache"]["quantise"] == 1
    found = shares("bitnet-b1.58", values="int8")["cache"]
    assert (found["absmax"], found["quantise"]) == (0.5, 0.5)


def test_a_unit_rescales_sums_of_integers_alone():
    kinds = (MatmulKind.LINEAR, MatmulKind.HEAD, MatmulKind.SCORES)
    assert unit_shares(machine(), kinds).rescales == (1.0, 0.0, 0.0)  # its head takes FP16
    assert unit_shares(machine(head="int8", lm_head="int8"), kinds).rescales == (1.0, 1.0, 0.0)
    floats = machine("w4a16", "fp16-edge")
    assert unit_shares(floats, kinds).rescales == (0.0, 0.0, 0.0)
    assert floats.scaling(MatmulKind.LINEAR)[1] == 1.0


EXPERIMENT = {
    "name": "units", "accounting": "system", "models": ["bitnet-b1.58-2b-4t"], "schemes": ["bitnet-b1.58-kv8"],
    "technologies": ["7nm-measured"], "workload": {"prompt_tokens": 7, "new_tokens": 2},
}  # fmt: skip
OWN = [{"name": "operations", "like": "ternary-edge", "elementwise": "operations"}]
LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "ffn_gate", "ffn_up", "ffn_down")


def run(**changes):
    result = bitjoule.run({**EXPERIMENT, "platforms": ["ternary-edge"], **changes})
    rows = result.results.query("phase == 'prefill'")
    return result, rows.set_index(["component", "action"])[["format", "count", "energy_pj", "price"]]


def test_every_element_is_paid_once_at_the_price_of_its_unit():
    """Widths by hand from the model's shape: two norms and one inside each of attention and FFN, and a last one."""
    shape = presets()["bitnet-b1.58-2b-4t"]
    d, ffn, tokens = shape.hidden, shape.ffn, 7
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = shape.layers * (2 * d + q + ffn) + d
    inputs = shape.layers * (2 * d + q + ffn)
    outputs = shape.layers * (q + 2 * kv + d + 2 * ffn + d)
    expected = {
        ("norm", "rms_norm"): norms, ("activation_quantisation", "absmax"): inputs,
        ("activation_quantisation", "quantise"): inputs, ("output_rescale", "rescale"): outputs,
        ("kv_cache_write", "absmax"): shape.layers * 2 * kv, ("kv_cache_write", "quantise"): shape.layers * 2 * kv,
    }  # fmt: skip
    _, rows = run()
    for (component, unit), elements in expected.items():
        row = rows.loc[component, unit]
        price = technologies()["7nm-measured"].rows[unit, "fp16"].energy.nominal_pj
        assert row["count"] == tokens * elements, (component, unit)
        assert row["energy_pj"] == pytest.approx(tokens * elements * price, rel=1e-12)
        assert (row["format"], row["price"]) == ("fp16", f"technologies/7nm-measured.yaml:{unit}:fp16")
        assert not {(component, "mul"), (component, "add")} & set(rows.index)


def test_operations_change_those_rows_alone_and_take_as_long():
    (units, with_units), (operations, without) = run(), run(platforms=OWN)
    element_wise = {"norm", "activation_quantisation", "output_rescale", "kv_cache_write"}
    assert not set(without.index.get_level_values("action")) & set(UNITS)
    taken = with_units[[i[1] not in UNITS for i in with_units.index]]
    same = without[[i[0] not in element_wise or i[1] not in ("mul", "add") for i in without.index]]
    assert same.drop(columns="price").equals(taken.drop(columns="price"))
    np.testing.assert_array_equal(units.summary["latency_s"], operations.summary["latency_s"])
    assert (
        without.loc["activation_quantisation", "add"]["count"]
        == 2 * (with_units.loc["activation_quantisation", "absmax"]["count"])
    )


def test_the_summary_names_what_is_paid_and_what_is_not():
    def line(**changes):
        return element_wise_line(run(**changes)[0].kind_result.frames)

    assert line(technologies=["7nm"]) == ""
    assert line(technologies=["7nm", "7nm-measured"]) == (
        "Paid as units of a BitLinear, as synthesised: absmax, quantise, rescale, rms_norm in fp16 at 7nm-measured. "
        "All other element-wise work is paid as the operations that `functions.yaml` assumes."
    )
    assert line(platforms=OWN) == (
        "Element-wise work is paid as the operations that `functions.yaml` assumes, also absmax, quantise, rescale, "
        "rms_norm in fp16 at 7nm-measured."
    )
