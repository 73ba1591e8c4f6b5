"""Areas and leakage against the tables they come from, and each other."""

import pytest

from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.prices import areas as module
from bitjoule.energy_models.prices.areas import AREA_COLUMNS, LEAKAGE_COLUMNS, areas, leakage_nw_per_um2

# Horowitz 2014, um2 at 45 nm: (add, mul); 16-bit integers are added only
PRINTED = {"int8": (36, 282), "int32": (137, 3495), "fp16": (1360, 1640), "fp32": (4184, 7700)}


@pytest.mark.parametrize("number_format", PRINTED)
def test_areas_are_the_printed_ones(number_format):
    add_um2, mul_um2 = PRINTED[number_format]
    assert areas()["add", number_format, 45].area_um2 == add_um2
    assert areas()["mul", number_format, 45].area_um2 == mul_um2


def test_an_int16_adder_is_as_printed_and_lies_between_its_neighbours():
    assert areas()["add", "int16", 45].area_um2 == 67
    assert 36 < areas()["add", "int16", 45].area_um2 < 137


def test_a_trit_is_larger_than_its_adder_and_smaller_than_a_multiplier():
    trit = areas()["trit", "int8", 45].area_um2
    assert areas()["add", "int8", 45].area_um2 < trit < areas()["mul", "int8", 45].area_um2


# 1398.4 nW over 72.98 um2, 3.831 nW over 4.278 um2: leakage and area that Yosys and OpenSTA give for a trit
@pytest.mark.parametrize(("node_nm", "trit_nw"), [(45, 1398.4), (7, 3.831)])
def test_leakage_density_is_the_measured_leakage_of_a_trit_over_its_area(node_nm, trit_nw):
    density = leakage_nw_per_um2()[node_nm]
    assert density == pytest.approx(trit_nw / areas()["trit", "int8", node_nm].area_um2, rel=5e-4)


def test_every_area_cites_a_source_and_a_place():
    assert areas()
    for row in areas().values():
        assert row.where
        assert keys(row.source)
        assert all(key in sources() for key in keys(row.source))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("add,int8,45,0,s,w,", "2: area_um2: got '0'; expected a positive number"),
        ("add,int8,x,1,s,w,", "2: node_nm: got 'x'; expected a positive number"),
        ("add,int8,45,1,s,w", "2: row: 6 cells; expected 7 cells"),
        ("add,int8,45,1,s,w,\nadd,int8,45,2,s,w,", "3: operation: duplicate add int8 at 45 nm; expected one row"),
    ],
)
def test_a_wrong_area_is_refused_with_its_line(refusal, row, message):
    assert refusal(module, "AREAS_FILE", AREA_COLUMNS, row, areas) == message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("logic,45,-1,s,w,", "2: leakage_nw_per_um2: got '-1'; expected a positive number"),
        ("logic,45,1,s,w,\nlogic,45,1,s,w,", "3: node_nm: duplicate 45 nm; expected one row"),
    ],
)
def test_a_wrong_leakage_is_refused_with_its_line(refusal, row, message):
    assert refusal(module, "LEAKAGE_FILE", LEAKAGE_COLUMNS, row, leakage_nw_per_um2) == message
