"""Numbers of README.md and docs/ are those of the committed tables, and no other numeral stands in their text."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml

from tests.docs import numbers

TABLE = """\
model,scheme,energy_j,ratio,agrees
a,fp16,2.0,1.0,True
a,int8,0.5,4.0,True
b,fp16,9000.0,1.0,False
"""
PAGES = [page.relative_to(numbers.ROOT).as_posix() for page in numbers.PAGES]


@pytest.fixture
def page(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("ratio where model=a and scheme=int8 as .1f", "4.0"),
        ("1e3 * energy_j where model=a and scheme=int8 as .0f", "500"),
        ("energy_j where model=a and scheme=fp16 over scheme=int8 as .2f", "4.00"),
        ("energy_j where model=b as ,.0f", "9 000"),
        ("-energy_j where scheme=int8 as .1f", "−0.5"),
        ("energy_j where scheme=int8 as .0%", "50 %"),
        ("least energy_j where scheme=fp16 as g", "2"),
        ("greatest energy_j where scheme=fp16 or int8 as g", "9000"),
        ("rows as d", "3"),
        ("rows where agrees=True as d", "2"),
    ],
)
def test_a_number_is_filled_in(page, title, text):
    body = f'It is [old][gain], and [other](t.csv) stays.\n\n[gain]: t.csv\n  "{title}"\n'
    assert numbers.filled(page, body) == body.replace("[old]", f"[{text}]")


@pytest.mark.parametrize(
    ("title", "message"),
    [
        (
            "ratio where modle=a as .1f",
            "t.csv: no column 'modle'; expected one of model, scheme, energy_j, ratio, agrees",
        ),
        ("ratio where model=a as .1f", "t.csv: 2 rows where {'model': 'a'}; expected one"),
        ("ratio where model=c as .1f", "t.csv: 0 rows where {'model': 'c'}; expected one"),
        ("ratio", "t.csv: cannot read 'ratio'; expected VALUE [where COLUMN=TEXT and ...] as FORMAT"),
    ],
)
def test_what_names_no_single_row_is_an_error(page, title, message):
    with pytest.raises(ValueError) as error:
        numbers.filled(page, f'[1][x]\n\n[x]: t.csv "{title}"\n')
    assert str(error.value) == message


def test_a_definition_that_nothing_uses_is_an_error(page):
    with pytest.raises(ValueError, match=r"page\.md: nothing refers to x"):
        numbers.filled(page, 'Text.\n\n[x]: t.csv "rows as d"\n')


def test_a_table_is_filled_in(page):
    block = "<!-- table t.csv: energy_j by model over scheme as .1f -->\n{}<!-- end -->"
    filled = numbers.filled(page, block.format(""))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in filled.splitlines() if line.startswith("| ")]
    assert rows == [["", "fp16", "int8"], ["a", "2.0", "0.5"], ["b", "9000.0", "nan"]]
    assert numbers.filled(page, filled) == filled


def test_numerals_of_the_text_are_bare_and_others_are_not():
    allowed = {"patterns": [{"pattern": r"INT\d+"}], "stated": {"p.md": [{"text": "7 of"}, {"cell": "1"}]}}
    allowed["checked"] = {"p.md": [{"section": "2 Checked"}]}
    text = """\
# 1 heading

INT8 costs 2.5 times, 7 of [3][x], `4` and 7.

| 6 | a |
|---|---|
| b | 1,000 |
| 1 | 1 c |

```
8
```

## 2 Checked

And 9 is.

## 3

<!-- table t.csv: a by b over c as d -->
| 9 | 9 |
|---|---|
<!-- end -->

[x]: t.csv "rows as d"
"""
    assert [(line, around) for line, around in numbers.bare("p.md", text, allowed)] == [
        (3, "INT8 costs 2.5 times, 7 of ………, … and 7."),
        (3, "ts 2.5 times, 7 of ………, … and 7."),
        (5, "6"),
        (7, "1,000"),
        (8, "1 c"),
    ]


@pytest.mark.parametrize("name", PAGES)
def test_no_number_is_stale(name):
    """`make docs-numbers` fills them in."""
    page = numbers.ROOT / name
    assert numbers.filled(page, page.read_text()) == page.read_text()


@pytest.mark.parametrize("name", PAGES)
def test_no_numeral_is_bare(name):
    """Fill it in from a table, or give the reason in numerals.yaml."""
    allowed = yaml.safe_load(numbers.ALLOWED.read_text())
    assert numbers.bare(name, (numbers.ROOT / name).read_text(), allowed) == []


def test_each_exception_has_a_reason_and_is_needed():
    allowed = yaml.safe_load(numbers.ALLOWED.read_text())
    assert all(set(entry) == {"pattern", "reason"} for entry in allowed["patterns"])
    for name, entries in allowed["stated"].items():
        cells = [text for _, text in numbers.prose((numbers.ROOT / name).read_text())]
        words = " ".join(cells)
        assert all(set(entry) in ({"text", "reason"}, {"cell", "reason"}) for entry in entries)
        assert [entry for entry in entries if "text" in entry and entry["text"] not in words] == []
        assert [entry for entry in entries if "cell" in entry and entry["cell"] not in cells] == []


def test_each_section_that_a_test_checks_is_there_and_so_is_the_test():
    for name, entries in yaml.safe_load(numbers.ALLOWED.read_text())["checked"].items():
        for entry in entries:
            assert f"\n## {entry['section']}\n" in (numbers.ROOT / name).read_text()
            assert name.removeprefix("docs/").removesuffix(".md").replace("-", "_") in entry["test"]
            assert (numbers.ROOT / entry["test"]).is_file()


def test_the_table_of_assumptions_is_what_its_benchmark_gives(tmp_path):
    """The table that docs/assumptions.md shows."""
    script = numbers.ROOT / "benchmarks" / "assumptions.py"
    subprocess.run([sys.executable, script, tmp_path / "new.csv"], check=True)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new.csv"), pd.read_csv(script.with_suffix(".csv")), rtol=1e-5)
