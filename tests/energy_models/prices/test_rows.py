"""Every price key of a result leads to the price, source and place that its energy comes from."""

import csv
import re

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import DATA, keys, sources
from bitjoule.energy_models.prices.rows import price_row
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.silicon import leakage_w
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.resolve import read_experiment
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import shipped_experiments
from tests.sampling import sampled

SAMPLE = 24  # cases of each experiment
ENDS = ("energy_low_pj", "energy_pj", "energy_high_pj")
SHOWN = "unknown price .*; expected a value of the column `price`"


def row_at(place):
    """Return the cells of a CSV row by its file and line, without a reader of ours."""
    file, _, line = place.rpartition(":")
    lines = (DATA / file).read_text().splitlines()
    return next(csv.DictReader([lines[0], lines[int(line) - 1]]))


@pytest.mark.parametrize(
    ("key", "cells"),
    [
        ("operations.csv:45nm:mul:fp16", {"operation": "mul", "format": "fp16", "node_nm": "45"}),
        ("operations.csv:7nm:add:int8", {"operation": "add", "format": "int8", "node_nm": "7"}),
        ("memories.csv:lpddr4", {"memory": "lpddr4"}),
        ("memories.csv:hbm2", {"memory": "hbm2"}),
    ],
)
def test_a_rows_own_price_is_the_row_at_its_place(key, cells):
    found = price_row(key)
    (place,) = found.places
    row = row_at(place)
    assert {name: row[name] for name in cells} == cells
    bits = int(row.get("access_bits", 1))
    assert found.price.nominal_pj == pytest.approx(float(row["energy_pj"]) / bits, rel=1e-15)
    assert (found.source, found.where) == (row["source"], row["where"])
    assert set(keys(found.source)) <= set(sources())
    assert ("bits" in found.derived) == (bits > 1)


def test_a_bank_between_two_sizes_says_which_rows_its_price_lies_between():
    found = price_row("memories.csv:45nm:sram:131072")
    rows = [row_at(place) for place in found.places]
    small, large = (float(row["capacity_bytes"]) for row in rows)
    assert small < 131072 < large
    low, high = (float(row["energy_pj"]) / float(row["access_bits"]) for row in rows)
    share = np.log(131072 / small) / np.log(large / small)
    assert found.price.nominal_pj == pytest.approx(low * (high / low) ** share)
    assert all(row["memory"] in found.derived for row in rows)


def test_a_product_of_two_formats_is_priced_from_the_rows_that_both_come_from():
    found = price_row("operations.csv:7nm:mul:int4xint8")
    rows = [row_at(place) for place in found.places]
    assert [(row["operation"], row["format"], row["node_nm"]) for row in rows] == [
        ("mul", "int8", "7"), ("mul", "int32", "7"),
    ]  # fmt: skip
    narrow, wide = (float(row["energy_pj"]) for row in rows)
    slope = np.log(wide / narrow) / np.log(32 / 8)
    assert found.price.nominal_pj == pytest.approx(narrow * (np.sqrt(4 * 8) / 8) ** slope)
    assert "int4xint8 has no row" in found.derived


def test_a_price_on_the_line_through_two_formats_says_so():
    found = price_row("operations.csv:45nm:add:int4")
    assert [row_at(place)["format"] for place in found.places] == ["int8", "int32"]
    assert "int4 has no row" in found.derived


@pytest.mark.parametrize(
    ("key", "derived"),
    [
        (
            "mac:ternaryxint8+int32/carry_save:64x16:zeros",
            "sum of the terms of a full array of 64 lanes x 16 columns with 33.33 % of the weights zero",
        ),
        ("mac:int8xint8+int32/weight_digits:32x8", "sum of the terms of a full array of 32 lanes x 8 columns"),
        ("in-mac:int8xint8+int32/weight_digits", "part of the MAC, priced at its multiplication"),
        ("load:int8xint8+int32/weight_digits", ""),
        ("add:int4", "int4 has no row: log-log over the width through int8 and int32"),
        (
            "mul:int4xint8",
            "int4xint8 has no row: log-log over the mean width of int4 and int8 (geometric) through int8 and int32",
        ),
        ("add:int8", ""),
    ],
)
def test_a_measured_price_says_how_it_follows_from_what_was_measured(key, derived):
    assert price_row(f"technologies/45nm-measured.yaml:{key}").derived == derived


def measured_at(place):
    """Return the mapping of a YAML file that begins at a line, by PyYAML's own marks, without a reader of ours."""
    file, _, line = place.rpartition(":")

    def below(node):
        if isinstance(node, yaml.MappingNode) and node.start_mark.line == int(line) - 1:
            yield node
        children = node.value if isinstance(node.value, list) else []
        for child in children:
            for part in child if isinstance(child, tuple) else (child,):
                yield from below(part)

    loader = yaml.SafeLoader((DATA / file).read_text())
    return loader.construct_object(max(below(loader.get_single_node()), key=lambda node: node.end_mark.line), deep=True)


@pytest.mark.parametrize(
    ("key", "operations"),
    [
        ("mul:int8", [("mul", "int8")]),
        ("add:int4", [("add", "int8"), ("add", "int32")]),
        ("add:fp16", [("add", "fp16")]),
    ],
)
def test_a_measured_operation_leads_to_the_rows_of_its_file(key, operations):
    found = price_row(f"technologies/45nm-measured.yaml:{key}")
    rows = [measured_at(place) for place in found.places]
    assert [(row["operation"], row["format"]) for row in rows] == operations
    assert found.unit == "operation"
    if len(rows) == 1:
        assert found.price == tuple(rows[0]["energy_pj"].values())


def test_an_arrays_price_is_the_sum_of_its_terms_at_the_lines_of_its_mac():
    key = "technologies/45nm-measured.yaml:{}:ternaryxint8+int32/carry_save"
    zeros, all_nonzero, free, load = (
        price_row(key.format(kind) + shape)
        for kind, shape in (("mac", ":64x16:zeros"), ("mac", ":32x8"), ("in-mac", ""), ("load", ""))
    )
    (place,) = zeros.places
    written = measured_at(place)
    share = yaml.safe_load((DATA / place.rpartition(":")[0]).read_text())["zero_share"]
    names = ("nonzero_pj", "zero_pj", "column_pj", "lane_pj", "cycle_pj", "fanout_pj")
    for found, shares in (
        (zeros, (1 - share, share, 1 / 64, 1 / 16, 1 / 1024, 4)),
        (all_nonzero, (1, 0, 1 / 32, 1 / 8, 1 / 256, 3)),
    ):
        for price_pj, end in zip(found.price, ("low", "nominal", "high"), strict=True):
            assert price_pj == pytest.approx(
                sum(part * written[name][end] for name, part in zip(names, shares, strict=True))
            )
    assert free.price == (0.0, 0.0, 0.0)
    assert load.price == tuple(written["load_pj"].values())
    assert [row.unit for row in (zeros, all_nonzero, free, load)] == ["MAC", "MAC", "operation", "weight"]
    file, _, line = load.places[0].rpartition(":")
    assert "load_pj:" in (DATA / file).read_text().splitlines()[int(line) - 1]


TPU32 = {  # as written in the file: amount, bits of an access, unit, text on its line
    "arrays.pes.macs.0.energy_pj": (0.04, 1, "MAC", "energy_pj: 0.04"),
    "arrays.pes.accumulators.write_pj_per_bit": (0.0013125, 1, "bit", "accumulators:"),
    "arrays.pes.weight_registers.read_pj_per_bit": (0.011875, 1, "bit", "weight_registers:"),
    "buffers.shared.read_pj": (416.16, 2048, "bit", "width_bits: 2048"),
    "buffers.shared.write_pj": (378.4, 2048, "bit", "width_bits: 2048"),
    "off_chip.write_pj_per_bit": (11.71875, 1, "bit", "off_chip:"),
}


@pytest.mark.parametrize("place", TPU32)
def test_an_amount_of_a_platform_is_the_one_in_its_file_and_a_buffers_is_shared_by_its_bits(place):
    amount_pj, bits, unit, text = TPU32[place]
    found = price_row(f"platforms/tpu32.yaml:{place}")
    assert found.price == pytest.approx((amount_pj / bits,) * 3, rel=1e-15)
    assert found.unit == unit
    assert found.derived == (f"an access over its {bits} bits" if bits > 1 else "")
    data = yaml.safe_load((DATA / "platforms" / "tpu32.yaml").read_text())
    assert found.source == data["references"]
    enclosing = [key for key in data["sources"] if f"{place}.".startswith(f"{key}.")]
    assert found.where == data["sources"][max(enclosing, key=len)]
    file, _, line = found.places[0].rpartition(":")
    assert text in (DATA / file).read_text().splitlines()[int(line) - 1]


DEVICES = yaml.safe_load((DATA / "drams.yaml").read_text())["drams"]


@pytest.mark.parametrize(
    ("device", "section"),
    [
        (device, section)
        for device in ("lpddr4-3200", "ddr4-2400", "hbm3e")
        for section in ("phy", "pins", "activate")
        if section == "activate" or section in DEVICES[device]
    ],
)
def test_a_part_of_a_device_is_at_the_line_that_its_amount_or_the_device_is_written_in(device, section):
    written = DEVICES[device]
    lines = (DATA / "drams.yaml").read_text().splitlines()
    first = lines.index(f"  {device}:")
    if section == "activate":
        found, line = price_row(f"drams.yaml:{device}:activate"), first
        assert (found.unit, found.source, found.where) == ("row", written["source"], written["where"])
        assert found.places == (f"drams.yaml:{line + 1}",)
        return
    for way in ("read", "write"):
        found = price_row(f"drams.yaml:{device}:{section}.{way}_pj_per_bit")
        begins = lines.index(f"    {section}:", first)
        line = next(i for i in range(begins, len(lines)) if lines[i].startswith(f"      {way}_pj_per_bit:"))
        assert found.places == (f"drams.yaml:{line + 1}",)
        amount = yaml.safe_load(lines[line])[f"{way}_pj_per_bit"]
        assert found.price == (tuple(amount.values()) if isinstance(amount, dict) else (amount,) * 3)
        cited = written[section]
        assert (found.unit, found.source, found.where) == ("bit", cited["source"], cited["where"])


@pytest.mark.parametrize("part", ["weight_registers.write_pj_per_bit", "accumulators.read_pj_per_bit"])
def test_a_price_is_where_the_source_closest_to_it_says(part):
    sources_of = yaml.safe_load((DATA / "platforms" / "fp16-hbm.yaml").read_text())["sources"]
    closest = {"weight_registers.write_pj_per_bit": part, "accumulators.read_pj_per_bit": "accumulators"}[part]
    found = price_row(f"platforms/fp16-hbm.yaml:arrays.fp16.{part}")
    assert found.where == sources_of[f"arrays.fp16.{closest}"] != sources_of["arrays.fp16"]


def test_leakage_is_said_to_be_of_a_cycle_at_its_clock():
    found = price_row("platforms/ternary-edge.yaml:nodes.7nm.leakage_w@250MHz")
    assert found.unit == "cycle"
    assert found.derived.endswith(", for a cycle at 250 MHz")


@pytest.mark.parametrize("platform", sorted(path.stem for path in (DATA / "platforms").glob("*.yaml")))
def test_leakage_is_at_the_line_of_the_file_that_it_is_written_in(platform):
    written = platform
    while "7nm" not in (data := yaml.safe_load((DATA / "platforms" / f"{written}.yaml").read_text())).get("nodes", {}):
        if "like" not in data:
            pytest.skip("not built at 7 nm")
        written = data["like"]
    found = price_row(f"platforms/{platform}.yaml:nodes.7nm.leakage_w@300MHz")
    (place,) = found.places
    file, _, line = place.rpartition(":")
    assert file == f"platforms/{written}.yaml"
    text = (DATA / file).read_text().splitlines()[int(line) - 1]
    assert text.strip().startswith("7nm:")
    watts = data["nodes"]["7nm"].get("leakage_w", 0.0)
    assert ("leakage_w" in text) == bool(watts)
    nominal_w = watts["nominal"] if isinstance(watts, dict) else watts
    if isinstance(watts, str):
        nominal_w = leakage_w(platforms()[platform], technologies()["7nm"]).nominal_pj
    assert found.price.nominal_pj == pytest.approx(nominal_w / 300e6 * 1e12)


@pytest.mark.parametrize(
    "key",
    [
        "", "x", "operations.csv", "operations.csv:45nm:add", "operations.csv:45nm:add:int9", "memories.csv:sram",
        "memories.csv:45nm:sram:1", "platforms/ternary-edge.yaml:arrays.none", "platforms/tpu32.yaml:none",
        "platforms/ternary-edge.yaml:nodes.7nm.leakage_w@fast", "platforms/ternary-edge.yaml:nodes.7nm.leakage_w",
        "platforms/tpu32.yaml:arrays.pes.lanes", "platforms/tpu32.yaml:nodes.7nm.clock_mhz",
        "platforms/tpu32.yaml:nodes.7nm.clock_mhz@500MHz", "platforms/tpu32.yaml:buffers.shared.width_bits",
        "platforms/tpu32.yaml:off_chip.read_pj_per_bit@500MHz", "technologies/7nm-measured.yaml:mac:none:1x1",
    ],
)  # fmt: skip
def test_a_key_that_leads_nowhere_is_an_error_that_shows_one(key):
    with pytest.raises(InputError, match=SHOWN):
        price_row(key)


def test_the_command_shows_price_unit_place_and_source(bitjoule):
    status, out, err = bitjoule("show", "price", "operations.csv:7nm:add:int8")
    assert (status, err) == (0, "")
    shown = yaml.safe_load(out.partition("sources:")[0])
    row = row_at(shown["read from"])
    assert (shown["energy_pj"], shown["for one"], shown["where"]) == (
        float(row["energy_pj"]),
        "operation",
        row["where"],
    )
    assert all(f"[{key}]" in out for key in row["source"].split(";"))


def test_the_command_refuses_a_key_that_leads_nowhere(bitjoule):
    status, out, err = bitjoule("show", "price", "7nm:add")
    assert (status, out) == (2, "")
    assert err.startswith("show:1: price: unknown price '7nm:add'; expected a value of the column `price`")


@pytest.mark.parametrize("factor", ["", "x", "*", "2*2", "nan", "inf", "-1", "1e400"])
def test_the_command_refuses_a_factor_that_no_run_writes(bitjoule, factor):
    key = f"operations.csv:7nm:add:int8*{factor}"
    status, out, err = bitjoule("show", "price", key)
    assert (status, out) == (2, "")
    assert err.startswith(f"show:1: price: unknown price '{key}'; expected a value of the column `price`")


@pytest.mark.parametrize(
    ("key", "folder", "place"),
    [
        ("platforms/mine.yaml:nodes.7nm.leakage_w@500MHz", "platforms", "nodes.7nm.leakage_w@500MHz"),
        ("technologies/mine.yaml:add:int8", "technologies", "add:int8"),
    ],
)
def test_a_price_of_a_users_own_file_is_said_to_be_there(bitjoule, key, folder, place):
    status, out, err = bitjoule("show", "price", key)
    assert (status, out) == (2, "")
    expected = f"the price at '{place}' in the file or experiment of yours that describes 'mine'"
    assert err == f"show:1: price: 'mine' is not among the {folder} that ship; expected {expected}\n"


@pytest.mark.parametrize("name", sampled(shipped_experiments("energy"), 8, "experiments whose prices are looked up"))
def test_every_price_of_a_sample_of_cases_leads_to_what_was_paid(name):
    result = run(read_experiment(shipped_experiments("energy")[name], ["plots=[]"]))
    cases = np.random.default_rng(0).choice(len(result.grid), min(SAMPLE, len(result.grid)), replace=False)
    table = result.results_of(np.sort(cases))
    assert len(table) > 0
    for key, rows in table.groupby("price", observed=True):
        owner = re.match(r"platforms/(.+?)\.yaml:", str(key))
        if owner and owner[1] not in platforms():  # the experiment describes it itself
            with pytest.raises(InputError, match="in the file or experiment of yours that describes"):
                price_row(str(key))
            continue
        found = price_row(str(key))
        for end, price_pj in zip(ENDS, found.price, strict=True):
            np.testing.assert_allclose(rows["count"] * price_pj, rows[end], rtol=1e-12)
        assert found.unit
        assert found.where
        assert keys(found.source)
        assert found.places
        for place in found.places:
            file, _, line = place.rpartition(":")
            assert (DATA / file).read_text().splitlines()[int(line) - 1].strip()
