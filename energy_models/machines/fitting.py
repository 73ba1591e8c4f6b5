"""Fits of free values of platforms to measured rows: speed and energy of a row are two observations.

Machines of one family are fitted together: a value that each of them marks as `shared` is one parameter.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief
from bitjoule.energy_models.machines.leaving_out import refits
from bitjoule.energy_models.machines.names import Named
from bitjoule.energy_models.machines.points import price_at_points
from bitjoule.energy_models.machines.predict import Lengths
from bitjoule.energy_models.machines.regression import Regression, TooFewPointsError, fit
from bitjoule.energy_models.machines.suspicions import ENERGY, SPEED, Observation, suspicions
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.free import Free
from bitjoule.energy_models.system.platform.platforms import Platform

LEAST_SHARE = 1e-3  # of what was measured, that a prediction counts as


class Member(NamedTuple):
    """A machine of a family.

    Parameters
    ----------
    file, platform, name
        The file as the user named it, the platform, and its name.
    rows
        Its measurements.
    """

    file: str
    platform: Platform
    name: str
    rows: Sequence[Named]


class Parameter(NamedTuple):
    """A free value.

    Parameters
    ----------
    key
        Its dotted key; with the machine's name before it where several machines have one of their own.
    free
        Its bounds and its band.
    places
        Index of each machine that has it, and the key there.
    """

    key: str
    free: Free
    places: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class FamilyFit:
    """Platforms with fitted values.

    Parameters
    ----------
    members
        The machines as they were given, with the rows that they were fitted to.
    platforms
        With these values, in the order of `members`.
    parameters, regression
        The free values, and what was found, in the same order.
    rows, observations
        What it was fitted to, of all machines.
    left_out
        By what is left out, a row (``rows``), all rows of a model (``models``) or of a machine (``machines``):
        logarithms of predicted over measured of each observation that was left out; nan where too few remain. Rows are
        left out to first order, models and machines by a fit to the others.
    warnings
        What is suspicious, one line each.
    """

    members: Sequence[Member]
    platforms: Sequence[Platform]
    parameters: Sequence[Parameter]
    regression: Regression
    rows: Sequence[Named]
    observations: Sequence[Observation]
    left_out: Mapping[str, Floats]
    warnings: tuple[str, ...]


def fit_family(members: Sequence[Member], lengths: Lengths) -> FamilyFit:
    """Fit the free values of machines to their rows.

    Parameters
    ----------
    members
        The machines.
    lengths
        Where rows do not print them.

    Raises
    ------
    InputError
        Nothing is free, a key does not exist, a start is out of its bounds, a shared value has two bands, the points
        are too few, or a platform cannot price them.
    """
    parameters = _parameters(members)
    free = [each.free for each in parameters]
    start = np.array([_start(members, each) for each in parameters])
    rows = [row for member in members for row in member.rows]
    member_of = [i for i, member in enumerate(members) for _ in member.rows]
    observations = list(_observations(rows))

    def changed(values: Floats) -> list[Platform]:
        found: list[dict[str, float]] = [{} for _ in members]
        for parameter, value in zip(parameters, values.tolist(), strict=True):
            for at, key in parameter.places:
                found[at][key] = value
        return [with_values(member.platform, of) for member, of in zip(members, found, strict=True)]

    def logs(values: Floats, seen: Sequence[Observation]) -> Floats:
        machines = changed(values)
        speed, energy = np.full((2, len(rows)), np.nan)
        needed = sorted({each.row for each in seen})
        for at, member in enumerate(members):
            own = [row for row in needed if member_of[row] == at]
            if own:
                speed[own], energy[own] = price_at_points([rows[i] for i in own], machines[at], member.name, lengths)
        predicted = [(speed if each.quantity == SPEED else energy)[each.row] for each in seen]
        # a meter net of idle watts can only be far too low at some values that the search tries
        measured = np.array([each.value for each in seen])
        return np.asarray(np.log(np.maximum(np.array(predicted), LEAST_SHARE * measured) / measured), dtype=np.float64)

    file, names = members[0].file, " and ".join(member.name for member in members)
    try:
        regression = fit(lambda values: logs(values, observations), start, free)
    except TooFewPointsError as error:
        wanted = f"at most half as many as observations, or a prior; the rows of {names} marked fit are {len(rows)}"
        raise InputError([Problem(file, 1, "fit", str(error), wanted)]) from None
    except UnpricedError as error:
        raise InputError([Problem(file, 1, "platform", str(error.args[0]), str(error.args[-1]))]) from None

    models = [rows[each.row].preset for each in observations]
    machines = [members[member_of[each.row]].name for each in observations]
    left_out = {"rows": regression.without([str(each.row) for each in observations])}
    for by, groups in (("models", models), ("machines", machines)):
        left_out[by] = refits(logs, observations, groups, regression, free)
    told = suspicions(
        [member.platform for member in members], rows, member_of, observations, regression, left_out["rows"], free,
        lambda values: logs(values, observations),
    )  # fmt: skip
    return FamilyFit(
        members, changed(regression.values), parameters, regression, rows, observations, left_out, tuple(told)
    )


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


def _parameters(members: Sequence[Member]) -> list[Parameter]:
    for member in members:
        if not member.platform.fit:
            raise InputError([Problem(member.file, 1, "fit", "no free values", "fit: {KEY: {low: ..., high: ...}}")])
    found: list[Parameter] = []
    shared: dict[str, int] = {}
    for at, member in enumerate(members):
        for key, free in member.platform.fit.items():
            if free.shared and key in shared:
                earlier = found[shared[key]]
                if earlier.free != free:
                    expected = f"low, high, prior and also as in {members[earlier.places[0][0]].file}"
                    raise InputError([Problem(member.file, 1, f"fit.{key}", "is shared with other values", expected)])
                found[shared[key]] = earlier._replace(places=(*earlier.places, (at, key)))
                continue
            if free.shared:
                shared[key] = len(found)
            own = len(members) > 1 and not free.shared
            found.append(Parameter(f"{member.name}:{key}" if own else key, free, ((at, key),)))
    return found


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


def _start(members: Sequence[Member], parameter: Parameter) -> float:
    """Return the value to begin with, that of the first machine that has the parameter."""
    found, free = [], parameter.free
    for at, key in parameter.places:
        file, data = members[at].file, members[at].platform.model_dump(mode="json")
        for each in (key, *free.also):
            try:
                place, last = _place(data, each)
            except KeyError:
                wrong = Problem(file, 1, f"fit.{each}", "is not a key of this platform", "e.g. off_chip.achieved_share")
                raise InputError([wrong]) from None
            found.append((file, key, place[last]))
    file, key, value = found[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not free.low <= value <= free.high:
        expected = f"a number between its bounds, {free.low:g} and {free.high:g}, to begin with"
        raise InputError([Problem(file, 1, key, f"got {brief(value)}", expected)])
    return float(value)


def _observations(rows: Sequence[Named]) -> Iterator[Observation]:
    for i, name in enumerate(rows):
        if name.row.tokens_per_s is not None:
            yield Observation(i, SPEED, name.row.tokens_per_s)
        if name.row.j_per_token is not None and name.meter.energy:
            yield Observation(i, ENERGY, name.row.j_per_token)
