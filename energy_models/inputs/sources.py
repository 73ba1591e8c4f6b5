"""The bibliography that every number in the data files cites."""

import logging
from collections.abc import Iterable
from functools import cache
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


@cache
def sources() -> dict[str, str]:
    """Return each citation key with its reference as one line: authors, title, venue, year, link.

    Raises
    ------
    ValueError
        An entry of sources.bib cannot be parsed.
    """
    import bibtexparser  # a second of work that only `show` and the tests need

    logging.getLogger("bibtexparser").setLevel(logging.ERROR)
    library = bibtexparser.entrypoint.parse_file(str(DATA / "sources.bib"))
    if library.failed_blocks:
        raise ValueError(f"sources.bib: {len(library.failed_blocks)} entries cannot be parsed")
    return {entry.key: _reference({f.key.lower(): str(f.value) for f in entry.fields}) for entry in library.entries}


def keys(source: str) -> tuple[str, ...]:
    """Return the citation keys of a `source` cell, separated by semicolons.

    Parameters
    ----------
    source
        A cell of a data file's `source` column.
    """
    return tuple(key.strip() for key in source.split(";") if key.strip())


def references(cells: Iterable[str]) -> list[str]:
    """Return ``[key] reference`` for every source that the cells cite, each once, in order.

    A user's file may name its source in words; they are returned as they are.

    Parameters
    ----------
    cells
        Cells of `source` columns.
    """
    cited = dict.fromkeys(key for cell in cells for key in keys(cell))
    return [f"[{key}] {sources()[key]}" if key in sources() else key for key in cited]


def _reference(fields: dict[str, str]) -> str:
    authors = fields.get("author", "").split(" and ")
    first_author = authors[0] + (" et al." if len(authors) > 1 else "")
    venue = fields.get("booktitle") or fields.get("journal") or fields.get("howpublished", "")
    link = fields.get("url", "")
    if "doi" in fields:
        link = f"doi:{fields['doi']}"
    elif "eprint" in fields:
        link = f"arXiv:{fields['eprint']}"
    elements = [first_author, fields.get("title", ""), venue, fields.get("year", ""), link]
    return ", ".join(element.replace("{", "").replace("}", "") for element in elements if element)
