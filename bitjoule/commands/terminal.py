"""Summaries for a terminal: headings, paragraphs and tables that fit its width."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

FORMS = ("terminal", "markdown", "csv")
GAP = 2  # blanks between columns
WRAP = 34  # wider cells are wrapped
STRONG = re.compile(r"\*\*(.+?)\*\*")
RULE = re.compile(r"\|[-:| ]+\|")


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Parameters
    ----------
    headers, rows
        Its cells.
    left
        Which columns are aligned left.
    last
        Cells of the last column that are wider are wrapped.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[bool]
    last: int = WRAP

    @property
    def names(self) -> list[int]:
        """The columns that name the rows, never all: the first of text, and the next ones that tell rows apart."""
        count = next((at for at, left in enumerate(self.left) if not left), 1)
        first = list(range(min(max(count, 1), max(len(self.headers) - 1, 1))))
        chosen = first
        for at in range(len(first), len(self.headers)):  # numbers, too: prompts and batches of a sweep lead its figures
            told_apart = self._distinct(chosen)
            if told_apart == len(self.rows):
                break
            if self._distinct([*chosen, at]) > told_apart:
                chosen = [*chosen, at]
        return chosen if len(chosen) < len(self.headers) else first

    def _distinct(self, columns: Sequence[int]) -> int:
        return len({tuple(row[at] for at in columns) for row in self.rows})

    def widths(self) -> list[int]:
        """Return the width that each column takes with its words unbroken and wide cells wrapped."""
        result = []
        for at, header in enumerate(self.headers):
            words = max((len(word) for word in header.split()), default=0)
            cells = max((len(row[at]) for row in self.rows), default=0)
            result.append(max(words, min(cells, self.last if at == len(self.headers) - 1 else WRAP)))
        return result

    def parts(self, width: int) -> Iterator[list[int]]:
        """Yield the columns of each part of the table, of which each begins with those that name the rows.

        Parameters
        ----------
        width
            That a part may take; a part holds one column beside the names in any case.
        """
        widths = self.widths()
        names = self.names
        named = sum(widths[at] + GAP for at in names)
        part: list[int] = []
        for at in (at for at in range(len(self.headers)) if at not in names):
            if part and named + sum(widths[other] + GAP for other in [*part, at]) - GAP > width:
                yield sorted([*names, *part])
                part = []
            part.append(at)
        yield sorted([*names, *part])


def grid(lines: Sequence[str]) -> Grid:
    """Return the table of lines of Markdown.

    Parameters
    ----------
    lines
        Headers, rule and rows.
    """
    headers, rule, *rows = (
        [STRONG.sub(r"\1", cell.strip().replace(r"\|", "|")) for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
        for line in lines
    )
    return Grid(headers, rows, [not cell.endswith(":") or cell.startswith(":-") for cell in rule])


def show(text: str, console: "Console | None" = None) -> None:
    """Print a summary: tables are cut into parts that fit the width of the window, or `COLUMNS` where there is none.

    Parameters
    ----------
    text
        Markdown, with tables of pipes.
    console
        Where to; by default standard output. Its colours follow `NO_COLOR`, and are left out of pipes.
    """
    from rich.console import Console

    console = console or Console(highlight=False)
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("|") and at + 1 < len(lines) and RULE.fullmatch(lines[at + 1].strip()):
            end = next((other for other in range(at, len(lines)) if not lines[other].startswith("|")), len(lines))
            show_grid(grid(lines[at:end]), console)
            at = end
            continue
        if line.startswith("#"):
            console.print(line.lstrip("# "), style="bold", markup=False, soft_wrap=True)
        else:
            is_strong = STRONG.fullmatch(line) is not None
            style = "yellow" if line.startswith("- ") and _warns(lines, at) else "bold" if is_strong else ""
            console.print(
                STRONG.sub(r"\1", line), markup=False, style=style, soft_wrap=True
            )  # the terminal wraps prose itself
        at += 1


def show_grid(table: Grid, console: "Console | None" = None) -> None:
    """Print a table, cut into parts that fit.

    Parameters
    ----------
    table, console
        As for `show`.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console(highlight=False)
    widths = table.widths()
    for number, part in enumerate(table.parts(console.width)):
        if number:
            console.print()
        shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
        for at in part:
            left = table.left[at]
            shown.add_column(
                Text(table.headers[at]), justify="left" if left else "right", max_width=widths[at], overflow="fold"
            )
        for row in table.rows:
            shown.add_row(*(Text(row[at]) for at in part))
        console.print(shown)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], **plain: Any) -> None:
    """Print a table: for a window, or `COLUMNS`, cut into parts that fit; else, for programs, one line a row.

    Parameters
    ----------
    headers, rows
        Cells; numbers are aligned right, and None is an empty cell.
    **plain
        Of `tabulate.tabulate`, which prints it where no width is known.
    """
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        from tabulate import tabulate

        print(tabulate(rows, headers, missingval="", **plain))
        return
    from rich.console import Console

    console = Console(highlight=False)
    text = [[_cell(cell) for cell in row] for row in rows]
    columns = ([row[at] for row in rows] for at in range(len(headers)))
    left = [not all(isinstance(cell, (int, float)) or cell in (None, "") for cell in column) for column in columns]
    table = Grid(list(headers), text, left)
    others = sum(width + GAP for width in table.widths()[:-1])
    show_grid(replace(table, last=max(WRAP, console.width - others)), console)


def _cell(cell: object) -> str:
    if cell is None or cell != cell:
        return ""
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _warns(lines: Sequence[str], at: int) -> bool:
    heading = next((line for line in reversed(lines[:at]) if line.startswith("#")), "")
    return heading == "## Warnings"
