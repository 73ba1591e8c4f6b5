"""What differs between two results: what was asked, what was paid, and what came out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, suggestion, whole_file
from bitjoule.experiments.output.columns import ACTION_COLUMNS, ENERGY_COLUMNS, PJ_PER_J, WORKLOAD_AXES
from bitjoule.experiments.results.folders import ResultFolder
from bitjoule.experiments.results.prices import COUNT, TABLE, price_sums

SUMMARY = "summary"
ENERGY_J, ENERGY_PJ = "energy_j", ENERGY_COLUMNS[0]
ENDS = ("first", "second")
UNDRAWN = ("name", "description", "plots")  # keys of an experiment that change no number
NUMBERED_KEYS = (*WORKLOAD_AXES, "weight_bits", "requests_per_s", "layer", "design", "chips")
NO_KEYS = ("experiment", "array", "other_arrays", "bound_by", "status", "best", "problem", "note", "source", "where",
           "first_is", "inputs")  # texts that a run finds, or that name it  # fmt: skip
SAME = 1e-12  # relative; sums of other order differ by less
REPEAT = "_repeat"
MOVED = ("model", "technology", "platform")  # names that users give, and change
MADE_IN = {"technology": "technologies", "platform": "platforms"}  # folders in which prices of such a name stand
INPUT_COLUMNS = ("what", "key", *ENDS)
PRICE_COLUMNS = ("price", "first_pj", "second_pj", "ratio", "first_energy_j", "second_energy_j", "change")
CONTRIBUTION_COLUMNS = (
    *ACTION_COLUMNS, "first_count", "second_count", "first_pj", "second_pj", "first_j", "second_j", "difference_j",
    "by_count_j", "by_price_j",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What differs between two results.

    Parameters
    ----------
    first, second
        The results.
    inputs
        Keys of the experiments, versions, data and input files that differ.
    prices
        Prices that differ, or that one result alone paid; those of most energy first.
    totals
        Quantities of the summaries that differ: keys of the case, quantity, both values, difference and ratio.
    cases
        Number of cases and phases in both, in the first alone, and in the second alone.
    renamed
        Keys, each with a value of the first result and the one of the second that stands for it: the only value of
        each, or, of models, technologies and platforms, the only one that the other result does not have.
    case
        The case whose contributions are listed; none where the energies do not differ, or are in no table.
    levels_j
        Energy of that case in the first and in the second result.
    contributions
        Actions of that case, the largest difference first. With counts n, prices p and the means of both results,
        a difference is that of the count at the mean price and that of the price at the mean count; both add up.
    alone
        Keys with values that one result alone has, which are not compared: those of the first and of the second.
    """

    first: ResultFolder
    second: ResultFolder
    inputs: pd.DataFrame
    prices: pd.DataFrame
    totals: pd.DataFrame
    cases: tuple[int, int, int]
    renamed: Mapping[str, tuple[str, str]]
    case: Mapping[str, Any]
    levels_j: tuple[float, float]
    contributions: pd.DataFrame
    alone: Mapping[str, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)


def compare(first: ResultFolder, second: ResultFolder, where: Mapping[str, str] | None = None) -> Comparison:
    """Return what differs between two results.

    Parameters
    ----------
    first, second
        Output directories.
    where
        Values of key columns: only these cases are compared.

    Raises
    ------
    InputError
        The results have no case in common, or `where` names no case.
    """
    frames = [result.frame(SUMMARY) for result in (first, second)]
    keys = _keys(*frames)
    _check_where(keys, frames[0], where or {})
    moved = _moved(keys, *frames)
    frames[1] = _with_first_names(frames[1], moved)
    frames = [_chosen(frame, where or {}) for frame in frames]
    renamed = _renamed(keys, *frames)
    matched = [key for key in keys if key not in renamed]
    frames = [_numbered(frame, matched) for frame in frames]
    on = [*matched, REPEAT]
    both = frames[0][on].merge(frames[1][on], on=on)
    if both.empty:
        raise whole_file(str(second.path), f"has no case in common with {first.path}", _overlap(keys, *frames))
    cases = (len(both), len(frames[0]) - len(both), len(frames[1]) - len(both))
    totals = _totals(frames, on, matched, keys)
    case, levels_j, contributions = _contributions(first, second, matched, where or {}, moved)
    renamed |= {key: names for key, names in moved.items() if (where or {}).get(key) in (None, names[0])}
    inputs, prices = _inputs(first, second), _prices(first, second, where or {}, renamed)
    alone = _alone(matched, *frames)
    return Comparison(first, second, inputs, prices, totals, cases, renamed, case, levels_j, contributions, alone)


def _text(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a key column as text, empty cells as empty text: pandas leaves rows with a missing key out of sums."""
    return column.astype(object).where(column.notna(), "").map(str)


def _keys(first: pd.DataFrame, second: pd.DataFrame) -> list[str]:
    """Return the columns that say which case a row is."""
    common = [name for name in first.columns if name in second.columns and name not in NO_KEYS]
    return [name for name in common if name in NUMBERED_KEYS or not pd.api.types.is_numeric_dtype(first[name])]


def _check_where(keys: Sequence[str], frame: pd.DataFrame, where: Mapping[str, str]) -> None:
    problems = []
    for key, value in where.items():
        if key not in keys:
            problems.append(Problem("--where", 1, key, f"unknown key{suggestion(key, keys)}", choices(keys)))
        elif value not in (known := list(dict.fromkeys(_text(frame[key])))):
            problems.append(Problem("--where", 1, key, f"got {value!r}{suggestion(value, known)}", choices(known)))
    if problems:
        raise InputError(problems)


def _chosen(frame: pd.DataFrame, where: Mapping[str, str]) -> pd.DataFrame:
    for key, value in where.items():
        frame = frame[_text(frame[key]) == value]
    return frame


def _moved(keys: Sequence[str], first: pd.DataFrame, second: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Return names that one result alone has, where each has one: as a rule that of one thing, which was renamed."""
    return {
        key: (ours[0], theirs[0])
        for key, (ours, theirs) in _alone([key for key in MOVED if key in keys], first, second).items()
        if len(ours) == len(theirs) == 1 and max(frame[key].nunique(dropna=False) for frame in (first, second)) > 1
    }


def _alone(keys: Sequence[str], first: pd.DataFrame, second: pd.DataFrame) -> dict[str, tuple[list[str], list[str]]]:
    """Return the values of each key that one result alone has, where there are any."""
    found = {}
    for key in keys:
        ours, theirs = (dict.fromkeys(_text(frame[key])) for frame in (first, second))
        found[key] = ([name for name in ours if name not in theirs], [name for name in theirs if name not in ours])
    return {key: both for key, both in found.items() if any(both)}


def _with_first_names(frame: pd.DataFrame, moved: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """Return a table of the second result with the names of the first."""
    return frame.assign(**{key: _text(frame[key]).replace(theirs, ours) for key, (ours, theirs) in moved.items()})


def _renamed(keys: Sequence[str], first: pd.DataFrame, second: pd.DataFrame) -> dict[str, tuple[str, str]]:
    pairs = {key: tuple(list(dict.fromkeys(_text(frame[key]))) for frame in (first, second)) for key in keys}
    return {
        key: (ours[0], theirs[0])
        for key, (ours, theirs) in pairs.items()
        if len(ours) == len(theirs) == 1 and ours != theirs
    }


def _numbered(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return a table with text keys, and a number for rows that have the same ones."""
    frame = frame.assign(**{key: _text(frame[key]) for key in keys})
    return frame.assign(**{REPEAT: frame.groupby(list(keys), sort=False).cumcount() if keys else range(len(frame))})


def _overlap(keys: Sequence[str], first: pd.DataFrame, second: pd.DataFrame) -> str:
    apart = [key for key in keys if not set(first[key].astype(str)) & set(second[key].astype(str))]
    return f"results with common cases; they share no value of {', '.join(apart)}" if apart else "common cases"


def _totals(
    frames: Sequence[pd.DataFrame], on: list[str], keys: Sequence[str], every_key: Sequence[str]
) -> pd.DataFrame:
    """Return the quantities that differ, a row each."""
    first, second = frames
    values = [
        name for name in first.columns
        if name in second.columns and name not in (*on, *every_key) and pd.api.types.is_numeric_dtype(first[name])
        and pd.api.types.is_numeric_dtype(second[name]) and not pd.api.types.is_bool_dtype(first[name])
    ]  # fmt: skip
    merged = first[[*on, *values]].merge(second[[*on, *values]], on=on, suffixes=ENDS)
    pieces = []
    for name in values:
        ours, theirs = (merged[f"{name}{end}"].astype(float) for end in ENDS)
        piece = merged[list(keys)].assign(quantity=name, first=ours, second=theirs, difference=theirs - ours)
        piece["ratio"] = (theirs / ours.where(ours != 0)).to_numpy()
        pieces.append(piece[_differ(ours, theirs)])
    columns = [*keys, "quantity", *ENDS, "difference", "ratio"]
    filled = [piece for piece in pieces if len(piece)]
    return pd.concat(filled, ignore_index=True)[columns] if filled else pd.DataFrame(columns=columns)


def _differ(first: "pd.Series[float]", second: "pd.Series[float]") -> "pd.Series[bool]":
    apart = (first - second).abs() > SAME * np.maximum(first.abs(), second.abs())
    return apart | (first.isna() != second.isna())


def _inputs(first: ResultFolder, second: ResultFolder) -> pd.DataFrame:
    """Return what was asked and with what it was computed, where that differs."""
    rows = []
    sections: list[tuple[str, dict[str, str], dict[str, str]]] = []
    sections.append(("experiment", dict(_leaves(first.experiment)), dict(_leaves(second.experiment))))
    for section, what in (("versions", "version"), ("seeds", "seed"), ("input", "input file"), ("data", "data file")):
        recorded = [{str(k): str(v) for k, v in result.manifest.get(section, {}).items()} for result in (first, second)]
        if section in ("input", "data"):
            recorded = [{name: f"sha256 {digest[:12]}" for name, digest in each.items()} for each in recorded]
        sections.append((what, recorded[0], recorded[1]))
    commits = [{"git_commit": str(result.manifest.get("git_commit") or "")} for result in (first, second)]
    sections.append(("code", commits[0], commits[1]))
    for what, ours, theirs in sections:
        differing = [key for key in dict.fromkeys([*ours, *theirs]) if ours.get(key) != theirs.get(key)]
        rows += [(what, key, ours.get(key, ""), theirs.get(key, "")) for key in differing]
    return pd.DataFrame(rows, columns=list(INPUT_COLUMNS))


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted keys of an experiment with their values as text; lists are one value."""
    for key, value in data.items():
        if not prefix and key in UNDRAWN:
            continue
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _prices(
    first: ResultFolder, second: ResultFolder, where: Mapping[str, str], renamed: Mapping[str, tuple[str, str]]
) -> pd.DataFrame:
    """Return the prices that differ, and those that one result alone paid."""
    there = {key: renamed[key][1] if key in renamed else value for key, value in where.items()}
    sums = [price_sums(first, where), price_sums(second, there)]
    for key in MADE_IN.keys() & renamed.keys():
        ours, theirs = (f"{MADE_IN[key]}/{name}.yaml:" for name in renamed[key])
        sums[1] = sums[1].rename(index={name: str(name).replace(theirs, ours, 1) for name in sums[1].index})
    rows: list[tuple[Any, ...]] = []
    for key in dict.fromkeys([*sums[0].index, *sums[1].index]):
        paid, energies_j = [], []
        for each in sums:
            row = each.loc[key] if key in each.index else None
            paid.append(row[ENERGY_PJ] / row[COUNT] if row is not None and row[COUNT] else float("nan"))
            energies_j.append(0.0 if row is None else row[ENERGY_PJ] / PJ_PER_J)
        inside = [key in each.index for each in sums]
        change = "price" if all(inside) else f"only in {ENDS[inside.index(True)]}"
        if not all(inside) or abs(paid[1] - paid[0]) > SAME * max(map(abs, paid)):
            ratio = paid[1] / paid[0] if all(inside) and paid[0] else float("nan")
            rows.append((key, *paid, ratio, *energies_j, change))
    rows.sort(key=lambda row: (row[-1] != "price", -max(row[4:6])))
    return pd.DataFrame(rows, columns=list(PRICE_COLUMNS))


def _contributions(
    first: ResultFolder,
    second: ResultFolder,
    matched: Sequence[str],
    where: Mapping[str, str],
    moved: Mapping[str, tuple[str, str]],
) -> tuple[dict[str, Any], tuple[float, float], pd.DataFrame]:
    """Return the case whose energy differs most, and what its actions contribute."""
    none: tuple[dict[str, Any], tuple[float, float], pd.DataFrame]
    none = {}, (0.0, 0.0), pd.DataFrame(columns=list(CONTRIBUTION_COLUMNS))
    needed = {*ACTION_COLUMNS, COUNT, ENERGY_PJ}
    if any(not needed <= set(result.columns(TABLE)) for result in (first, second)):
        return none
    columns = first.columns(TABLE)
    keys = [key for key in matched if key in columns]
    fixed = {key: value for key, value in where.items() if key in columns}
    read = list(dict.fromkeys([*keys, *fixed, *ACTION_COLUMNS, COUNT, ENERGY_PJ]))
    frames = []
    for result in (first, second):
        frame = result.frame(TABLE, read)
        frame = _with_first_names(frame, {key: moved[key] for key in moved if key in read and result is second})
        frame = _chosen(frame, fixed)
        frames.append(frame.assign(**{key: _text(frame[key]) for key in [*keys, *ACTION_COLUMNS]}))
    energies = [frame.groupby(keys, sort=False)[ENERGY_PJ].sum() for frame in frames] if keys else []
    if keys:
        joined = pd.concat(energies, axis=1, join="inner", keys=ENDS)
        positive = joined[(joined > 0).all(axis=1)]
        change = np.abs(np.log(positive["second"].to_numpy(float) / positive["first"].to_numpy(float)))
        if not len(change) or change.max() <= SAME:
            return none
        place = positive.index[int(change.argmax())]
        case = dict(zip(keys, place if isinstance(place, tuple) else (place,), strict=True))
        frames = [_chosen(frame, case) for frame in frames]
    else:
        case = {}
    groups = [frame.groupby(list(ACTION_COLUMNS), sort=False)[[COUNT, ENERGY_PJ]].sum() for frame in frames]
    table = pd.concat(groups, axis=1, join="outer", keys=ENDS).fillna(0.0)
    counts = [table[end][COUNT].to_numpy(float) for end in ENDS]
    energies_j = [table[end][ENERGY_PJ].to_numpy(float) / PJ_PER_J for end in ENDS]
    with np.errstate(divide="ignore", invalid="ignore"):
        prices_j = [energy / count for energy, count in zip(energies_j, counts, strict=True)]
    # what one result alone does has the price that it has there: its difference is one of the count
    prices_j = [np.where(np.isnan(ours), theirs, ours) for ours, theirs in (prices_j, prices_j[::-1])]
    by_count = (counts[1] - counts[0]) * (prices_j[0] + prices_j[1]) / 2
    by_price = (prices_j[1] - prices_j[0]) * (counts[0] + counts[1]) / 2
    difference = energies_j[1] - energies_j[0]
    values = (*counts, *(price * PJ_PER_J for price in prices_j), *energies_j, difference, by_count, by_price)
    actions = table.index.to_frame(index=False).assign(
        **dict(zip(CONTRIBUTION_COLUMNS[len(ACTION_COLUMNS) :], values, strict=True))
    )
    order = np.argsort(-np.abs(difference), kind="stable")
    ordered = actions.iloc[order][list(CONTRIBUTION_COLUMNS)].reset_index(drop=True)
    levels_j = (float(energies_j[0].sum()), float(energies_j[1].sum()))
    differs = _differ(ordered["first_j"], ordered["second_j"])
    return case, levels_j, ordered[differs].reset_index(drop=True)
