import copy
import dataclasses

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.architecture.phases import Cases
from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.papers.arithmetic import Accounting, Matmul, count
from bitjoule.energy_models.papers.pricing import price_actions
from bitjoule.energy_models.prices.measured import read_measured
from bitjoule.energy_models.prices.technology import Technology, measured_technology
from bitjoule.energy_models.system.hardware.machine import Machine
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.work.steps import MatmulKind
from tests.energy_models.requests import as_papers


def band(nominal: float) -> dict[str, float]:
    return {"low": nominal / 2, "nominal": nominal, "high": nominal * 2}


def mac(weights: str, activations: str, accumulation: str, scale: float) -> dict:
    terms = {"nonzero_pj": 8.0, "zero_pj": 4.0, "load_pj": 2.0, "column_pj": 16.0, "lane_pj": 32.0, "cycle_pj": 64.0}
    return {
        "weights": weights, "activations": activations, "accumulation": accumulation,
        **{name: band(value * scale) for name, value in terms.items()},
        "lanes": 16, "columns": 4, "area_um2": 50.0, "leakage_nw": 900.0, "period_ns": 1.5, "worst_fit": 0.01,
    }  # fmt: skip


@pytest.fixture
def written() -> dict:
    return {
        "description": "made up",
        "node_nm": 45.0,
        "zero_share": 0.25,
        "zero_share_source": "made up",
        "measured": {
            "command": "bitjoule calibrate", "library": "made_up", "liberty": [{"file": "a.lib", "sha256": "00"}],
            "voltage_v": 1.1, "stimulus": "uniform", "wires": "none", "missing": "everything", "versions": {},
        },
        "operations": [
            {"operation": operation, "format": name, "energy_pj": band(value), "area_um2": 1.0, "leakage_nw": 1.0}
            for operation, name, value in (
                ("add", "int8", 1.0), ("add", "int32", 3.0), ("mul", "int8", 5.0), ("mul", "int32", 50.0),
                ("add", "fp16", 7.0), ("mul", "fp16", 11.0),
            )
        ],
        "macs": [mac("ternary", "int8", "int32", 1.0), mac("fp16", "fp16", "fp16", 10.0)],
    }  # fmt: skip


def technology(written: dict, folder):
    path = folder / "made.yaml"
    path.write_text(yaml.safe_dump(written))
    return measured_technology("made", read_measured(path))


# (1 - 0.25) * 8 + 0.25 * 4 + 16 / lanes + 32 / columns + 64 / (lanes * columns)
@pytest.mark.parametrize(
    ("lanes", "columns", "expected"), [(16, 4, 7.0 + 1 + 8 + 1), (64, 16, 7.0 + 0.25 + 2 + 0.0625)]
)
def test_a_mac_costs_its_terms_shared_by_the_array(written, tmp_path, lanes, columns, expected):
    found = technology(written, tmp_path)
    price = found.mac("ternary", "int8", None).price(lanes, columns, found.zero_share)
    assert price == pytest.approx((expected / 2, expected, expected * 2))


@pytest.mark.parametrize(("columns", "doublings"), [(1, 0), (4, 2), (64, 6), (3, 1.584962500721156)])
def test_a_mac_costs_its_fanout_for_each_doubling_of_the_columns(written, tmp_path, columns, doublings):
    found = technology(written, tmp_path)
    without = found.mac("ternary", "int8", None).price(16, columns, 0.25)
    written["macs"][0]["fanout_pj"] = band(0.5)
    price = technology(written, tmp_path).mac("ternary", "int8", None).price(16, columns, 0.25)
    added = [with_it - before for with_it, before in zip(price, without, strict=True)]
    assert added == pytest.approx([0.25 * doublings, 0.5 * doublings, doublings])


def test_a_machine_pays_for_measured_macs_and_loads_in_place_of_additions_and_registers(written, tmp_path):
    found = technology(written, tmp_path)
    machine = Machine(schemes()["bitnet-b1.58"], platforms()["ternary-edge"], found, "ternary-edge")
    lines = {
        (step.operand, step.action): line for step, line in machine.lines(MatmulKind.LINEAR).items() if line.factor
    }
    assert ("partial_sums", "add") not in lines
    assert lines["weights", "mac"].price.nominal_pj == pytest.approx(7.0 + 0.25 + 2 + 0.0625)
    assert lines["weights", "register_write"].price.nominal_pj == 2.0
    assert lines["weights", "register_write"].factor == 1.0
    assert machine.node == platforms()["ternary-edge"].nodes["45nm"]


def test_a_mac_that_was_not_measured_is_priced_by_its_operations(written, tmp_path):
    del written["macs"][1]
    found = technology(written, tmp_path)
    machine = Machine(schemes()["fp16"], as_papers("fp16-edge"), found, "fp16-edge")
    lines = {
        (step.operand, step.action): line for step, line in machine.lines(MatmulKind.LINEAR).items() if line.factor
    }
    assert ("weights", "mac") not in lines
    assert lines["weights", "mul"].price.nominal_pj == 11.0
    assert lines["partial_sums", "add"].price.nominal_pj == 7.0


@pytest.mark.parametrize(("priced_as_macs", "fp16_pj", "ternary_pj"), [
    (False, 18.0, 1.0), (True, 10 * (8 + 1 + 8 + 1), 7 + 1 + 8 + 1),
])  # fmt: skip
def test_the_papers_accounting_prices_sums_by_operators_or_by_arrays(
    written, tmp_path, priced_as_macs, fp16_pj, ternary_pj
):
    found = technology(written | {"priced_as_macs": priced_as_macs, "lanes": 16, "columns": 4}, tmp_path)
    zeros, ones = np.zeros(2, dtype=np.intp), np.ones(2)
    cases = Cases(zeros, np.array([0, 1]), ones, ones, 0 * ones)
    counts = count([Matmul(1, 128, 64)], [schemes()["fp16"], schemes()["bitnet-b1.58"]], cases, Accounting.MAC)
    energies = price_actions(counts, [found], cases.scheme, zeros)
    ends = (energies.low_pj, energies.nominal_pj, energies.high_pj)
    for energy_pj, end in zip(ends, (0.5, 1.0, 2.0), strict=True):
        assert energy_pj.sum(axis=1) == pytest.approx([128 * 64 * fp16_pj * end, 128 * 64 * ternary_pj * end])


@pytest.mark.parametrize(("change", "told"), [
    (lambda d: d["macs"].append(copy.deepcopy(d["macs"][0])), "duplicate ternaryxint8+int32; expected one row"),
    (lambda d: d["operations"].append(copy.deepcopy(d["operations"][0])), "duplicate add int8; expected one row"),
    (lambda d: d["macs"][0].update(weights="trits"), "unknown format 'trits'"),
    (lambda d: d["macs"][0]["nonzero_pj"].update(low=0.0), "a MAC without energy"),
    (lambda d: d["operations"][0]["energy_pj"].update(low=0.0), "an operation without energy"),
    (lambda d: d["operations"][0]["energy_pj"].update(low=9.0), "low 9 is above high "),
    (lambda d: d.pop("operations"), "operations"),
    (lambda d: d.pop("zero_share"), "MACs of arrays without a share of zeros; expected zero_share"),
    (lambda d: d.update(node_nm=-1.0), "node_nm"),
    (lambda d: d.update(node=45.0), "node: unknown key"),
])  # fmt: skip
def test_a_wrong_file_is_refused_with_its_name_and_what_is_wrong(written, tmp_path, change, told):
    change(written)
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(InputError) as error:
        read_measured(path)
    assert told in str(error.value)
    assert "wrong.yaml:" in str(error.value)


def test_sums_that_were_not_measured_are_those_of_a_wider_format(written, tmp_path):
    written["macs"] = [mac("fp16", "fp16", "fp32", 20.0), mac("int8", "int8", "int32", 5.0)]
    only_wide = technology(written, tmp_path)
    assert only_wide.mac("fp16", "fp16", "fp16").accumulation == "fp32"
    assert only_wide.mac("int8", "int8", "fp16") is None
    written["macs"] = [mac("fp16", "fp16", "fp32", 20.0), mac("fp16", "fp16", "fp16", 10.0)]
    both = technology(written, tmp_path)
    assert [both.mac("fp16", "fp16", sums).accumulation for sums in ("fp16", "fp32")] == ["fp16", "fp32"]
    del written["macs"][0]
    assert technology(written, tmp_path).mac("fp16", "fp16", "fp32") is None  # FP16 sums are not as exact


def test_of_arrays_for_the_same_formats_the_first_is_charged(written, tmp_path):
    one, other = (mac("ternary", "int8", "int32", 1.0) | {"datapath": name} for name in ("carry_save", "lookup_table"))
    written["macs"] = [other, one]
    found = technology(written, tmp_path)
    assert found.mac("ternary", "int8", None).datapath == "lookup_table"
    assert [each.name for each in found.macs] == ["ternaryxint8+int32/lookup_table", "ternaryxint8+int32/carry_save"]


@pytest.mark.parametrize(
    ("weights", "actions", "expected"),
    [
        ("fp16", ["mul fp16", "add fp16"], ("fp16", "fp16")),
        ("fp16", ["mul fp16", "add int32"], None),
        ("int8", ["mul int8", "add int32"], ("int8", "int32")),
        ("int8", ["mul int8", "add int16"], ("int8", "int32")),  # a narrow name for integer sums in general
        ("ternary", ["add int8"], ("ternary", "int32")),
        ("ternary", ["mul int8", "add int32"], ("int8", "int32")),
        ("int4", ["mul int8", "add int32"], ("int4", "int32")),
        ("int2", ["mul int8", "add int32"], ("int8", "int32")),  # not measured
        ("fp16", [], None),
    ],
)
def test_a_platforms_actions_find_the_mac_of_their_formats(written, tmp_path, weights, actions, expected):
    written["macs"] += [mac("int8", "int8", "int32", 5.0), mac("int4", "int8", "int32", 2.0)]
    found = technology(written, tmp_path).mac_of_actions(weights, actions)
    assert (found and (found.weights, found.accumulation)) == expected


@pytest.mark.parametrize(
    ("path", "allowed", "refused"),
    [
        (("operations", 0, "area_um2"), (0.5, 1e9), (0.0, -0.5, 1.1e9)),
        (("operations", 0, "leakage_nw"), (0.0, 1e9), (-0.5, 1.1e9)),
        (("operations", 0, "delay_ns"), (None, 0.5, 1e9), (0.0, -0.5, 1.1e9)),
        (("operations", 0, "energy_pj", "low"), (0.5, 1e-9), (0.0,)),
        (("macs", 0, "nonzero_pj", "low"), (0.5, 1e-9), (0.0,)),
        (("macs", 0, "lanes"), (1, 1 << 20), (0, (1 << 20) + 1)),
        (("macs", 0, "columns"), (1, 1 << 20), (0, (1 << 20) + 1)),
        (("macs", 0, "area_um2"), (0.5, 1e9), (0.0, -0.5, 1.1e9)),
        (("macs", 0, "leakage_nw"), (0.0, 1e9), (-0.5, 1.1e9)),
        (("macs", 0, "period_ns"), (None, 0.5, 1e9), (0.0, -0.5, 1.1e9)),
        (("macs", 0, "worst_fit"), (0.0, 1.0), (-0.5, 1.5)),
        (("measured", "voltage_v"), (0.5, 100.0), (0.0, -0.5, 100.5)),
        (("measured", "liberty"), (), ([],)),
        (("node_nm",), (0.5, 1e4), (0.0, -0.5, 1e4 + 1)),
        (("zero_share",), (0.0, 1.0), (-0.5, 1.5)),
        (("operations",), (), ([],)),
        (("macs",), ([],), ()),
        (("lanes",), (1, 1 << 20), (0, (1 << 20) + 1)),
        (("columns",), (1, 1 << 20), (0, (1 << 20) + 1)),
    ],
)  # fmt: skip
def test_what_a_value_may_be(written, tmp_path, path, allowed, refused):
    for value in (*allowed, *refused):
        data = copy.deepcopy(written)
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
        (tmp_path / "made.yaml").write_text(yaml.safe_dump(data))
        if value in refused:
            with pytest.raises(InputError, match=str(path[-1])):
                read_measured(tmp_path / "made.yaml")
        else:
            read_measured(tmp_path / "made.yaml")


def test_one_operation_of_a_library_of_one_file_is_a_technology_and_what_it_does_not_say_is_the_usual(
    written, tmp_path
):
    """The usual array is that of 64 x 16, whose MACs pay only where the file says so."""
    del written["operations"][1:]
    found = technology(written, tmp_path)
    assert [*found.rows] == [("add", "int8")]
    assert (found.lanes, found.columns, found.priced_as_macs) == (64, 16, False)
    del written["macs"]
    assert technology(written, tmp_path).macs == ()


def test_what_a_technology_made_in_python_does_not_say_is_the_usual(written, tmp_path):
    macs = technology(written, tmp_path).macs
    found = Technology("made", 45.0, {}, macs)
    assert found.term_mac("ternary", "int8") is None
    arrays = Technology("made", 45.0, {}, macs, priced_as_macs=True)
    assert arrays.term_key("add", "ternary", "int8") == "technologies/made.yaml:mac:ternaryxint8+int32:64x16:zeros"
    # without a share of zeros every MAC has a weight that is not zero
    assert arrays.term_price("add", "ternary", "int8").nominal_pj == pytest.approx(8 + 16 / 64 + 32 / 16 + 64 / 1024)


@pytest.mark.parametrize(
    ("operation", "weights", "number_format", "expected"),
    [
        ("mul", "int8", "int8", 5 * (8 + 1 + 8 + 1)),
        ("add", "int8", "int8", 0.0),
        ("add", "ternary", "int8", 7 + 1 + 8 + 1),  # a quarter of the weights is zero
        ("add", "binary", "int8", 3 * (8 + 1 + 8 + 1)),
        ("mul", "fp16", "fp16", 10 * (8 + 1 + 8 + 1)),
        ("add", "fp16", "fp16", 0.0),
        ("add", "ternary", "fp16", 7.0),  # no array of trits adds up FP16
        ("mul", "int32", "int32", 50.0),
        ("add", "int32", "int32", 3.0),
    ],
)
def test_a_term_costs_what_its_array_takes_or_else_an_operator(
    written, tmp_path, operation, weights, number_format, expected
):
    written["macs"] = [
        mac("int8", "int8", "int16", 100.0), mac("fp16", "fp16", "fp32", 100.0), mac("int8", "int8", "int32", 5.0),
        mac("binary", "int8", "int32", 3.0), *written["macs"],
    ]  # fmt: skip
    found = technology(written | {"priced_as_macs": True, "lanes": 16, "columns": 4}, tmp_path)
    operation = "".join(list(operation))  # as from a file: equal to the constant of the code, another object
    found_price = found.term_price(operation, weights, number_format)
    assert found_price == pytest.approx((expected / 2, expected, expected * 2))
    shared = "in-mac" if expected == 0 else "mac"
    of_array = (weights, number_format) in [("int8", "int8"), ("fp16", "fp16"), ("ternary", "int8"), ("binary", "int8")]
    place = shared if of_array else operation
    assert found.term_key(operation, weights, number_format).split(":")[1] == place


def test_a_mac_is_found_by_both_operands_and_the_sums(written, tmp_path):
    written["macs"] += [mac("int8", "int8", "int16", 1.0), mac("int8", "int8", "int32", 1.0)]
    found = technology(written, tmp_path)
    for measured in found.macs:
        assert found.mac(measured.weights, measured.activations, measured.accumulation) is measured
    assert found.mac("int8", "int8", None).accumulation == "int16"  # the first
    for absent in (
        ("binary", "int8", None),
        ("int8", "fp16", None),
        ("ternary", "fp16", None),
        ("fp16", "fp16", "fp32"),
    ):
        assert found.mac(*absent) is None
    assert found.node == "45nm"
    assert dataclasses.replace(found, node_nm=6.5).node == "6.5nm"


def test_the_term_of_trits_is_their_mac_whatever_its_sums_are_and_that_of_integers_has_sums_of_int32(written, tmp_path):
    written["macs"] = [mac("ternary", "int8", "int16", 1.0), mac("int8", "int8", "int16", 3.0)]
    found = dataclasses.replace(technology(written, tmp_path), priced_as_macs=True)
    assert found.term_mac("ternary", "int8") == found.mac("ternary", "int8", "int16") is not None
    assert found.term_mac("int8", "int8") is None
    written["macs"][1]["accumulation"] = "int32"
    found = dataclasses.replace(technology(written, tmp_path), priced_as_macs=True)
    assert found.term_mac("int8", "int8") == found.mac("int8", "int8", "int32") is not None
    assert dataclasses.replace(found, priced_as_macs=False).term_mac("ternary", "int8") is None
