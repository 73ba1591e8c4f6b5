"""What a summary says of prices: comparisons that hang on their bands, MACs that nobody measured."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest

from bitjoule.reports.energy.machines import bands_text, machines_line
from bitjoule.reports.energy.summary import unmeasured_line
from tests.reports.shown import THREE_DIGITS, quantity

CASES = ("model", "scheme", "technology", "platform", "phase", "batch", "prompt_tokens", "new_tokens")
JOULES = ("saving_j", "saving_low_j", "saving_high_j")
FLIP = re.compile(
    r"^- (\S+), (\S+), (\S+), (\S+), (\S+), batch (\d+), prompt (\d+), new (\d+): "
    r"saves (-?\S+ \S+), (-?\S+ \S+) to (-?\S+ \S+) within the bands\.$",
    re.MULTILINE,
)


def row(i, flips, share, saved, low, high):
    case = (f"m{i}", f"s{i}", f"t{i}", f"p{i}", "decode", 10 + i, 200 + i, 3000 + i)
    return dict(zip((*CASES, *JOULES), (*case, saved, low, high), strict=True)) | {
        "flips": flips,
        "banded_share": share,
    }


def told(rows):
    return bands_text(SimpleNamespace(bands=pd.DataFrame(rows), technologies=("7nm",), without_bands=("7nm",)))


ROWS = [
    row(0, True, 0.413, 0.0123, -0.5, 3.21),
    row(1, False, 0.127, 4.0, 3.0, 5.0),
    row(2, True, 0.884, -2.5e-6, -7.7e-6, 1.5e-3),
    row(3, False, 0.5, -1.0, -2.0, -0.5),
]


def test_each_comparison_that_changes_its_sign_is_said_with_its_saving_and_both_ends():
    text = told(ROWS)
    found = FLIP.findall(text)
    flips = [case for case in ROWS if case["flips"]]
    assert len(found) == len(flips)
    for (*case, saved, low, high), own in zip(found, flips, strict=True):
        assert case == [str(own[name]) for name in CASES]
        shown = [quantity(joules, "J") for joules in (saved, low, high)]
        assert shown == pytest.approx([own[name] for name in JOULES], rel=THREE_DIGITS)
    assert "2 of 4 comparisons with the baseline change sign" in text
    one = told([case | {"flips": i == 0} for i, case in enumerate(ROWS)])
    assert "1 of 4 comparisons with the baseline changes sign" in one
    low, high = re.search(r"Of a case's energy, (\d+) % to (\d+) % has a price with a band", text).groups()
    assert (int(low), int(high)) == (13, 88)
    assert "bands.csv" not in text


def test_one_share_is_said_once_and_no_flip_is_said_of_all():
    text = told([case | {"flips": False, "banded_share": 0.301} for case in ROWS])
    assert "Of a case's energy, 30 % has a price" in text
    assert "All 4 comparisons with the baseline hold" in text
    assert not FLIP.search(text)
    assert told([]) == ""


def test_of_many_flips_the_first_are_said_and_all_are_counted():
    text = told([row(i, True, 0.2, 1.0, -1.0, 2.0) for i in range(15)])
    assert [case[0] for case in FLIP.findall(text)] == [f"m{i}" for i in range(12)]
    assert "15 of 15 comparisons" in text
    assert "The first 12; all are in bands.csv." in text
    assert "bands.csv" not in told([row(i, True, 0.2, 1.0, -1.0, 2.0) for i in range(12)])


def test_macs_that_nobody_measured_are_said_beside_their_technology():
    kinds = [("one", "fp32 x fp32"), ("two", "ternary x int1"), ("one", "ternary x int2")]
    frame = pd.DataFrame(kinds, columns=["technology", "kind"])
    text = unmeasured_line(SimpleNamespace(unmeasured=frame))
    assert text.endswith(": at one fp32 x fp32, ternary x int2; at two ternary x int1.")
    assert unmeasured_line(SimpleNamespace(unmeasured=frame[:0])) == ""


def test_machines_are_said_where_they_are_not_the_platform_itself():
    rows = [
        ("edge", "fp16", "small"),
        ("edge", "int8", "large"),
        ("same", "fp16", "same"),
        ("same", "int8", "same"),
        ("set", "fp16", "tpu32"),
        ("set", "int8", "tpu32"),
    ]
    frame = pd.DataFrame(rows, columns=["platform", "scheme", "machine"])
    text = machines_line(SimpleNamespace(machines=frame))
    assert text == "Machines: edge: fp16 on small, int8 on large; set: fp16 on tpu32, int8 on tpu32."
    assert machines_line(SimpleNamespace(machines=frame[2:4])) == ""
