"""Prices beside each other: what each row divides, by hand."""

import pytest
import yaml

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.experiments.prices.schema import read_prices_experiment
from bitjoule.experiments.prices.table import formats_in_order, prices_table
from tests.experiments.opened import opened
from tests.experiments.technology_files import MACS, OPERATIONS, TERMS, band, mac_pj, write_technology

TABLE_45NM = {("add", "int8"): 0.03, ("mul", "int8"): 0.2, ("add", "int32"): 0.1, ("add", "fp16"): 0.4,
              ("mul", "fp16"): 1.1, ("add", "fp32"): 0.9, ("mul", "fp32"): 3.7, ("mul", "int32"): 3.1}  # fmt: skip
# a MAC of the table: Horowitz's rows added up
COMPOSED = {"ternary x int8 + int32": 0.03, "binary x int8 + int32": 0.03, "int8 x int8 + int32": 0.2 + 0.1,
            "fp16 x fp16 + fp32": 1.1 + 0.9, "fp16 x fp16 + fp16": 1.1 + 0.4}  # fmt: skip
# the same of made.yaml, for those that a test takes out
COMPOSED_MADE = {("binary", "int8", "int32"): OPERATIONS["add", "int8"],
                 ("fp16", "fp16", "fp32"): OPERATIONS["mul", "fp16"] + OPERATIONS["add", "fp32"]}  # fmt: skip


@pytest.fixture
def compared(tmp_path):
    """Return a function that compares pairs of technologies, as YAML; made.yaml is one made up by hand."""
    write_technology(tmp_path / "made.yaml")
    write_technology(tmp_path / "twice.yaml", scale=2.0)

    def table(pairs):
        (tmp_path / "x.yaml").write_text(f"name: x\ncompare: {pairs}\n")
        return prices_table(read_prices_experiment(opened(tmp_path / "x.yaml")))

    return table


def test_each_operation_of_the_table_stands_beside_the_measured_one(compared):
    table = compared("[[45nm, made.yaml]]")
    found = {(row.operation, row.format): row for row in table.itertuples() if not row.operation.startswith("mac")}
    assert set(TABLE_45NM) <= set(found) <= {*OPERATIONS, ("mul", "int16")}  # between two rows in both
    for key, table_pj in TABLE_45NM.items():
        assert found[key].first_pj == table_pj
        assert found[key].second_pj == OPERATIONS[key]
        assert found[key].ratio == pytest.approx(OPERATIONS[key] / table_pj)
        assert (found[key].ratio_low, found[key].ratio_high) == pytest.approx(
            (OPERATIONS[key] / 2 / table_pj, OPERATIONS[key] * 2 / table_pj)
        )
        assert found[key].first_is == " ".join(key)


def test_what_one_technology_does_not_price_is_left_out_and_what_it_derives_is_said(compared):
    found = compared("[[45nm, made.yaml]]").set_index(["operation", "format"])
    assert ("add", "bf16") not in found.index  # no row at 45 nm
    assert found.loc[("add", "int16"), "first_is"] == "between add int8 and add int32"
    assert found.loc[("add", "int16"), "first_pj"] == technologies()["45nm"].price("add", "int16").nominal_pj


def test_macs_stand_beside_the_operations_that_the_papers_count(compared):
    found = compared("[[45nm, made.yaml]]").set_index(["operation", "format"])
    for key in MACS:
        name = "{} x {} + {}".format(*key)
        row = found.loc["mac", name]
        assert row["first_pj"] == pytest.approx(COMPOSED[name])
        assert row["second_pj"] == pytest.approx(mac_pj(*key))
        loaded = found.loc["mac, new weight", name]
        assert loaded["second_pj"] == pytest.approx(mac_pj(*key) + TERMS["load_pj"] * MACS[key])
    assert found.loc[("mac", "ternary x int8 + int32"), "first_is"] == "add int8"
    assert found.loc[("mac", "fp16 x fp16 + fp32"), "first_is"] == "mul fp16 + add fp32"


def test_two_measured_technologies_are_compared_mac_by_mac(compared):
    table = compared("[[made.yaml, twice.yaml]]")
    assert table["ratio"].to_numpy() == pytest.approx(2.0)
    stated = [key in OPERATIONS for key in zip(table["operation"], table["format"], strict=True)]
    operations = table[stated]  # from half of a price to twice of it, on both sides
    assert operations["ratio_low"].to_numpy() == pytest.approx(2.0 / 2 / 2)
    assert operations["ratio_high"].to_numpy() == pytest.approx(2.0 * 2 * 2)
    macs = table[table["operation"].str.startswith("mac")]
    assert (macs["first_is"] == "netlist").all()
    names = ["{} x {} + {}".format(*key) for key in MACS]
    both = [(operation, name) for name in names for operation in ("mac", "mac, new weight")]
    assert [*zip(macs["operation"], macs["format"], strict=True)] == both


def test_every_pair_is_compared_and_the_experiment_written_out_needs_no_file(compared, tmp_path):
    table = compared("[[45nm, made.yaml], [7nm, made.yaml]]")
    assert table[["first", "second"]].drop_duplicates().to_numpy().tolist() == [["45nm", "made"], ["7nm", "made"]]
    given = read_prices_experiment(opened(tmp_path / "x.yaml"))
    assert [pair[1].name for pair in given.experiment.compare] == ["made", "made"]
    assert set(given.inputs) == {"x.yaml", "made.yaml"}


def test_integers_come_before_floats_and_narrow_formats_before_wide_ones():
    order = formats_in_order()
    assert sorted(order[:2]) == ["binary", "int1"]  # one bit
    assert sorted(order[2:4]) == ["int2", "ternary"]
    assert order[4:9] == ["int3", "int4", "int8", "int16", "int32"]
    assert order[9:11] == ["fp4", "fp8"]
    assert sorted(order[11:13]) == ["bf16", "fp16"]
    assert order[13:] == ["fp32"]


def test_an_operation_whose_format_has_no_row_for_the_other_one_is_compared(compared, tmp_path):
    """Only made.yaml has a row for products of INT4, and none for their sums, which need no comparison."""
    data = yaml.safe_load((tmp_path / "made.yaml").read_text())
    row = {"operation": "mul", "format": "int4", "energy_pj": band(0.2), "area_um2": 1.0, "leakage_nw": 1.0}
    (tmp_path / "made.yaml").write_text(yaml.safe_dump({**data, "operations": [*data["operations"], row]}))
    found = compared("[[45nm, made.yaml], [made.yaml, 45nm]]").set_index(["first", "operation", "format"])
    assert found.loc[("45nm", "mul", "int4"), "first_is"] == "between mul int8 and mul int32"
    assert found.loc[("45nm", "mul", "int4"), "second_pj"] == 0.2
    assert found.loc[("made", "mul", "int4"), "first_is"] == "mul int4"
    assert ("45nm", "add", "int4") not in found.index


def test_a_mac_that_only_the_second_measured_hides_none_of_those_behind_it(compared, tmp_path):
    data = yaml.safe_load((tmp_path / "twice.yaml").read_text())
    (tmp_path / "twice.yaml").write_text(yaml.safe_dump({**data, "macs": data["macs"][::2]}))  # all but every second
    macs = compared("[[twice.yaml, made.yaml]]").query("operation == 'mac'")
    assert macs["first_is"].tolist() == ["netlist", "add int8", "netlist", "mul fp16 + add fp32", "netlist"]
    assert macs["first_pj"].tolist() == pytest.approx(
        [2 * pj for pj in (mac_pj(*key) if i % 2 == 0 else COMPOSED_MADE[key] for i, key in enumerate(MACS))]
    )
