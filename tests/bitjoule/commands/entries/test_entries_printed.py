"""What ``list``, ``show`` and ``new`` print beside what other tests read: orders, counts, bands, bounds and advice.

Expected values are those of the data files, and what follows from them by hand.
"""

import csv
import re
from pathlib import Path

import pytest
import yaml

from tests.bitjoule.commands.entries.test_catalogue import listed

DATA = Path(__file__).parents[4] / "energy_models" / "data"


def test_experiments_are_listed_by_kind_and_of_each_kind_by_name(bitjoule, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    rows = [(row["kind"], name) for name, row in listed(bitjoule("list", "experiments")[1]).items()]
    assert len({kind for kind, _ in rows}) > 5
    assert rows == sorted(rows)


def test_a_price_is_shown_with_its_band_and_how_it_follows_from_the_row(bitjoule):
    """A bit of an access; its band is that of the row."""
    with (DATA / "memories.csv").open(newline="") as handle:
        row = next(row for row in csv.DictReader(handle) if row["memory"] == "sram-8kib")
    shown = yaml.safe_load(bitjoule("show", "price", "memories.csv:45nm:sram:8192")[1].partition("sources:")[0])
    ends = {"energy_pj": "energy_pj", "low_pj": "energy_low_pj", "high_pj": "energy_high_pj"}
    expected = {name: float(row[key]) / int(row["access_bits"]) for name, key in ends.items()}
    assert expected["high_pj"] > expected["low_pj"]
    assert {name: shown[name] for name in ends} == pytest.approx(expected)
    assert shown["derived"].startswith("8192 bytes per bank: a bit's price, log-log in the size through sram-8kib")
    assert list(shown) == ["price", *ends, "for one", "read from", "derived", "where"]


def test_a_price_without_a_band_and_of_its_own_row_says_neither(bitjoule):
    shown = yaml.safe_load(bitjoule("show", "price", "operations.csv:7nm:mul:int8")[1].partition("sources:")[0])
    assert list(shown) == ["price", "energy_pj", "for one", "read from", "where"]


ADVICE = {
    "accelerator": ["bitjoule rtl verify {}"],
    "experiment": ["bitjoule check {}", "bitjoule run {}"],
    "exploration": ["bitjoule check {}", "bitjoule explore {}"],
    "explorer": ["bitjoule explorer {}"],
    "platform": ["platforms: [{}]", "bitjoule show platform {}"],
    "technology": ["technologies: [{}]", "bitjoule show technology {}"],
}


@pytest.mark.parametrize("kind", ADVICE)
@pytest.mark.parametrize("given", [False, True])
def test_new_says_what_can_be_done_with_the_file_by_its_name(bitjoule, tmp_path, monkeypatch, kind, given):
    monkeypatch.chdir(tmp_path)
    end = "csv" if kind == "technology" else "yaml"
    name = f"other.{end}" if given else "my7nm.csv" if kind == "technology" else f"my_{kind}.yaml"
    out = bitjoule("new", kind, *(["-o", name] if given else []))[1]
    assert out.startswith(f"{name}: {kind}; ")
    assert re.findall("`(.+?)`", out) == [text.format(name) for text in ADVICE[kind]]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def mapped(bitjoule, *words):
    """Return the table's rows by operand and action, and the figures of the last lines."""
    status, out, err = bitjoule("show", "mapping", *words)
    assert (status, err) == (0, "")
    head, loops, table, last = out.rstrip("\n").split("\n\n")
    rows = [re.split(r"  +", line.strip()) for line in table.splitlines()]
    assert rows[0] == ["operand", "action", "count", "unit", "energy (uJ)"]
    figures = re.fullmatch(
        r"total (\S+) uJ; (\d+) cycles, (\d+) of them compute cycles \(lower bound (\d+)\); (\S+) ms((?:\n.*)?)", last
    )
    assert figures is not None
    return head, loops, {(row[0], row[1]): row[2:] for row in rows[2:]}, figures.groups()


def test_the_counts_of_a_mapping_are_of_macs_and_bits_and_its_energies_are_of_them(bitjoule):
    """Each operand crosses the chip's edge once; a bit in takes 10.9375 pJ, one out 11.71875."""
    m, k, n = 64, 640, 300
    head, loops, rows, (total, *_) = mapped(bitjoule, "tpu32", f"{m}x{k}x{n}", "--scheme", "int8")
    assert head == f"({m}, {k}) @ ({k}, {n}) on tpu32, int8, 45nm: minimum energy"
    assert loops.splitlines()[-1].strip() == "array: 20 blocks of 32 x 32, one token a cycle"
    counts = {key: (float(count), unit) for key, (count, unit, _) in rows.items()}
    assert counts["weights", "mac"] == (m * k * n, "int8")
    assert counts["weights", "off_chip_read"] == (8 * k * n, "bits (int8)")
    assert counts["activations", "off_chip_read"] == (8 * m * k, "bits (int8)")
    assert counts["outputs", "off_chip_write"] == (8 * m * n, "bits (int8)")
    prices = {("weights", "off_chip_read"): 10.9375, ("outputs", "off_chip_write"): 11.71875, ("weights", "mac"): 0.04}
    for key, price_pj in prices.items():
        assert float(rows[key][2]) == pytest.approx(counts[key][0] * price_pj * 1e-6, rel=1e-5)
    assert float(total) == pytest.approx(sum(float(energy) for *_, energy in rows.values()), rel=1e-5)


def test_the_time_of_a_mapping_is_that_of_the_platforms_clock(bitjoule):
    platform = yaml.safe_load(bitjoule("show", "platform", "a100")[1].partition("\n\n")[0])
    clock_mhz = platform["nodes"]["7nm"]["clock_mhz"]
    words = ("a100", "64x640x320", "--scheme", "int8", "--technology", "7nm")
    _, _, _, (_, cycles, _, _, ms, _) = mapped(bitjoule, *words)
    assert clock_mhz != 1000
    assert float(ms) == pytest.approx(int(cycles) / clock_mhz / 1e3, rel=1e-3)


def test_arrays_of_several_copies_share_the_products_and_what_is_not_counted_is_said(bitjoule):
    """108 copies of 16 x 128 lanes and columns: 64 * 640 * 320 products take 59.3 cycles at least."""
    words = ("64x640x320", "--scheme", "int8", "--technology", "7nm")
    _, loops, _, (_, cycles, computing, least, _, further) = mapped(bitjoule, "a100-l2", *words)
    assert loops.endswith("array: 1 block of 16 x 128, one token a cycle in each of 108 copies")
    assert int(least) == round(64 * 640 * 320 / (16 * 128 * 108))
    assert int(least) <= int(computing) <= int(cycles)
    assert further == "\noff-chip accesses pass l2 first: not counted here"
    assert mapped(bitjoule, "a100", *words)[3][-1] == ""
