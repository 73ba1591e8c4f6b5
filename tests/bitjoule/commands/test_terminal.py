"""Tables on a terminal fit its width, and say what the summary says."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from bitjoule.commands.experiments import report
from bitjoule.commands.terminal import Grid, grid, print_table, show

GALLERY = Path(__file__).parents[3] / "reports" / "gallery"
SUMMARIES = sorted(GALLERY.glob("*/summary.md"))
WIDE = """\
| model | scheme | first figure (J) | second figure (J) | third | remark |
|:------|:-------|-----------------:|------------------:|------:|:-------|
| a | fp16 | 1.25 | 20 | 3 | one \\| two |
| b | int8 | 10.5 | | 4 | as long a remark as nobody reads to its end, and longer |
"""


def shown(text, width, **kind):
    console = Console(file=io.StringIO(), width=width, highlight=False, **kind)
    show(text, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("summary", SUMMARIES[::4], ids=[path.parent.name for path in SUMMARIES[::4]])
def test_no_line_is_wider_than_the_window_and_no_cell_is_lost(summary, width):
    text = summary.read_text()
    tables = "\n\n".join(part for part in text.split("\n\n") if part.startswith("|"))
    found = shown(tables, width)
    assert max(map(len, found.splitlines()), default=0) <= width
    letters = re.sub(r"[\s─]", "", found)
    for row in re.findall(r"^\|(.*)\|$", tables, re.MULTILINE):
        for cell in re.split(r"(?<!\\)\|", row):
            if not re.fullmatch(r"[-: ]+", cell) and len(cell.split()) == 1 and len(cell.strip()) <= 9:
                assert cell.strip().replace("\\|", "|") in letters


def test_each_part_of_a_wide_table_names_its_rows():
    parts = [part for part in shown(WIDE, 44).split("\n\n") if part.strip()]
    assert len(parts) > 1
    for part in parts:
        assert part.split()[:2] == ["model", "scheme"] or {"model", "scheme"} <= set(part.split())
        rows = part.split("─\n")[1].splitlines()
        assert [line.split()[:2] for line in rows if line.startswith(("a ", "b "))] == [["a", "fp16"], ["b", "int8"]]


def test_names_behind_a_number_are_repeated_where_the_first_do_not_tell_rows_apart():
    cases = [(node, phase) for node in ("45nm", "7nm") for phase in ("prefill", "decode")]
    rows = [("a", "7 B", *case, "1.2345", "6.7891") for case in cases]
    lines = ["| model | size | node | phase | first (J) | second (J) |", "|:--|--:|:--|:--|--:|--:|"]
    found = shown("\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]), 34)
    parts = [part for part in found.split("\n\n") if part.strip()]
    assert len(parts) == 2
    assert ["size" in part for part in parts] == [True, False]
    for part in parts:
        assert {"model", "node", "phase"} <= set(part.split())
        named = [line.split() for line in part.splitlines() if line.startswith("a ")]
        assert [(words[-3], words[-2]) for words in named] == cases


def test_a_table_that_fits_is_one():
    found = shown(WIDE, 200)
    assert found.count("scheme") == 1
    assert [line.split() for line in found.splitlines() if line.startswith("a ")] == [
        ["a", "fp16", "1.25", "20", "3", "one", "|", "two"]
    ]


def test_a_table_is_cut_only_where_it_does_not_fit():
    """Words of 6, 6 and 6 letters with two spaces between them take 22 places."""
    text = "| planet | kelvin | metres |\n|:--|--:|--:|\n| terra | 288 | 7 |\n"
    assert [shown(text, width).count("planet") for width in (21, 22)] == [2, 1]
    assert max(map(len, shown(text, 22).rstrip().splitlines())) == 22


TEXT, NUMBER = True, False


@pytest.mark.parametrize(
    ("left", "rows", "names"),
    [
        ([TEXT, NUMBER], ["a1", "b2"], [0]),
        ([TEXT, TEXT, NUMBER], ["ax1", "bx2"], [0, 1]),  # all text before the first number
        (
            [TEXT, NUMBER, TEXT, TEXT, NUMBER],
            ["a1xp1", "a1xq2"],
            [0, 3],
        ),  # a text that tells no rows apart adds nothing
        ([TEXT, NUMBER, TEXT, TEXT, NUMBER], ["a1xp1", "b1xq2"], [0]),  # nor does one after they are told apart
        ([TEXT, NUMBER, TEXT, TEXT, NUMBER], ["a1xp1", "a1yp2", "a1xq3"], [0, 2, 3]),
        ([NUMBER, TEXT, NUMBER], ["1a7", "1b8"], [0, 1]),
        ([NUMBER, TEXT], ["1a", "1b"], [0]),  # never all
        ([TEXT, TEXT, TEXT], ["abc", "abd"], [0, 2]),
        ([TEXT], ["a", "b"], [0]),
        ([TEXT, NUMBER, TEXT, NUMBER], ["a1x7", "a2x8", "a1y6", "a2y9"], [0, 1, 2]),  # the prompts of a sweep
        ([TEXT, NUMBER, NUMBER, NUMBER], ["a117", "a127", "b117"], [0, 2]),  # behind the size of the model
        ([TEXT, NUMBER, NUMBER], ["a17", "a17"], [0]),  # no column tells equal rows apart
    ],
)
def test_rows_are_named_by_the_first_columns_that_tell_them_apart(left, rows, names):
    assert Grid([f"h{at}" for at in range(len(left))], [list(row) for row in rows], left).names == names


@pytest.mark.parametrize(("columns", "further"), [(70, 1), (110, 0), (140, 0)])
def test_cells_that_are_empty_are_blank_numbers_right_and_the_last_column_takes_what_is_left(
    monkeypatch, capsys, columns, further
):
    """The others take 27 places: 43 are left of 70, for a text of 79 letters."""
    monkeypatch.setenv("COLUMNS", str(columns))
    words = " ".join(["word"] * 16)  # of 79 letters
    rows = [("a", 1.5, None, words), ("bb", float("nan"), 20, "x"), ("c", "", 3, ""), ("d", 1234567.0, None, "y")]
    print_table(["name", "first", "second", "said"], rows)
    header, _, *lines = capsys.readouterr().out.splitlines()
    ends = [header.index(name) + len(name) for name in ("first", "second")]
    cells = {line.split()[0]: [line[:end].split()[1:] for end in ends] for line in lines if line[0] != " "}
    assert cells == {"a": [["1.5"]] * 2, "bb": [[], ["20"]], "c": [[], ["3"]], "d": [["1.23457e+06"]] * 2}
    assert all(line[ends[0] - 1] != " " for line in lines if line[0] in "ad")
    assert len(lines) == len(rows) + further
    assert max(map(len, lines)) <= columns


def test_only_the_list_of_warnings_is_in_another_colour():
    text = "- first\n\n## Warnings\n\n- beware\nprose\n- again\n\n## Other\n\n- item\n\n### Warnings\n\n- more\n"
    lines = shown(text, 80, force_terminal=True).splitlines()
    assert [line for line in lines if "\x1b[33m" in line] == [
        f"\x1b[33m- {item}\x1b[0m" for item in ("beware", "again")
    ]


def test_what_looks_like_a_table_or_like_markup_is_shown_as_it_is():
    """A line with pipes and no rule below it is prose, also at the end; brackets are text, also in a heading."""
    for text in ("| a | b |\n| c | d |\n", "before\n| a | b |\n", "| a | b |\nafter\n", "## [bold]x[/bold] [1]\n"):
        assert shown(text, 80) == text.lstrip("# ")


def test_cells_and_alignment_are_those_of_the_markdown():
    table = grid(WIDE.splitlines())
    assert list(table.headers) == ["model", "scheme", "first figure (J)", "second figure (J)", "third", "remark"]
    assert list(table.left) == [True, True, False, False, False, True]
    assert table.rows[0][-1] == "one | two"
    assert table.rows[1][3] == ""


def test_strong_words_are_bold_and_without_stars():
    text = "**All fits.** but **not** this\n**Late.**\n\n| design | a**2 |\n|---:|---:|\n| **60** | 4 |\n| 7 | 12 |\n"
    expected = "All fits. but not this\nLate.\n\ndesign  a**2\n────────────\n    60     4\n     7    12\n"
    assert shown(text, 80) == expected
    assert "\x1b[1mLate." in shown(text, 80, force_terminal=True)


def test_runs_are_counted_where_there_are_several(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    report(["# one"], 1)
    assert capsys.readouterr().err == ""
    report(["# one", "# two"], 2)
    assert capsys.readouterr().err.split() == ["[1/2]", "[2/2]"]


def test_colours_are_left_out_of_pipes_and_where_no_color_is_set(monkeypatch):
    text = "# title\n\n## Warnings\n\n- beware [bold]\n"
    assert shown(text, 80) == "title\n\nWarnings\n\n- beware [bold]\n"
    assert "\x1b[1m" in shown(text, 80, force_terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[33m" not in shown(text, 80, force_terminal=True)


LISTS = [
    ("list", "experiments"), ("list", "models"), ("list", "schemes"), ("list", "platforms"),
    ("show", "technology", "7nm-measured"), ("list", "accelerators"),
]  # fmt: skip


@pytest.mark.parametrize("words", LISTS, ids=lambda words: words[-1])
def test_lists_fit_the_window_and_without_one_each_row_is_a_line_of_the_same_words(bitjoule, monkeypatch, words):
    monkeypatch.delenv("COLUMNS", raising=False)
    plain = bitjoule(*words)[1]
    for width in (80, 120, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        table = bitjoule(*words)[1]
        own = [line for line in table.splitlines() if line not in plain.splitlines()]
        assert own
        assert max(map(len, own)) <= width
        letters = re.sub(r"[\s─-]", "", table)
        for row in re.findall(r"^(\S+)  ", plain, re.MULTILINE):
            assert re.sub(r"[\s─-]", "", row) in letters


def test_numbers_of_a_query_are_aligned_right(bitjoule, monkeypatch, run_edge):
    monkeypatch.setenv("COLUMNS", "80")
    sql = "SELECT scheme, prompt_tokens, energy_j FROM summary WHERE phase = 'decode' ORDER BY energy_j"
    status, out, _ = bitjoule("query", run_edge(), sql)
    header, _, *rows = out.rstrip().splitlines()
    assert status == 0
    assert len(rows) == 4
    assert all(len(row.rstrip()) == len(header.rstrip()) for row in rows)
