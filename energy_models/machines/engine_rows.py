"""Times of serving engines that the package aiconfigurator-core brings, read from where it is installed.

Nothing of them is copied: a row is read when it is needed. Its column of sources holds people's paths and is skipped.
"""

import csv
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA

PACKAGE = "aiconfigurator_core"
FILE = "systems/silicon_sample.csv"
TOGETHER = "agg"  # one engine prefills and decodes
NEEDED = (
    "backend", "model_path", "system", "precision", "mode", "isl", "osl", "batch_size", "tp_size", "pp_size",
    "silicon_ttft_ms", "silicon_tpot_ms",
)  # fmt: skip
MS_PER_S = 1e3


class EngineRow(NamedTuple):
    """A measurement of an engine.

    Parameters
    ----------
    machine, model, scheme
        Platform, preset, and scheme of weights and activations.
    engine
        A name in engines.yaml.
    chips, batch, prompt_tokens, new_tokens
        Chips that share every matrix; requests in flight; tokens of each.
    first_token_s, token_s
        Measured means.
    """

    machine: str
    model: str
    scheme: str
    engine: str
    chips: int
    batch: float
    prompt_tokens: float
    new_tokens: float
    first_token_s: float
    token_s: float


@cache
def names() -> Mapping[tuple[str, str], str]:
    """Return what the package's names stand for, from engine_names.csv, by kind (model, system, precision) and name."""
    rows = read_facts(DATA / "engine_names.csv", ("kind", "name", "ours", "note"))
    return {(cells["kind"], cells["name"]): cells["ours"] for _, cells in rows}


def installed(file: str = FILE) -> Path:
    """Return a file of the package.

    Parameters
    ----------
    file
        Its place in it.

    Raises
    ------
    InputError
        The package, or the file in it, is not there.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise whole_file("aiconfigurator-core", "is not installed", "pip install 'bitjoule[engines]'")
    path = Path(next(iter(spec.submodule_search_locations))) / file
    if not path.is_file():
        raise whole_file(f"{PACKAGE}/{file}", "is not in the installed package", "aiconfigurator-core 0.12")
    return path


def engine_rows(path: Path | None = None) -> list[EngineRow]:
    """Return the rows of dense models on one engine whose names are known, and whose lengths are printed.

    Parameters
    ----------
    path
        The file; default: that of the installed package.

    Raises
    ------
    InputError
        The package is not installed, or its columns are others.
    """
    path = path or installed()
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.reader(handle)
        header = next(reader, [])
        missing = [name for name in NEEDED if name not in header]
        if missing:
            shown = f"{PACKAGE}/{FILE}" if path.name == Path(FILE).name else str(path)
            raise whole_file(shown, f"has no column {', '.join(missing)}", ", ".join(NEEDED))
        at = {name: header.index(name) for name in NEEDED}
        return list(_rows({name: cells[i] for name, i in at.items()} for cells in reader if len(cells) == len(header)))


def _rows(cells: Iterator[Mapping[str, str]]) -> Iterator[EngineRow]:
    known = names()
    for row in cells:
        keys = [("system", row["system"]), ("model", row["model_path"]), ("precision", row["precision"])]
        if row["mode"] != TOGETHER or any(key not in known for key in keys):
            continue
        try:
            sizes = [float(row[key]) for key in ("tp_size", "pp_size", "batch_size", "isl", "osl")]
            times = [float(row[key]) / MS_PER_S for key in ("silicon_ttft_ms", "silicon_tpot_ms")]
        except ValueError:
            continue
        chips, stages, batch, prompt, new = sizes
        if stages == 1 and min(*sizes, *times) > 0:
            machine, model, scheme = (known[key] for key in keys)
            yield EngineRow(machine, model, scheme, row["backend"], int(chips), batch, prompt, new, *times)


def by_case(rows: Sequence[EngineRow]) -> Mapping[tuple[str, str, str, str, int], list[int]]:
    """Return the indices of rows by machine, model, scheme, engine and chips.

    Parameters
    ----------
    rows
        The rows.
    """
    found: dict[tuple[str, str, str, str, int], list[int]] = {}
    for i, row in enumerate(rows):
        found.setdefault(row[:5], []).append(i)
    return found
