"""Tables of a quality summary, by hand from a made-up table of laws."""

import math

import pandas as pd

from bitjoule.reports.quality.summary import _laws


def law(form, *values, **changes):
    """Return a row of laws.csv: values of a, its ends, the exponent, its ends and so on."""
    names = [
        f"{key}{end}" for key in ("a_nats", "exponent", "floor_nats", "size_factor") for end in ("", "_low", "_high")
    ]
    row = dict(zip(names, values, strict=True)) | {"form": form, "format": "ternary", "rungs": 5.0, "trainings": 15.0}
    return row | {"deviation": 0.012, "lack_of_fit_p": 0.34, "factor_at_parameters": 3e6} | changes


def test_each_cell_of_the_laws_is_the_number_of_its_column():
    nothing = [math.nan] * 3
    laws = pd.DataFrame([
        law("floor", 4, 3, 5, 0.25, 0.2, 0.3, 1.5, 1.25, 1.75, 1.8, 1.6, 2),
        law("power", 6, 6, 6, 0.5, 0.4, 0.6, *nothing, *nothing, deviation=0.5, lack_of_fit_p=0.06),
    ])  # fmt: skip
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in _laws(laws, 9).splitlines() if "|" in line
    ]
    headers, _, first, second = lines
    numbers = [
        ("form", "floor", "power"), ("format", first[1], first[1]), ("a (nats)", 4, 6), ("interval", (3, 5), ""),
        ("α", 0.25, 0.5), ("interval", (0.2, 0.3), (0.4, 0.6)), ("E (nats)", 1.5, None), ("interval", (1.25, 1.75), ""),
        ("deviation (%)", 1.2, 50), ("lack of fit", 0.34, 0.06), ("sizes", 5, 5), ("trainings", 15, 15),
        ("times the parameters", 1.8, None), ("interval", (1.6, 2), ""), ("at", None, ""),
    ]  # fmt: skip
    assert headers == [name for name, *_ in numbers]
    assert second[-1] == ""  # no factor, at no size
    assert first[-1].startswith("3")
    for row, at in ((first, 1), (second, 2)):
        for cell, number in zip(row, (each[at] for each in numbers), strict=True):
            if isinstance(number, tuple):
                assert tuple(map(float, cell.split(" to "))) == number
            elif isinstance(number, int | float):
                assert float(cell) == number
            elif number is not None:
                assert cell == number
