"""Technologies that are like another one."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.prices.derived import data_of, read_technology
from bitjoule.energy_models.prices.measured import MeasuredTechnology
from bitjoule.energy_models.prices.technology import measured_technology, technologies


def technology(folder, text, name="mine.yaml"):
    (folder / name).write_text(text)
    return measured_technology("mine", read_technology(folder / name))


@pytest.mark.parametrize("name", technologies())
def test_what_is_like_a_built_in_one_has_its_prices(tmp_path, name):
    ours, base = technology(tmp_path, f"like: {name}\n"), technologies()[name]
    assert (ours.node_nm, ours.macs, ours.zero_share) == (base.node_nm, base.macs, base.zero_share)
    assert (ours.priced_as_macs, ours.lanes, ours.columns) == (base.priced_as_macs, base.lanes, base.columns)
    assert list(ours.rows) == list(base.rows)
    for pair, row in base.rows.items():
        assert ours.price(*pair) == base.price(*pair)
        assert (ours.rows[pair].source, ours.rows[pair].where) == (row.source, row.where)
    assert MeasuredTechnology.model_validate(data_of(base))


OWN = """\
like: 45nm
node_nm: 28
operations:
- {operation: add, format: int8, energy_pj: {low: 0.001, nominal: 0.002, high: 0.003}}
- {operation: mul, format: fp32, energy_pj: {low: 1, nominal: 2, high: 3}, source: a talk}
- {operation: add, format: bf16, energy_pj: {low: 1, nominal: 1, high: 1}}
memories: [{kind: dram, energy_pj: {low: 1, nominal: 1, high: 1}}]
"""


def test_only_what_it_writes_differs_and_cites_no_source_of_the_base(tmp_path):
    ours, base = technology(tmp_path, OWN), technologies()["45nm"]
    assert ours.node_nm == 28
    assert ours.price("add", "int8") == (0.001, 0.002, 0.003)
    assert ours.rows["add", "int8"].source == ""
    assert ours.rows["mul", "fp32"].source == "a talk"
    assert ours.price("add", "bf16") == (1, 1, 1)
    assert ours.price("add", "fp16") == base.price("add", "fp16")
    assert ours.rows["add", "fp16"].source == base.rows["add", "fp16"].source
    assert ours.dram("lpddr4").energy == (1, 1, 1)


def test_a_price_that_stays_keeps_its_source_and_one_that_changes_cites_what_is_written(tmp_path):
    (tmp_path / "first5nm.csv").write_text(
        "operation,format,energy_pj,source,where,capacity_bytes\nadd,int8,1,a,p. 1,\nsram,,2,b,p. 2,1024\n"
        "sram,,3,c,p. 3,2048\ndram,lpddr4,4,d,p. 4,\ndram,hbm2,5,e,p. 5,\n"
    )
    ours = technology(
        tmp_path,
        """\
like: first5nm.csv
operations: [{operation: add, format: int8, where: elsewhere}]
memories:
- {kind: sram, capacity_bytes: 2048, energy_pj: {low: 7, nominal: 7, high: 7}}
- {kind: dram, memory: hbm2, energy_pj: {low: 8, nominal: 8, high: 8}, source: mine}
- {kind: dram, memory: lpddr4, source: a talk}
""",
    )
    row = ours.rows["add", "int8"]
    assert (row.energy.nominal_pj, row.source, row.where) == (1, "a", "elsewhere")
    found = [(m.name, m.capacity_bytes, m.energy.nominal_pj, m.source, m.where) for m in ours.memories]
    assert found == [
        ("", 1024, 2, "b", "p. 2"), ("", 2048, 7, "", ""), ("lpddr4", None, 4, "a talk", "p. 4"),
        ("hbm2", None, 8, "mine", ""),
    ]  # fmt: skip


def test_a_file_and_a_table_are_bases_too(tmp_path):
    (tmp_path / "first5nm.csv").write_text("operation,format,energy_pj,source\nadd,int8,1,a\nadd,fp16,2,b\n")
    technology(tmp_path, "like: first5nm.csv\noperations: [{operation: add, format: int8, energy_pj: "
               "{low: 3, nominal: 3, high: 3}}]\n", "second.yaml")  # fmt: skip
    ours = technology(tmp_path, "like: ./second.yaml\nnode_nm: 6\n")
    assert (ours.node_nm, ours.price("add", "int8").nominal_pj, ours.price("add", "fp16").nominal_pj) == (6, 3, 2)
    assert ours.rows["add", "fp16"].source == "b"


def test_the_line_of_what_is_wrong_is_that_of_the_own_file(tmp_path):
    with pytest.raises(InputError) as refused:
        technology(tmp_path, OWN.replace("low: 1, nominal: 2", "low: 5, nominal: 2"))
    place = str(refused.value)
    assert place.startswith(f"{tmp_path}/mine.yaml:5: operations[")
    assert "low 5 is above high " in place
