"""What `list` prints, `show` finds."""

import csv
from functools import cache

import pytest
import yaml

from bitjoule.energy_models import catalog
from bitjoule.energy_models.catalog import KINDS, Entry, entry, entry_of_file, listing
from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import DATA, references
from bitjoule.energy_models.model_files.stored import TypeRow
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.paid_macs import paid_macs
from bitjoule.energy_models.system.platform.platforms import platforms


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_entry_can_be_shown_with_its_sources(kind):
    table = listing(kind)
    assert table.rows
    for row, found in zip(table.rows, entries(kind), strict=True):
        assert len(row) == len(table.headers)
        assert found.references or plain(kind, str(row[0]))
        assert found.fields or found.table


def test_a_memory_is_shown_with_the_sources_of_its_own_rows_alone():
    with (DATA / "memories.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(row for row in file if not row.startswith("#")))
    cited = {row["memory"]: set() for row in rows}
    for row in rows:
        cited[row["memory"]] |= set(row["source"].split(";"))
    assert len(set(map(frozenset, cited.values()))) > 1
    for name, sources in cited.items():
        assert set(entry("memories", name).references) == set(references(sources)), name


@cache
def entries(kind: str) -> list[Entry]:
    """Return all entries of a kind: two tests look at them."""
    return [entry(kind, str(row[0])) for row in listing(kind).rows]


def plain(kind: str, name: str) -> bool:
    """Return whether an entry is a number in its own width, which needs no source, or our own packing."""
    return kind == "storages" and not storages()[name].source


def test_a_storage_and_a_platform_are_listed_with_what_they_take():
    stored = {row[0]: row[1:4] for row in listing("storages").rows}
    assert stored["ternary5"] == ("ternary", "1.6", "4 add int8")
    assert stored["int4"] == ("int4", "4.125", "")
    built = {row[0]: row[1:5] for row in listing("platforms").rows}
    assert built["ternary-edge"] == ("adders 64 x 16, float 4 x 6", 1024, "lpddr4", 12.8)
    assert built["tpu32"] == ("pes 32 x 32", 2048, "own prices", 8)


def named(table):
    """Return the rows of a table as mappings from its headers."""
    return [dict(zip(table.headers, row, strict=True)) for row in table.rows]


def numeric(text):
    """Return a number of a table, or the text that is none."""
    try:
        return float(text)
    except ValueError:
        return text


def test_every_column_of_the_memories_is_that_of_the_file():
    with (DATA / "memories.csv").open(newline="") as file:
        rows = {row["memory"]: row for row in csv.DictReader(file)}
    listed = {row["memory"]: row for row in named(listing("memories"))}
    assert set(rows) <= set(listed)
    for name, row in rows.items():
        for column, value in listed[name].items():
            assert numeric(value) == numeric(row[column]), (name, column)


def test_a_device_is_listed_with_the_energy_of_a_bit_read_of_whole_rows():
    """LPDDR5-6400, as drams.yaml gives it: 4, 6 and 8 pJ a bit, and a row of 2048 bytes for 602, 1205 and 1205 pJ."""
    (row,) = [row for row in named(listing("memories")) if row["memory"] == "lpddr5-6400"]
    bits = 8 * 2048
    assert row == {
        "memory": "lpddr5-6400", "kind": "dram device", "capacity_bytes": "", "access_bits": 1, "node_nm": "",
        "energy_low_pj": pytest.approx(4 + 602 / bits, rel=2e-4),
        "energy_pj": pytest.approx(6 + 1205 / bits, rel=2e-4),
        "energy_high_pj": pytest.approx(8 + 1205 / bits, rel=2e-4),
    }  # fmt: skip


def test_every_column_of_the_links_is_that_of_the_file():
    links = yaml.safe_load((DATA / "links.yaml").read_text())["links"]
    listed = {row["link"]: row for row in named(listing("links"))}
    assert set(links) == set(listed)
    for name, link in links.items():
        price = link["energy_pj_per_bit"]
        ends = price if isinstance(price, dict) else dict.fromkeys(("low", "nominal", "high"), price)
        expected = {
            "pJ/bit": ends["nominal"], "low": ends["low"], "high": ends["high"], "note": link.get("note", ""),
            "GB/s a direction": link["bandwidth_gb_per_s"], "latency (us)": link.get("latency_us", 0),
        }  # fmt: skip
        assert listed[name] == {"link": name, **expected}


def test_every_column_of_the_schemes_is_that_of_the_file():
    schemes = yaml.safe_load((DATA / "schemes.yaml").read_text())["schemes"]
    for row in named(listing("schemes")):
        written = schemes[row["scheme"]]
        expected = {key: written.get(key) or "" for key in ("weights", "activations", "attention", "description")}
        assert {key: row[key] for key in expected} == expected


def test_a_model_is_listed_with_the_dimensions_of_its_configuration():
    """Llama 3 8B: config.json of meta-llama/Meta-Llama-3-8B. Parameters: the paper's 8B, here to the last one."""
    (row,) = [row for row in named(listing("models")) if row["model"] == "llama-3-8b"]
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096
    assert row == {
        "model": "llama-3-8b", "parameters": 32 * layer + 2 * 128256 * 4096 + 4096, "layers": 32, "hidden": 4096,
        "heads": 32, "kv_heads": 8, "head_dim": 128, "ffn": 14336, "gated": "yes", "vocabulary": 128256, "experts": 1,
    }  # fmt: skip


def test_the_memories_of_a_table_of_prices_are_shown_with_the_columns_of_the_table(tmp_path):
    path = tmp_path / "my5nm.csv"
    path.write_text(
        "operation,format,energy_pj,low,high,source,capacity_bytes,access_bits\nadd,int8,0.5,0.25,0.75,a slide,,\n"
        "sram,,6.5,3.5,12.5,a compiler,65536,128\ndram,lpddr4,48,40,56,a data sheet,,8\n"
    )
    shown = entry_of_file("technologies", path)
    ((_, memories),) = shown.further
    assert named(shown.table) == [
        {"operation": "add", "format": "int8", "energy_pj": 0.5, "energy_low_pj": 0.25, "energy_high_pj": 0.75,
         "source": "a slide", "where": "line 2"}
    ]  # fmt: skip
    assert named(memories) == [
        {"memory": "sram", "name": "", "capacity_bytes": 65536, "access_bits": 128, "energy_pj": 6.5,
         "energy_low_pj": 3.5, "energy_high_pj": 12.5, "source": "a compiler", "where": "line 3"},
        {"memory": "dram", "name": "lpddr4", "capacity_bytes": "", "access_bits": 8, "energy_pj": 48,
         "energy_low_pj": 40, "energy_high_pj": 56, "source": "a data sheet", "where": "line 4"},
    ]  # fmt: skip


def test_a_mac_is_shown_with_its_array_zeros_and_energies_under_their_headers():
    """As `paid_macs` gives them, which is tested by itself; four digits are shown."""
    technology = next(one for one in technologies().values() if one.macs)
    (shown,) = [table for title, table in entry("technologies", technology.name).further if title.startswith("MACs of")]
    for row, paid in zip(named(shown), paid_macs(technology), strict=True):
        assert (row["MAC"], row["array"]) == (paid.mac.name, f"{paid.lanes} x {paid.columns}")
        expected = {
            "zeros (%)": 100 * paid.zero_share, "energy_pj": paid.price.nominal_pj, "energy_low_pj": paid.price.low_pj,
            "energy_high_pj": paid.price.high_pj, "weight loaded (pJ)": paid.load.nominal_pj,
        }  # fmt: skip
        for header, value in expected.items():
            assert float(row[header]) == pytest.approx(value, rel=5.1e-4), header


def test_a_platform_is_shown_with_the_source_of_each_number():
    shown = entry("platforms", "int8-edge").fields
    lanes = shown["arrays"]["int8"]["lanes"]
    assert lanes == platforms()["int8-edge"].arrays["int8"].lanes
    assert shown["sources"]["arrays.int8.lanes"].startswith(f"{lanes} x ")


def test_a_model_is_shown_with_its_names_on_the_hub():
    assert "Qwen/Qwen3-0.6B" in entry("models", "qwen3-0.6b").fields["hub"]
    assert "hub" not in entry("models", "bitnet-125m").fields


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_entry_leaves_open_is_not_shown(kind):
    for found in entries(kind):
        assert None not in leaves(found.fields)


def leaves(value):
    """Return what mappings and lists hold at their ends."""
    if isinstance(value, dict | list | tuple):
        return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]
    return [value]


def test_tensors_of_a_file_are_listed_with_the_bits_of_a_value_and_their_total():
    """Q4_0 has 18 bytes for 32 values."""
    stored = [
        TypeRow("linear", "q4_0", 3, 640, 360),
        TypeRow("embedding", "f16", 1, 100, 200),
        TypeRow("x", "y", 0, 0, 0),
    ]
    listing = catalog._tensors(stored)
    assert [row[:5] for row in listing.rows] == [*stored, ("total", "", 4, 740, 560)]
    assert [row[5] for row in listing.rows] == ["4.5000", "16.0000", "", f"{8 * 560 / 740:.4f}"]
    assert listing.headers[-1] == "bits a value"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'llama-7b'"):
        entry("models", "lama-7b")
