"""What a run wrote, for programs: one JSON text, or its summary table as CSV."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = "summary"


def print_for_programs(options: argparse.Namespace, names: Sequence[str], texts: Sequence[str]) -> None:
    """Print what runs wrote as JSON or CSV, or nothing with ``--quiet``.

    Parameters
    ----------
    options
        Those of `add_printing`, and the parent of the output directories.
    names, texts
        Of the runs; a text begins with its headline.
    """
    if not options.quiet:
        headlines = [text.partition("\n")[0] for text in texts]
        print(as_json(options.out, names, headlines) if options.json else as_csv(options.out, names), end="")


def as_json(out: Path, names: Sequence[str], headlines: Sequence[str]) -> str:
    """Return a list with name, headline, directory, files, warnings and rows of the summary table of each run.

    Parameters
    ----------
    out
        Parent of the output directories.
    names, headlines
        Of the runs.
    """
    runs: list[dict[str, Any]] = []
    for name, headline in zip(names, headlines, strict=True):
        folder = out / name
        table = summary(folder)
        manifest = folder / "manifest.json"
        runs.append(
            {
                "name": name,
                "headline": headline.removeprefix(f"{name}:").strip(),
                "folder": str(folder),
                "files": sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [],
                "warnings": json.loads(manifest.read_text())["warnings"] if manifest.is_file() else [],
                "summary": [] if table is None else json.loads(table.to_json(orient="records", double_precision=15)),
            }
        )
    return json.dumps(runs, indent=1, ensure_ascii=False) + "\n"


def as_csv(out: Path, names: Sequence[str]) -> str:
    """Return the summary tables of runs below each other; each begins with its headers.

    Parameters
    ----------
    out, names
        As for `as_json`.
    """
    tables = (summary(out / name) for name in names)
    return "\n".join(table.to_csv(index=False) for table in tables if table is not None)


def summary(folder: Path) -> "pd.DataFrame | None":
    """Return the summary table that a run wrote, in whichever format, or none.

    Parameters
    ----------
    folder
        Output directory of the run.
    """
    from bitjoule.experiments.results.folders import open_result

    if not (folder / "manifest.json").is_file():
        return None
    result = open_result(folder)
    return result.frame(SUMMARY) if SUMMARY in result.files else None
