"""Numbers of README.md and docs/ that are filled in from committed tables, and numerals that are not.

A number is a reference link, `[6.5][gain-decode]`, whose definition at the end of the page names the table and the row:

    [gain-decode]: reports/gallery/full_model_vs_size/summary.csv
      "ratio_to_baseline where model=bitnet-6.7b and scheme=bitnet-b1.58 and phase=decode as .1f"

So the page stays plain Markdown, and a reader who points at the number sees its row. `python -m tests.docs.numbers`
rewrites every such number; with `--check` it only lists the stale ones. Numerals in the text of a page that are not
filled in need a line in `numerals.yaml`.

The title is `VALUE [where COLUMN=TEXT and ...] [over COLUMN=TEXT and ...] as FORMAT`. VALUE is an expression of columns
in one row, `least EXPRESSION`, `greatest EXPRESSION`, or `rows` (how many). `over` divides by the row in which the
columns named there have the other text; TEXT may be `a or b`. FORMAT is a format specification of Python;
thousands are set apart by spaces, and so is %.

A whole table stands between `<!-- table assumptions.csv: relative by change over scheme, phase as .3f -->` and
`<!-- end -->`: a column of the file, the column that names the rows, and those that name the columns.
"""

import argparse
import re
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from markdown_it import MarkdownIt
from tabulate import tabulate

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ALLOWED = Path(__file__).with_name("numerals.yaml")
TITLE = re.compile(r"(?P<value>.+?)(?: where (?P<where>.+?))?(?: over (?P<over>.+?))? as (?P<format>\S+)")
BLOCK = re.compile(
    r"(?P<open><!-- table (?P<file>\S+): (?P<value>\w+) by (?P<rows>\w+) over (?P<columns>[\w, ]+) "
    r"as (?P<format>\S+) -->\n)"
    r"(?P<body>.*?)(?P<close><!-- end -->)",
    re.DOTALL,
)
NUMERAL = re.compile(r"\d+(?:[.,]\d+)*")

_markdown = MarkdownIt("commonmark").enable("table")


@cache
def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def _conditions(text: str | None) -> dict[str, str]:
    return dict(item.split("=", 1) for item in text.split(" and ")) if text else {}


def _cell(table: pd.DataFrame, value: str, where: dict[str, str], at: str) -> float:
    for column, text in where.items():
        if column not in table:
            raise ValueError(f"{at}: no column {column!r}; expected one of {', '.join(map(str, table))}")
        table = table[table[column].astype(str).isin(text.split(" or "))]
    if value == "rows":
        return len(table)
    choice, _, expression = value.partition(" ")
    values = np.asarray(table.eval(expression if choice in ("least", "greatest") else value), dtype=float)
    if choice == "least":
        return float(values.min())
    if choice == "greatest":
        return float(values.max())
    if len(table) != 1:
        raise ValueError(f"{at}: {len(table)} rows where {where}; expected one")
    return float(values[0])


def shown(path: Path, title: str) -> str:
    """Return the number that a definition stands for, as text.

    Raises
    ------
    ValueError
        If the title cannot be read, names an unknown column, or selects no row or several.
    """
    parts = TITLE.fullmatch(title)
    if parts is None:
        raise ValueError(f"{path.name}: cannot read {title!r}; expected VALUE [where COLUMN=TEXT and ...] as FORMAT")
    where = _conditions(parts["where"])
    number = _cell(_table(path), parts["value"], where, path.name)
    if parts["over"]:
        number /= _cell(_table(path), parts["value"], where | _conditions(parts["over"]), path.name)
    return format(number, parts["format"]).replace(",", " ").replace("%", " %").replace("-", "−")


def _block(page: Path, match: re.Match[str]) -> str:
    columns = match["columns"].split(", ")
    table = _table(page.parent / match["file"])
    wide = table.pivot_table(match["value"], match["rows"], columns, sort=False)
    text = wide.map(lambda value: format(value, match["format"])).reset_index()
    headers = ["", *(" ".join(map(str, np.atleast_1d(names))) for names in wide.columns)]
    sides = ["left", *["right"] * len(wide.columns)]
    body = tabulate(text.values.tolist(), headers, tablefmt="pipe", disable_numparse=True, colalign=sides)
    return f"{match['open']}\n{body}\n\n{match['close']}"


def definitions(text: str) -> dict[str, tuple[str, str]]:
    """Return file and title of each definition of a page that names a table, by label."""
    env: dict[str, Any] = {}
    _markdown.parse(text, env)
    found = env.get("references", {})
    return {
        label.lower(): (entry["href"], " ".join(entry["title"].split()))
        for label, entry in found.items()
        if entry["href"].endswith(".csv") and entry["title"]
    }


def filled(page: Path, text: str) -> str:
    """Return the text of a page with its numbers as the tables have them now.

    Raises
    ------
    ValueError
        If a definition cannot be read, or no number of the page uses it.
    """
    known = definitions(text)
    used = set()

    def replaced(match: re.Match[str]) -> str:
        label = match[2].lower()
        if label not in known:
            return match[0]
        used.add(label)
        file, title = known[label]
        return f"[{shown(page.parent / file, title)}][{match[2]}]"

    text = BLOCK.sub(lambda match: _block(page, match), text)
    result = re.sub(r"\[([^\[\]]*)\]\[([\w.-]+)\]", replaced, text)
    if unused := sorted(set(known) - used):
        raise ValueError(f"{page.name}: nothing refers to {', '.join(unused)}")
    return result


def prose(text: str, without: Collection[str] = ()) -> Iterator[tuple[int, str]]:
    """Yield line and text of each paragraph or cell of a page.

    Without headings, code, HTML, and numbers and tables that are filled in; and without the sections of some headings.
    """
    tables = {file for file, _ in definitions(text).values()}
    heading, line, title = False, 0, ""
    blank = BLOCK.sub(lambda match: "\n" * match[0].count("\n"), text)
    for token in _markdown.parse(blank):
        heading = token.type == "heading_open" or (heading and token.type != "heading_close")
        line = token.map[0] + 1 if token.map else line
        if token.type == "inline" and heading:
            title = token.content
        if token.type != "inline" or heading or title in without:
            continue
        words, skipped = [], False
        for child in token.children or []:
            if child.type == "link_open":
                skipped = child.attrGet("href") in tables
            if child.type == "text" and not skipped:
                words.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                words.append(" ")
            elif child.type != "text" or skipped:
                words.append("\0")
            skipped = skipped and child.type != "link_close"
        yield line, "".join(words)


def bare(name: str, text: str, allowed: dict[str, Any]) -> list[tuple[int, str]]:
    """Return line and surroundings of each numeral of a page that is neither filled in nor allowed."""
    patterns = [re.compile(entry["pattern"]) for entry in allowed["patterns"]]
    patterns += [
        re.compile(rf"^{re.escape(entry['cell'])}$" if "cell" in entry else re.escape(entry["text"]))
        for entry in allowed["stated"].get(name, [])
    ]
    result = []
    for line, words in prose(text, {entry["section"] for entry in allowed.get("checked", {}).get(name, [])}):
        spans = [match.span() for pattern in patterns for match in pattern.finditer(words)]
        for match in NUMERAL.finditer(words):
            if not any(first <= match.start() and match.end() <= last for first, last in spans):
                around = words[max(0, match.start() - 30) : match.end() + 30].replace("\0", "…").strip()
                result.append((line, around))
    return result


def main(arguments: list[str] | None = None) -> int:
    """Fill in the numbers of all pages; or list what is stale or bare."""
    parser = argparse.ArgumentParser(description="Fill the numbers of README.md and docs/ in from committed tables.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a number is stale")
    parser.add_argument("--bare", action="store_true", help="list the numerals that are neither filled in nor allowed")
    options = parser.parse_args(arguments)
    allowed = yaml.safe_load(ALLOWED.read_text())
    stale = False
    for page in PAGES:
        name, text = page.relative_to(ROOT).as_posix(), page.read_text()
        new = filled(page, text)
        if new != text:
            stale = True
            print(f"{name}: {'stale' if options.check else 'filled in'}")
            if not options.check:
                page.write_text(new)
        if options.bare:
            for line, around in bare(name, new, allowed):
                print(f"{name}:{line}: {around}")
    return int(stale and options.check)


if __name__ == "__main__":
    sys.exit(main())
