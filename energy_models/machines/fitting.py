"""Fits of a platform's free values to measured rows: speed and energy of a row are two observations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.inputs.errors import InputError, Problem
from bitjoule.energy_models.machines.metering import seen_by
from bitjoule.energy_models.machines.names import Named
from bitjoule.energy_models.machines.points import price_at_points
from bitjoule.energy_models.machines.predict import Lengths
from bitjoule.energy_models.machines.regression import Regression, TooFewPointsError, fit
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import Platform

SPEED, ENERGY = "tokens_per_s", "j_per_token"
UNIT_FACTOR = 30.0  # what no model misses by: a number in another unit


class Observation(NamedTuple):
    """A measured number: a row's speed or energy."""

    row: int
    quantity: str
    value: float


@dataclass(frozen=True)
class PlatformFit:
    """A platform with fitted values.

    Parameters
    ----------
    platform
        With these values.
    regression
        The parameters, in the order of the platform's `fit`.
    rows, observations
        What it was fitted to.
    left_out
        By what is left out, a row (``rows``) or all rows of a model (``models``): logarithms of predicted over
        measured of each observation that was left out, predicted by a fit to the others, to first order; nan where
        too few remain.
    warnings
        What is suspicious, one line each.
    """

    platform: Platform
    regression: Regression
    rows: Sequence[Named]
    observations: Sequence[Observation]
    left_out: Mapping[str, Floats]
    warnings: tuple[str, ...]


def fit_platform(file: str, platform: Platform, name: str, rows: Sequence[Named], lengths: Lengths) -> PlatformFit:
    """Fit the free values of a platform to rows.

    Parameters
    ----------
    file, platform, name
        The file as the user named it, the platform, and its name.
    rows
        Measurements of this machine.
    lengths
        Where rows do not print them.

    Raises
    ------
    InputError
        Nothing is free, a key does not exist, a start is out of its bounds, the points are too few, or the platform
        cannot price them.
    """
    data = platform.model_dump(mode="json")
    keys, free = list(platform.fit), list(platform.fit.values())
    if not keys:
        raise InputError([Problem(file, 1, "fit", "no free values", "fit: {KEY: {low: ..., high: ...}}")])
    start = np.array([_start(file, data, key, platform) for key in keys])
    observations = list(_observations(rows))

    def changed(values: Floats) -> Platform:
        return with_values(platform, dict(zip(keys, values.tolist(), strict=True)))

    def logs(values: Floats, seen: Sequence[Observation]) -> Floats:
        needed = sorted({each.row for each in seen})
        of_row = {row: at for at, row in enumerate(needed)}
        speed, energy = price_at_points([rows[i] for i in needed], changed(values), name, lengths)
        predicted = [(speed if each.quantity == SPEED else energy)[of_row[each.row]] for each in seen]
        # a meter net of idle watts can only be far too low at some values that the search tries
        measured = np.array([each.value for each in seen])
        return np.asarray(np.log(np.maximum(np.array(predicted), 1e-3 * measured) / measured), dtype=np.float64)

    try:
        regression = fit(lambda values: logs(values, observations), start, free)
    except TooFewPointsError as error:
        wanted = f"at most half as many as observations, or a prior; the rows of {name} marked fit are {len(rows)}"
        raise InputError([Problem(file, 1, "fit", str(error), wanted)]) from None
    except UnpricedError as error:
        raise InputError([Problem(file, 1, "platform", str(error.args[0]), str(error.args[-1]))]) from None

    groups = {
        "rows": [str(each.row) for each in observations],
        "models": [rows[each.row].preset for each in observations],
    }
    left_out = {by: regression.without(each) for by, each in groups.items()}
    return PlatformFit(
        changed(regression.values), regression, rows, observations, left_out,
        tuple(_warnings(platform, regression, rows, observations, left_out["rows"])),
    )  # fmt: skip


def with_values(platform: Platform, values: Mapping[str, float]) -> Platform:
    """Return a platform with other values.

    Parameters
    ----------
    platform
        The platform.
    values
        By dotted key; those that share a free value have it, too.
    """
    data = platform.model_dump(mode="json")
    for key, value in values.items():
        for each in (key, *(platform.fit[key].also if key in platform.fit else ())):
            place, last = _place(data, each)
            place[last] = value
    return Platform.model_validate(data)


def _place(data: Any, key: str) -> tuple[Any, Any]:
    """Return what holds a dotted key, and the key or index there; a KeyError where it does not exist."""
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    place = data
    for part in path:
        place = _entry(place, part, key)
    _entry(place, last, key)
    return place, last


def _entry(place: Any, part: Any, key: str) -> Any:
    try:
        return place[part]
    except (KeyError, IndexError, TypeError):
        raise KeyError(key) from None


def _start(file: str, data: Mapping[str, Any], key: str, platform: Platform) -> float:
    found = []
    for each in (key, *platform.fit[key].also):
        try:
            place, last = _place(data, each)
        except KeyError:
            wrong = Problem(file, 1, f"fit.{each}", "is not a key of this platform", "e.g. off_chip.achieved_share")
            raise InputError([wrong]) from None
        found.append(place[last])
    value, free = found[0], platform.fit[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not free.low <= value <= free.high:
        expected = f"a number between its bounds, {free.low:g} and {free.high:g}, to begin with"
        raise InputError([Problem(file, 1, key, f"got {value!r}", expected)])
    return float(value)


def _observations(rows: Sequence[Named]) -> Iterator[Observation]:
    for i, name in enumerate(rows):
        if name.row.tokens_per_s is not None:
            yield Observation(i, SPEED, name.row.tokens_per_s)
        if name.row.j_per_token is not None and name.meter.energy:
            yield Observation(i, ENERGY, name.row.j_per_token)


def _warnings(
    platform: Platform, regression: Regression, rows: Sequence[Named], observations: Sequence[Observation],
    left_out: Floats,
) -> Iterator[str]:  # fmt: skip
    seen = dict.fromkeys(
        " ".join(seen_by(rows[each.row].meter, platform)) for each in observations if each.quantity == ENERGY
    )
    if len(seen) > 1:
        yield f"the rows have meters that see different things: {', '.join(seen)}"
    limit = np.log(UNIT_FACTOR)
    worst = np.where(np.isnan(left_out), regression.residuals, left_out)
    for each, residual in zip(observations, worst.tolist(), strict=True):
        if abs(residual) > limit:
            row = rows[each.row].row
            yield (
                f"{row.file}:{row.line}: {each.quantity}: {each.value:g} is {np.exp(abs(residual)):.3g} times "
                f"{'less' if residual > 0 else 'more'} than the other points say; check the unit"
            )
