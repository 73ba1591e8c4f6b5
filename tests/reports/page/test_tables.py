"""Tables of a page: rounded for people, with the value of the CSV file."""

import html
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitjoule.reports.page.tables import html_table
from bitjoule.reports.page.units import named

LARGE = 10**9


class Table(HTMLParser):
    """Reads a table of a page back, as its script does."""

    def __init__(self):
        super().__init__()
        self.rows, self.columns, self.same, self.total = [], [], {}, 0
        self.value, self.inside = None, False

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "table":
            self.columns, self.same = json.loads(given["data-columns"]), json.loads(given["data-same"])
            self.total = int(given["data-total"])
        elif tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.inside, self.value = True, given.get("data-v")
            self.rows[-1].append(self.value or "")

    def handle_data(self, data):
        if self.inside and self.value is None:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag):
        if tag == "td":
            self.inside = False

    def records(self):
        shown = [name for name in self.columns if name not in self.same]
        return [self.same | dict(zip(shown, row, strict=True)) for row in self.rows[1:]]


def read(text):
    table = Table()
    table.feed(text)
    return table


cells = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr), st.integers(-(10**20), 10**20).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=["Cs", "Cc"]), max_size=8),
    st.sampled_from(["", "0.5", "inf", "<b>", "a&b", '"', "fp16"]),
)  # fmt: skip


@given(st.lists(st.tuples(cells, cells, st.just("same")), min_size=1, max_size=6))
def test_every_cell_can_be_read_back_as_it_is_in_the_file(rows):
    table = read(html_table("t", "t", ["a", "b", "c"], rows, len(rows), LARGE).html)
    assert [tuple(record[name] for name in "abc") for record in table.records()] == rows


def test_numbers_are_rounded_and_whole_ones_are_not():
    rows = [["0.123456789", "2412820480"], ["2e-20", "1"]]
    text = html_table("t", "t", ["energy_j", "parameters"], rows, 2, LARGE).html
    assert re.findall(r"<td.*?</td>", text) == [
        '<td class="n" data-v="0.123456789">0.1235</td>', '<td class="n">2412820480</td>',
        '<td class="n" data-v="2e-20">2.000e-20</td>', '<td class="n">1</td>',
    ]  # fmt: skip


def test_columns_with_one_value_stand_in_the_caption():
    text = html_table("summary", "t", ["scheme", "batch", "note"], [["a", "1", ""], ["b", "1", ""]], 2, LARGE).html
    assert "2 rows. In all rows: batch = 1</caption>" in text
    assert "<th" in text
    assert text.count('scope="col"') == 1
    single = html_table("summary", "t", ["scheme", "batch"], [["a", "1"]], 1, LARGE)
    assert single.html.count('scope="col"') == 2


def test_a_table_that_is_cut_says_so_and_takes_no_more_than_it_may():
    rows = [[f"{i}.25", "x"] for i in range(1000)]
    table = html_table("components", "t", ["a", "b"], rows, 5000, 4000)
    assert 0 < table.rows < 1000
    assert f"the first {table.rows} of 5000 rows; all are in components" in table.html
    assert len(table.html) < 4000 + 1000
    assert len(read(table.html).records()) == table.rows


def test_the_clock_in_the_name_of_a_price_has_few_digits_and_is_copied_whole():
    name = "platforms/fp16-edge.yaml:static.host@242.743781511MHz"
    html = html_table("x", "t", ["price", "doi"], [[name, "10.1109/5.1234567"], ["b@500MHz", ""]], 2, 10_000).html
    assert f'<td data-v="{name}">platforms/fp16-edge.yaml:static.host@242.7MHz</td><td>10.1109/5.1234567</td>' in html
    assert "<td>b@500MHz</td>" in html
    assert read(html).records()[0]["price"] == name


def test_a_column_of_long_texts_is_wide():
    """Otherwise they stand in tall rows, which are blank where they are scrolled out of sight."""
    html = html_table("x", "t", ["note", "row"], [["a reason " * 9, "1"], ["b", "2"]], 2, 10_000).html
    assert re.findall(r"<td([^>]*)>", html) == [' class="wide"', ' class="n"', "", ' class="n"']


def test_markup_in_names_and_cells_is_text():
    text = html_table("<i>", 'id"x', ["<script>"], [["<script>alert(1)</script>"], ["x"]], 2, LARGE).html
    assert "<script>" not in text
    assert html.unescape(re.search("<td>(.*?)</td>", text)[1]) == "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("column", "label", "unit"),
    [
        ("energy_per_token_j", "energy per token", "J"), ("energy_low_pj", "energy low", "pJ"),
        ("latency_s", "latency", "s"),
        ("tokens_per_s", "tokens per s", "tokens/s"), ("watts_high", "watts high", "W"), ("area_mm2", "area", "mm²"),
        ("prompt_tokens", "prompt", "tokens"), ("memory_bytes", "memory", "B"),
        ("energy_delay_j_s", "energy delay", "J s"),
        ("scheme", "scheme", ""), ("ratio_to_baseline", "ratio to baseline", ""), ("energy_j_low", "energy low", "J"),
    ],
)  # fmt: skip
def test_the_unit_of_a_column_is_the_end_of_its_name(column, label, unit):
    assert named(column) == (label, unit)


@pytest.mark.parametrize("total", [2, 3, 700])
def test_a_table_of_the_first_rows_says_how_many_there_are(total):
    """A file may have more rows than are given: the element, which scripts read, says so as its caption does."""
    html, rows = html_table("summary", "t", ["a", "b"], [["1", "x"], ["2", "y"]], total, 10_000)
    assert (rows, read(html).total) == (2, total)
    told = f"the first 2 of {total} rows; all are in summary" if total > 2 else "2 rows"
    assert f"<caption>{told}</caption>" in html


def test_headers_are_the_columns_with_their_units_and_numbers_stand_right():
    columns = ["scheme", "energy_j", "tokens_per_s", "x<y", "layer_3_note"]
    rows = [["a", "1.5", "2", "3", "x"], ["b", "", "7.25", "4", "2"]]
    text = html_table("t", "t", columns, rows, len(rows), LARGE).html
    heads = re.findall(r"<th( [^>]*)>(.*?)</th>", text)
    assert [html.unescape(head.replace("<wbr>", "")) for _, head in heads] == columns
    # a long name can be broken behind each underscore, and nowhere else
    assert [head.count("<wbr>") for _, head in heads] == [name.count("_") for name in columns]
    assert all("_<wbr>" in head for _, head in heads if "_" in head)
    assert ['class="n"' in attributes for attributes, _ in heads] == [False, True, True, True, False]
    assert all('scope="col"' in attributes for attributes, _ in heads)
    titles = [html.unescape(re.search('title="([^"]*)"', attributes)[1]) for attributes, _ in heads]
    for title, name in zip(titles, columns, strict=True):
        label, unit = named(name)
        assert title == (f"{label} ({unit})" if unit else label)
    assert titles[1].endswith("(J)")


@pytest.mark.parametrize(("total", "told"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows")])
def test_the_number_of_rows_is_told_as_one_says_it(total, told):
    rows = [["a", "1"], ["b", "2"]][:total]
    text = html_table("t", "t", ["name", "energy_j"], rows, total, LARGE).html
    assert re.search("<caption>([^.]*?)(?:[.] .*)?</caption>", text)[1] == told


def test_rows_are_shown_while_there_is_room_for_them_and_none_without():
    rows = [[f"{i}.25", "x" * i] for i in range(30)]
    shown = []
    for most_bytes in range(0, 6000, 100):
        html, count = html_table("t", "t", ["a_j", "b"], rows, len(rows), most_bytes)
        body = re.search("<tbody>(.*)</tbody>", html)[1]
        assert body.count("<tr>") == count
        assert len(body) <= most_bytes
        shown.append(count)
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0, len(rows))
