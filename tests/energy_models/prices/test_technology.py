"""Operation prices against the tables they come from."""

import dataclasses
import math

import pytest

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.prices import technology as module
from bitjoule.energy_models.prices.technology import COLUMNS, technologies

# BitNet Table 2 and TPUv4i Table 2, in pJ: (add, mul) at 45 nm and at 7 nm
PRINTED = {
    "fp32": ((0.9, 3.7), (0.38, 1.31)),
    "fp16": ((0.4, 1.1), (0.16, 0.34)),
    "int32": ((0.1, 3.1), (0.03, 1.48)),
    "int8": ((0.03, 0.2), (0.007, 0.07)),
}


@pytest.mark.parametrize("number_format", PRINTED)
@pytest.mark.parametrize(("node", "column"), [("45nm", 0), ("7nm", 1)])
def test_prices_are_the_printed_ones(number_format, node, column):
    add, mul = PRINTED[number_format][column]
    assert technologies()[node].price("add", number_format).nominal_pj == add
    assert technologies()[node].price("mul", number_format).nominal_pj == mul


def test_bf16_is_priced_at_7_nm_only():
    assert technologies()["7nm"].price("add", "bf16").nominal_pj == 0.11
    with pytest.raises(KeyError):
        technologies()["45nm"].price("add", "bf16")


def test_every_price_cites_a_source_and_a_place():
    for technology in technologies().values():
        for row in technology.rows.values():
            assert row.where
            assert keys(row.source)
            assert all(key in sources() for key in keys(row.source))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("add,int8,45,-1,1,1,s,w,", "2: energy_pj: got '-1'; expected a positive number"),
        ("add,int8,45,nan,1,1,s,w,", "2: energy_pj: got 'nan'; expected a positive number"),
        ("add,int8,45,5,1,2,s,w,", "2: energy_pj: 5 is outside 1 to 2; expected low <= energy_pj <= high"),
        ("add,int8,45 nm,1,1,1,s,w,", "2: node_nm: got '45 nm'; expected a positive number"),
        ("add,int8,45,1,1,1,s,w", "2: row: 8 cells; expected 9 cells"),
        ("add,int8,45,1,1,1,s,w,\nadd,int8,45,1,1,1,s,w,", "3: operation: duplicate add int8; expected one row"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(refusal, row, message):
    assert refusal(module, "OPERATIONS_FILE", COLUMNS, row, technologies) == message


NARROW = ("int4", "int3", "int2", "int1")


def on_the_line(node: str, operation: str, bits: float) -> float:
    """Return the price at a width on the straight line through INT8 and INT32, both axes logarithmic."""
    narrow, wide = (PRINTED[name][("45nm", "7nm").index(node)][operation == "mul"] for name in ("int8", "int32"))
    return 2 ** (math.log2(narrow) + (math.log2(bits) - 3) / (5 - 3) * (math.log2(wide) - math.log2(narrow)))


@pytest.mark.parametrize("bits", [16, 4, 3, 2, 1])
@pytest.mark.parametrize("operation", ["add", "mul"])
@pytest.mark.parametrize("node", ["45nm", "7nm"])
def test_unprinted_integers_lie_on_the_log_log_line_through_the_printed_ones(node, operation, bits):
    price = technologies()[node].price(operation, f"int{bits}")
    assert price.nominal_pj == pytest.approx(on_the_line(node, operation, bits), rel=1e-12)


def test_int16_is_the_geometric_mean_of_int8_and_int32():
    assert technologies()["45nm"].price("add", "int16").nominal_pj == pytest.approx(math.sqrt(0.03 * 0.1))
    assert technologies()["7nm"].price("mul", "int16").nominal_pj == pytest.approx(math.sqrt(0.07 * 1.48))


@pytest.mark.parametrize("operation", ["add", "mul"])
@pytest.mark.parametrize("node", ["45nm", "7nm"])
def test_the_band_of_int16_spans_int8_to_int32(node, operation):
    technology = technologies()[node]
    band = technology.price(operation, "int16")
    assert band.low_pj == technology.price(operation, "int8").low_pj
    assert band.high_pj == technology.price(operation, "int32").high_pj


@pytest.mark.parametrize("node", ["45nm", "7nm"])
@pytest.mark.parametrize("operands", ["int4xint8", "int8xint4"])
def test_a_product_of_two_widths_costs_what_one_of_as_many_partial_products_does(node, operands):
    technology = technologies()[node]
    price = technology.price("mul", operands)
    assert price.nominal_pj == pytest.approx(on_the_line(node, "mul", math.sqrt(4 * 8)), rel=1e-12)
    half = 4 / 8 * technology.price("mul", "int8").nominal_pj  # in proportion to the product of the widths
    assert price.low_pj == pytest.approx(min(half, price.nominal_pj), rel=1e-12)
    assert price.high_pj == technology.price("mul", "int8").high_pj
    assert technology.has_price("mul", operands)
    assert not technology.has_price("add", operands)
    with pytest.raises(KeyError):
        technology.price("add", operands)


@pytest.mark.parametrize("node", ["45nm", "7nm"])
@pytest.mark.parametrize("operands", ["int8xint16", "int16xint4", "int32xint8"])
def test_a_product_of_two_widths_may_cost_what_the_wider_may(node, operands):
    """INT16 may cost as much as INT32, and so may its product with a narrower one."""
    _, printed_pj = PRINTED["int32"][("45nm", "7nm").index(node)]
    assert technologies()[node].price("mul", operands).high_pj == pytest.approx(printed_pj, rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "actions", "name"),
    [
        ("int4", ("mul int4xint8", "add int16"), "int4xint8+int32/weight_digits"),
        ("int4", ("mul int4xint8", "add int32"), "int4xint8+int32/weight_digits"),
        ("int2", ("mul int4xint8", "add int16"), "int2xint8+int32/weight_digits"),  # an array of its own
        ("ternary", ("mul int4xint8", "add int16"), "int4xint8+int32/weight_digits"),  # multiplied, so not the adders
        ("int4", ("mul int8", "add int16"), "int4xint8+int32/weight_digits"),
        ("ternary", ("mul int8", "add int16"), "int8xint8+int32/weight_digits"),
        ("ternary", ("add int8",), "ternaryxint8+int32/carry_save"),
    ],
)
def test_the_actions_of_a_platform_lead_to_the_array_that_was_synthesised(weights, actions, name):
    mac = technologies()["7nm-measured"].mac_of_actions(weights, actions)
    assert mac is not None
    assert mac.name == name


@pytest.mark.parametrize(("operation", "power"), [("add", 1), ("mul", 2)])
@pytest.mark.parametrize("node", ["45nm", "7nm"])
def test_a_narrow_integer_may_cost_its_share_of_the_circuit_and_as_much_as_int8(node, operation, power):
    int8 = technologies()[node].price(operation, "int8").nominal_pj
    for number_format in NARROW:
        bits = int(number_format[3:])
        price = technologies()[node].price(operation, number_format)
        assert price.high_pj == int8
        assert price.low_pj <= (bits / 8) ** power * int8 * (1 + 1e-12)
        assert price.low_pj == pytest.approx(min((bits / 8) ** power * int8, on_the_line(node, operation, bits)))


@pytest.mark.parametrize("operation", ["add", "mul"])
@pytest.mark.parametrize("node", ["45nm", "7nm"])
def test_prices_rise_with_the_width_and_every_band_is_in_order(node, operation):
    technology = technologies()[node]
    widths = ["int1", "int2", "int3", "int4", "int8", "int16", "int32"]
    prices = [technology.price(operation, number_format) for number_format in widths]
    for price in [*prices, *(row.energy for row in technology.rows.values())]:
        assert 0 < price.low_pj <= price.nominal_pj <= price.high_pj
    nominal = [price.nominal_pj for price in prices]
    assert nominal == sorted(nominal)
    assert len(set(nominal)) == len(nominal)


@pytest.mark.parametrize("technology", technologies().values(), ids=lambda technology: technology.name)
def test_has_price_tells_whether_price_knows_an_operation(technology):
    known = 0
    for operation in ("add", "mul", "div"):
        for number_format in (*formats(), "fp8"):
            if technology.has_price(operation, number_format):
                assert technology.price(operation, number_format).nominal_pj > 0
                known += 1
            else:
                with pytest.raises(KeyError):
                    technology.price(operation, number_format)
    floats = len({name for _, name in technology.rows} & {"fp16", "bf16", "fp32"})
    assert known == 2 * (floats + 7)


def test_a_node_without_int32_derives_nothing():
    of_45 = technologies()["45nm"]
    rows = {key: row for key, row in of_45.rows.items() if key[1] != "int32"}
    assert not dataclasses.replace(of_45, rows=rows).has_price("add", "int4")
    assert dataclasses.replace(of_45, rows=rows).has_price("add", "int8")


@pytest.mark.parametrize(
    ("operation", "weights", "activations", "place"),
    [
        ("mul", "int8", "int8", "mac:int8xint8+int32/weight_digits:64x16"),
        ("add", "int8", "int8", "in-mac:int8xint8+int32/weight_digits"),  # paid with the multiplication
        ("mul", "fp16", "fp16", "mac:fp16xfp16+fp32/fused:64x16"),
        ("add", "fp16", "fp16", "in-mac:fp16xfp16+fp32/fused"),
        ("add", "ternary", "int8", "mac:ternaryxint8+int32/carry_save:64x16:zeros"),  # additions alone
        ("add", "binary", "int8", "mac:binaryxint8+int32/carry_save:64x16"),
        ("add", "fp32", "fp32", "add:fp32"),  # no array
    ],
)
def test_a_term_of_a_sum_is_priced_once_by_the_array_that_has_it(operation, weights, activations, place):
    found = technologies()["45nm-measured-arrays"].term_key(operation, weights, activations)
    assert found == f"technologies/45nm-measured.yaml:{place}"
