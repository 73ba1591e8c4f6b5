"""Tables of a page: cells that are rounded for people and keep the value of the CSV file beside it."""

import json
import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from bitjoule.reports.figures.digits import short_price, significant
from bitjoule.reports.page.units import named

DIGITS = 4
WIDE_CHARACTERS = 60  # of a text for which a narrow column would be a tall row
LARGEST = 1e300  # beyond, rounding can leave the range of floats
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
WHOLE = re.compile(r"[-+]?\d{1,15}")


class HtmlTable(NamedTuple):
    """A table as HTML.

    Parameters
    ----------
    html
        The element.
    rows
        Number of its rows.
    """

    html: str
    rows: int


def html_table(name: str, element_id: str, columns: Sequence[str], rows: Sequence[Sequence[str]], total: int,
               most_bytes: int) -> HtmlTable:  # fmt: skip
    """Return a table as HTML, with as many rows as a number of bytes allows.

    Columns with one value in all rows stand in the caption. A cell that is rounded has its value in ``data-v``.

    Parameters
    ----------
    name
        Of the table.
    element_id
        Of the element.
    columns, rows
        Cells as a CSV file has them.
    total
        Number of rows of the file, of which `rows` may be the first.
    most_bytes
        What the element may take.
    """
    constant = [bool(rows) and all(row[i] == rows[0][i] for row in rows) for i in range(len(columns))]
    if len(rows) < 2:  # a single row is shown as it is
        constant = [False] * len(columns)
    shown = [i for i, same in enumerate(constant) if not same]
    same = {columns[i]: rows[0][i] for i, is_same in enumerate(constant) if is_same}
    numeric = [all(NUMBER.fullmatch(row[i]) or not row[i] for row in rows) for i in range(len(columns))]
    heads = "".join(_head(columns[i], numeric[i]) for i in shown)
    cells = ("".join(_cell(row[i], numeric[i]) for i in shown) for row in rows)
    body: list[str] = []
    spent = len(heads) + 600
    for line in cells:
        spent += len(line.encode()) + 10
        if spent > most_bytes:
            break
        body.append(f"<tr>{line}</tr>")
    caption = _caption(same, len(body), total, name)
    order = escape(json.dumps(list(columns)), quote=True)
    constants = escape(json.dumps(same), quote=True)
    html = (
        f'<table class="data" id="{escape(element_id)}" data-name="{escape(name)}" data-columns="{order}" '
        f'data-same="{constants}" data-total="{total}"><caption>{caption}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )
    return HtmlTable(html, len(body))


def _head(column: str, numeric: bool) -> str:
    label, unit = named(column)
    title = escape(f"{label} ({unit})" if unit else label)
    kind = ' class="n"' if numeric else ""
    return f'<th scope="col"{kind} title="{title}">{escape(column).replace("_", "_<wbr>")}</th>'


def _cell(text: str, numeric: bool) -> str:
    if numeric and (WHOLE.fullmatch(text) or not text):
        return f'<td class="n">{text}</td>'
    if not numeric:
        short = short_price(text)
        kept = "" if short == text else f' data-v="{escape(text)}"'
        wide = ' class="wide"' if len(short) > WIDE_CHARACTERS else ""
        return f"<td{wide}{kept}>{escape(short)}</td>"
    value = float(text)
    rounded = significant(value, DIGITS) if abs(value) < LARGEST else text
    kept = "" if rounded == text else f' data-v="{escape(text)}"'
    return f'<td class="n"{kept}>{rounded}</td>'


def _caption(same: dict[str, str], shown: int, total: int, name: str) -> str:
    count = f"{total} rows" if total != 1 else "1 row"
    cut = f"the first {shown} of {count}; all are in {escape(name)}" if shown < total else count
    stated = ", ".join(f"{escape(key)} = {escape(value)}" for key, value in same.items() if value)
    return f"{cut}{f'. In all rows: {stated}' if stated else ''}"
