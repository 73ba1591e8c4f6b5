"""Technology files, and technologies that are like another one."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bitjoule.energy_models.inputs.documents import YAML, Document, read_document
from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.inputs.inheritance import Completed, Family, completed
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.measured import SOURCE, MeasuredTechnology
from bitjoule.energy_models.prices.quoted import read_quoted
from bitjoule.energy_models.prices.technology import Technology, technologies

CSV = ".csv"
ITEMS = {
    "operations": ("operation", "format"),
    "macs": ("weights", "activations", "accumulation", "datapath"),
    "memories": ("kind", "memory", "capacity_bytes"),
}


def read_technology(path: Path) -> MeasuredTechnology:
    """Read a technology of a file.

    Parameters
    ----------
    path
        A table of prices (CSV), or YAML as ``bitjoule calibrate`` writes it. With ``like`` the latter holds the
        differences from a technology in its folder, a built-in one, that of another file, or one that is written there.

    Raises
    ------
    InputError
        With a problem for each thing wrong.
    """
    return validated(path)[0]


def validated(path: Path) -> tuple[MeasuredTechnology, Completed]:
    """Return a technology of a file, and its data with what they inherit.

    Parameters
    ----------
    path
        As for `read_technology`.
    """
    document = _read(path)
    entry = completed(TECHNOLOGY, document, (), path.parent)
    return validate(MeasuredTechnology, replace(document, data=entry.data, lines=entry.lines)), entry


def _read(path: Path) -> Document:
    if path.suffix != CSV:
        return read_document(path)
    data = read_quoted(path).model_dump(mode="json", exclude_none=True)
    return Document(str(path), data, {(): 1}, path=path)


def data_of(technology: Technology) -> dict[str, Any]:
    """Return a built-in technology as the data of a technology file, each price with its source.

    Parameters
    ----------
    technology
        The technology.
    """
    operations = [
        {"operation": row.operation, "format": row.format, "energy_pj": _band(row.energy), "source": row.source,
         "where": row.where}
        for row in technology.rows.values()
    ]  # fmt: skip
    return {
        "description": f"Prices of {technology.name}",
        "node_nm": technology.node_nm,
        "zero_share": technology.zero_share,
        "zero_share_source": f"as {technology.name}",
        "operations": operations,
        "macs": [mac.model_dump(mode="json", exclude_none=True) for mac in technology.macs],
        "priced_as_macs": technology.priced_as_macs,
        "lanes": technology.lanes,
        "columns": technology.columns,
    }


def _band(price: Price) -> dict[str, float]:
    return {"low": price.low_pj, "nominal": price.nominal_pj, "high": price.high_pj}


def _as_base(data: dict[str, Any]) -> dict[str, Any]:
    """Return a technology to inherit from: how it was measured is said at each operation, of which some may change."""
    measured = data.get("measured")
    if not isinstance(measured, dict):
        return data
    given = {"source": SOURCE, "where": str(measured.get("command", ""))}
    rows = data.get("operations")
    operations = (
        [{**given, **row} if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else rows
    )
    return {key: value for key, value in data.items() if key != "measured"} | {"operations": operations}


def _with_own_sources(merged: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a technology in which a changed price does not cite what the base's price came from."""
    lists = {key: list(merged[key]) for key in ("operations", "memories") if isinstance(changes.get(key), list)}
    for key, items in lists.items():
        changed = {
            tuple(item.get(part) for part in ITEMS[key]): item for item in changes[key] if isinstance(item, dict)
        }
        for i, item in enumerate(items):
            own = changed.get(tuple(item.get(part) for part in ITEMS[key])) if isinstance(item, dict) else None
            if own is not None and "energy_pj" in own:
                items[i] = {k: v for k, v in item.items() if k in own or k not in ("source", "where")}
    return {**merged, **lists}


TECHNOLOGY = Family(
    "technology",
    names=lambda: list(technologies()),
    built_in=lambda name: data_of(technologies()[name]),
    read=_read,
    suffixes=(*YAML, CSV),
    items=ITEMS,
    tidied=_with_own_sources,
    as_base=_as_base,
)
