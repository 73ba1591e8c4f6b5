"""Results as one HTML page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.experiments.results.folders import ResultFolder
from bitjoule.reports.figures.families import KINDS
from bitjoule.reports.figures.style import DARK, LIGHT
from bitjoule.reports.page.frame import MOST_BYTES, declared, environment, fixed, series
from bitjoule.reports.page.markdown_text import split_summary, to_html
from bitjoule.reports.page.svg import colour_variables, themed_svg
from bitjoule.reports.page.tables import html_table
from bitjoule.reports.page.units import named

MOST_ROWS = 1500  # of a table of a page
LEAST_TABLE_BYTES = 3_000
PICTURES_SHARE = 0.6  # of what a result may take
FIRST_TABLES = ("summary", "published", "pareto", "steady", "errors", "bands", "costs", "dram", "memory")
LAST_TABLES = ("components", "operations", "results")
SCRIPTS = ("tables.js", "chart.js")


@dataclass(frozen=True)
class Contents:
    """A result, and what a page says about it that is not in its directory.

    Parameters
    ----------
    result
        The output directory.
    kind
        Name of the kind of experiment.
    lead
        The outcome in one sentence.
    prices
        See `bitjoule.experiments.results.prices.paid_prices`.
    technology_prices
        See `bitjoule.experiments.results.prices.technology_prices`; shown where no prices paid are known.
    references
        What the prices and the assumptions cite.
    assumptions
        See `bitjoule.experiments.results.assumed.assumed`.
    scheme_kinds
        Kind of the format of each scheme.
    """

    result: ResultFolder
    kind: str
    lead: str
    prices: pd.DataFrame
    technology_prices: pd.DataFrame
    references: Sequence[str]
    assumptions: pd.DataFrame
    scheme_kinds: Mapping[str, str]


def report(contents: Sequence[Contents], version: str, file: str) -> str:
    """Return a page.

    Parameters
    ----------
    contents
        Of each result.
    version
        Of bitjoule.
    file
        Name of the page in messages.

    Raises
    ------
    InputError
        The results do not fit one page.
    """
    from markupsafe import Markup

    frame = fixed(SCRIPTS, version)
    base = sum(len(part.encode()) for part in (frame["style"], *frame["scripts"])) + 20_000
    sections: list[dict[str, Any]] = []
    spent = base
    for i, content in enumerate(contents):
        share = (MOST_BYTES - spent) // (len(contents) - i)
        section = _section(content, i, share)
        sections.append(section)
        spent += section["bytes"]
    pictures = [picture["html"] for section in sections for picture in section["pictures"]]
    light, dark = colour_variables(pictures)
    columns = sorted({column for section in sections for column in section["columns"]})
    config = {
        "units": {column: named(column) for column in columns},
        "kinds": {name: kind for content in contents for name, kind in content.scheme_kinds.items()},
        "families": list(KINDS),
    }
    text = environment().get_template("report.html").render(
        **frame, sections=sections, light=declared(light | series(LIGHT)), dark=declared(dark | series(DARK)),
        config=Markup(json.dumps(config).replace("<", "\\u003c")),  # noqa: S704 (no "<" is left)
    )  # fmt: skip
    if len(text.encode()) > MOST_BYTES:
        wrong = f"{len(contents)} results take {len(text.encode()) / 1e6:.1f} MB"
        raise whole_file(file, wrong, f"results that fit {MOST_BYTES / 1e6:g} MB; report fewer at once")
    return text


def _section(content: Contents, number: int, share: int) -> dict[str, Any]:
    """Return what the template shows of a result, in at most about `share` bytes."""
    from markupsafe import Markup

    result, prefix = content.result, f"r{number}"
    summary = split_summary(result.summary_text, result.description)
    body = to_html(summary.body, result.name)
    remarks = [Markup(to_html(line, result.name)) for line in summary.remarks]  # noqa: S704 (rendered without HTML)
    manifest = result.manifest
    section: dict[str, Any] = {
        "id": prefix, "name": result.name, "description": result.description, "kind": content.kind,
        "lead": content.lead, "remarks": remarks, "yaml": result.experiment_text,
        "warnings": manifest.get("warnings", []), "references": content.references, "path": str(result.path),
        "assumptions": _frame(content.assumptions), "manifest": _provenance(result), "columns": [],
    }  # fmt: skip
    spent = sum(len(str(value).encode()) for value in section.values()) + 8_000
    listed = content.prices if len(content.prices) else content.technology_prices
    prices = html_table("prices", f"{prefix}-table-prices", *_cells(listed), max(0, share - spent))
    section["prices"] = Markup(prices.html) if len(listed) else ""  # noqa: S704 (cells are escaped)
    section["paid"] = bool(len(content.prices))
    section["assumed"] = _assumed_share(content.prices)
    section["columns"] += list(listed.columns)
    spent += len(section["prices"].encode())
    fits = spent + len(body.encode()) < share
    section["body"] = Markup(body) if fits else ""  # noqa: S704 (rendered without HTML)
    spent += len(section["body"].encode())
    section["pictures"], taken, section["pictures_left_out"] = _pictures(
        result, prefix, int(PICTURES_SHARE * max(0, share - spent))
    )
    spent += taken
    section["tables"], section["tables_left_out"] = [], []
    for name in sorted(result.files, key=_priority):
        table = result.stored(name, MOST_ROWS)
        html = html_table(name, f"{prefix}-table-{name}", table.columns, table.rows, table.total, max(0, share - spent))
        if table.total and not html.rows:
            section["tables_left_out"].append(f"{name} ({table.total} rows)")
            continue
        section["tables"].append({"name": name, "rows": table.total, "html": Markup(html.html)})  # noqa: S704
        section["columns"] += list(table.columns)
        spent += len(html.html.encode()) + 300
    section["bytes"] = spent
    return section


def _pictures(result: ResultFolder, prefix: str, most_bytes: int) -> tuple[list[dict[str, Any]], int, list[str]]:
    from markupsafe import Markup

    pictures, spent, left_out = [], 0, []
    for i, path in enumerate(result.pictures):
        title = path.stem.replace("_", " ")
        html = themed_svg(path, f"{prefix}p{i}-", f"{title} of {result.name}")
        if spent + len(html.encode()) > most_bytes:
            left_out.append(path.name)
            continue
        pictures.append({"title": title, "file": path.name, "html": Markup(html)})  # noqa: S704 (elements that draw)
        spent += len(html.encode())
    return pictures, spent, left_out


def _priority(name: str) -> tuple[int, str]:
    if name in FIRST_TABLES:
        return FIRST_TABLES.index(name), name
    return len(FIRST_TABLES) + (1 + LAST_TABLES.index(name) if name in LAST_TABLES else 0), name


def _cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]], int]:
    """Return a frame as cells of CSV, and the number of its rows."""
    rows = [["" if cell != cell else str(cell) for cell in row] for row in frame.astype(object).to_numpy().tolist()]
    return list(frame.columns), rows, len(frame)


def _frame(frame: pd.DataFrame) -> list[dict[str, str]]:
    return [{str(key): str(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _assumed_share(prices: pd.DataFrame) -> str:
    """Return how much of the energy has a price that is an assumption, and one with a band; nothing without prices."""
    if prices.empty:
        return ""
    is_assumed = prices["source"].astype(str).str.contains("assum") | prices["where"].astype(str).str.contains("assum")
    banded = prices["paid_low_pj"] < prices["paid_high_pj"]
    shares = [float(prices.loc[chosen, "energy_share"].sum()) for chosen in (is_assumed, banded)]
    assumed, with_band = (f"{100 * share:.1f} %" for share in shares)
    return (
        f"{int(is_assumed.sum())} of {len(prices)} prices rest on an assumption ({assumed} of the energy of all "
        f"cases); {int(banded.sum())} have a band ({with_band})."
    )


def _provenance(result: ResultFolder) -> dict[str, Any]:
    manifest = result.manifest
    changed = result.changed_outputs()
    return {
        "command": " ".join(map(str, manifest.get("command", []))),
        "commit": manifest.get("git_commit") or "none recorded (installed copy)",
        "python": str(manifest.get("python", "")),
        "versions": {str(name): str(version) for name, version in manifest["versions"].items()},
        "seeds": {str(name): str(seed) for name, seed in manifest.get("seeds", {}).items()},
        "inputs": {str(name): str(digest) for name, digest in manifest.get("input", {}).items()},
        "files": len(manifest["outputs"]),
        "changed": changed,
    }
