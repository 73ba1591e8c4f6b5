"""Our arrays beside dot products that were built apart from them: the table repeats what other tables hold."""

import csv
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def values(name, *keys):
    """Return the values of a table by the columns that tell its rows apart."""
    with (BENCHMARKS / name).open(encoding="utf-8") as file:
        rows = [(*(row[key] for key in keys), float(row["value"])) for row in csv.DictReader(file)]
    return {row[:-1]: row[-1] for row in rows}


def test_ours_are_those_of_the_other_tables():
    found = values("rival_floors.csv", "array", "quantity")
    recoded = values("recoding.csv", "weights", "quantity")
    columns = values("hardware.csv", "quantity")
    expected = {
        ("FP16 × FP16, fused, 64 lanes", "fJ: ours"): columns[
            "fused FP16 column of 64 lanes, settled energy of a lane",
        ],
        ("FP16 × FP16, fused, 64 lanes", "µm²: ours"): columns["fused FP16 column of 64 lanes, area of a lane",],
    }
    for weights in ("INT8", "INT4"):
        array = f"{weights} × INT8, weights recoded"
        expected[array, "fJ: ours"] = recoded[weights, "settled fJ"]
        expected[array, "µm²: ours"] = recoded[weights, "area µm²"]
    assert {key: value for key, value in found.items() if key[1].endswith("ours")} == expected


@pytest.mark.parametrize("unit", ["fJ", "µm²"])
def test_the_ratios_are_those_of_the_values_beside_them(unit):
    found = values("rival_floors.csv", "array", "quantity")
    arrays = {array for array, _ in found}
    assert len(arrays) == 3
    for array in arrays:
        ratio = found[array, f"{unit}: ours"] / found[array, f"{unit}: another's"]
        assert found[array, f"{unit}: ratio"] == pytest.approx(ratio, abs=0.0005)
