"""What the catalogue shows: a table of entries, and one entry."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bitjoule.energy_models.inputs.documents import KeyPath


class Listing(NamedTuple):
    """Headers and rows of text or numbers."""

    headers: Sequence[str]
    rows: Sequence[Sequence[object]]


class Entry(NamedTuple):
    """One entry: its fields, a table if it has one, the references it cites.

    Parameters
    ----------
    fields, table, references
        Plain data; a table, if the entry has one; what it cites.
    marks
        Where fields come from that do not stand in the entry's own file, by path.
    further
        Further tables, each with its title.
    """

    fields: Mapping[str, Any]
    table: Listing | None
    references: Sequence[str]
    marks: Mapping[KeyPath, str] = {}
    further: Sequence[tuple[str, Listing]] = ()
