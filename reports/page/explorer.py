"""A sweep as one HTML page in which its cases are chosen: the page looks values up and computes no energies."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from bitjoule.energy_models.inputs.errors import whole_file
from bitjoule.experiments.results.sweep import KEYS, MEMORY_KEYS, STATIC, WHOLE_MEMORY, Sweep, Values
from bitjoule.reports.figures.families import KINDS
from bitjoule.reports.figures.style import DARK, LIGHT, THEMES, Theme
from bitjoule.reports.page.frame import MOST_BYTES, declared, environment, fixed, series
from bitjoule.reports.page.patterns import hatch_variables, patterns, variable
from bitjoule.reports.page.tables import html_table

SCRIPTS = ("tables.js", "chart.js", "explorer.js")
LEAST_TABLE_BYTES = 50_000  # for the table that is read without scripts
TABLE = "energy_per_token_j"


@dataclass(frozen=True)
class Explored:
    """A sweep, and what a page says about it.

    Parameters
    ----------
    name, description
        Of the experiment.
    sweep
        Its tables.
    scheme_kinds
        Kind of the format of each scheme.
    capacities_bytes
        What the off-chip memory of each platform's machine holds, by scheme, as far as it is known.
    baseline
        Scheme that the others are compared with at first; empty for none.
    experiment
        experiment.yaml as text.
    warnings
        Of the run.
    command
        That made the sweep.
    """

    name: str
    description: str
    sweep: Sweep
    scheme_kinds: Mapping[str, str]
    capacities_bytes: Mapping[str, Mapping[str, int | None]]
    baseline: str
    experiment: str
    warnings: Sequence[str]
    command: str

    @property
    def cases(self) -> int:
        """Number of cases of the sweep."""
        return int(np.isfinite(self.sweep.sums["energy_j"]).any(axis=-1).sum())


def explorer(explored: Explored, version: str, file: str) -> str:
    """Return the page.

    Parameters
    ----------
    explored
        What it shows.
    version
        Of bitjoule.
    file
        Name of the page in messages.

    Raises
    ------
    InputError
        The sweep does not fit one page.
    """
    from markupsafe import Markup

    hatched = _hatched(explored.sweep)
    data = json.dumps(_data(explored) | {"hatched": {stack: list(of) for stack, of in hatched.items()}})
    data = data.replace("<", "\\u003c")
    frame = fixed(SCRIPTS, version)
    spent = sum(len(str(part).encode()) for part in (data, *frame["scripts"], explored.experiment)) + 60_000
    if spent + LEAST_TABLE_BYTES > MOST_BYTES:
        wrong = f"{explored.cases} cases take {(spent + LEAST_TABLE_BYTES) / 1e6:.1f} MB"
        raise whole_file(file, wrong, f"a sweep that fits {MOST_BYTES / 1e6:g} MB; sweep over fewer values")
    columns, rows = _table(explored.sweep)
    table = html_table(TABLE, "values", columns, rows, len(rows), MOST_BYTES - spent)
    config = {"units": {}, "kinds": dict(explored.scheme_kinds), "families": list(KINDS)}
    return str(
        environment().get_template("explorer.html").render(
            **frame, light=_look(LIGHT), dark=_look(DARK),
            patterns=Markup("".join(text for of in hatched.values() for text in of.values())),  # noqa: S704 (ours)
            config=Markup(json.dumps(config).replace("<", "\\u003c")),  # noqa: S704 (no "<" is left)
            data=Markup(data), table=Markup(table.html), shown=table.rows, total=len(rows), explored=explored,  # noqa: S704
        )
    )  # fmt: skip


def _data(explored: Explored) -> dict[str, Any]:
    """Return what the script looks up; arrays as base64 of their float64, little-endian, in the order of the axes."""
    sweep = explored.sweep
    platforms, schemes = sweep.axes["platform"], sweep.axes["scheme"]
    return {
        "keys": list(KEYS),
        "memoryKeys": list(MEMORY_KEYS),
        "axes": {key: list(values) for key, values in sweep.axes.items()},
        "sums": _packed(sweep.sums),
        "energy": _packed(sweep.energy_j),
        "time": _packed(sweep.time_s),
        "static": _packed({"low": sweep.static_low_j, "high": sweep.static_high_j}),
        "memory": _packed(sweep.memory_bytes),
        "wholeMemory": WHOLE_MEMORY,
        "staticPart": STATIC,
        "capacities": [
            [explored.capacities_bytes.get(str(name), {}).get(str(scheme)) for scheme in schemes] for name in platforms
        ],
        "baseline": explored.baseline,
    }


def _packed(arrays: Mapping[str, Values]) -> dict[str, str]:
    return {
        name: base64.b64encode(np.ascontiguousarray(array, dtype="<f8").tobytes()).decode("ascii")
        for name, array in arrays.items()
    }


def _table(sweep: Sweep) -> tuple[list[str], list[list[str]]]:
    """Return joules per token of every case: a row for each but its format, a column for each format."""
    axes = {key: [str(value) for value in values] for key, values in sweep.axes.items()}
    others = [key for key in KEYS if key != "scheme"]
    with np.errstate(invalid="ignore"):  # a phase of no tokens has no energy
        per_token = np.moveaxis(sweep.sums["energy_j"] / _tokens(sweep), KEYS.index("scheme"), -1)
    rows = [
        [*case, *cells]
        for case, values in zip(product(*(axes[key] for key in others)), per_token.reshape(-1, len(axes["scheme"])),
                                strict=True)
        if any(cells := list(_cells(values)))
    ]  # fmt: skip
    return [*others, *axes["scheme"]], rows


def _cells(values: Values) -> Iterator[str]:
    for value in values.tolist():
        yield "" if value != value else repr(value)


def _tokens(sweep: Sweep) -> Values:
    """Return the tokens of each phase, in a shape that divides those of the axes."""
    amounts = {key: np.array(sweep.axes[key], dtype=np.float64) for key in ("new_tokens", "batch", "prompt_tokens")}
    new, batch, prompt = np.meshgrid(*amounts.values(), indexing="ij")
    of_phase = {"prefill": batch * prompt, "decode": batch * new}
    return np.stack([of_phase[str(phase)] for phase in sweep.axes["phase"]], axis=-1)


def _look(theme: Theme) -> str:
    """Return the variables of a theme."""
    colors = _parts(theme)
    parts = {f"--part-{variable(name)}": colour for name, colour in colors.items()}
    return declared(series(theme) | parts | hatch_variables(colors, theme))


def _hatched(sweep: Sweep) -> dict[str, dict[str, str]]:
    """Return the patterns of the parts that are hatched: of energies and times, which have the same, and of memory."""
    colors = {theme: _parts(theme) for theme in THEMES}
    memory = {name: values for name, values in sweep.memory_bytes.items() if name != WHOLE_MEMORY}
    return {
        stack: patterns(stack, list(parts), _largest_first(parts), colors)
        for stack, parts in (("energy", sweep.energy_j), ("memory", memory))
    }


def _largest_first(parts: Mapping[str, Values]) -> list[str]:
    """Return the names of parts by their share of the cases' sums."""
    if not parts:
        return []
    stacked = np.stack(list(parts.values()))
    with np.errstate(invalid="ignore"):  # a phase of no tokens has no energy
        shares = np.nansum(stacked / stacked.sum(axis=0), axis=tuple(range(1, stacked.ndim)))
    return [list(parts)[i] for i in np.argsort(-shares, kind="stable")]


def _parts(theme: Theme) -> dict[str, str]:
    """Return the hues of the groups of components and of what memory holds, in a theme."""
    blue, orange, green, purple = theme.families
    return {
        "projections": blue[0], "attention": orange[0], "KV cache": theme.cache[0], "feed-forward": green[1],
        "embedding and head": purple[0], "element-wise": theme.small, "spilled activations": theme.spilled,
        "memory levels": theme.series[7], STATIC: theme.static, "regulators": theme.loss, "other parts": theme.idle,
        "weights": blue[0], "activations": theme.small, "adapters": orange[1],
    }  # fmt: skip
