"""The names that measurements use, as platforms, presets, schemes and meters of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple, cast

from bitjoule.energy_models.formats.schemes import Scheme, schemes, schemes_in
from bitjoule.energy_models.inputs.errors import suggestion
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.machines.rows import MeasuredRow

Scope = Literal["chip", "rail", "board", "battery"]
WHOLE: tuple[Scope, ...] = ("board", "battery")  # that see everything
Idle = Literal["gross", "net"]
NO_ENERGY = "none"  # scope of rows that give speeds alone


class UnknownNameError(Exception):
    """A name of a measurement that stands for nothing of ours; the message says why."""


@dataclass(frozen=True)
class Metered:
    """What a meter sees.

    Parameters
    ----------
    scope
        ``chip`` or ``rail``, without the off-chip memory; ``board`` or ``battery``, with everything. None where the row
        does not say.
    idle
        Whether the watts of the idle machine are in the reading (``gross``) or were subtracted (``net``).
    energy
        Whether energy was measured at all.
    """

    scope: Scope | None
    idle: Idle | None
    energy: bool = True


class Named(NamedTuple):
    """A row with what its names stand for; `cards` of the platform share the model."""

    row: MeasuredRow
    platform: str
    preset: str
    scheme: str
    meter: Metered
    cards: int = 1


@cache
def _table(file: str, key: tuple[str, ...], columns: tuple[str, ...]) -> Mapping[tuple[str, ...], Mapping[str, str]]:
    rows = read_facts(DATA / file, columns)
    return {tuple(cells[column] for column in key): cells for _, cells in rows}


def devices() -> Mapping[tuple[str, ...], Mapping[str, str]]:
    """Return the rows of measured_devices.csv by name."""
    return _table("measured_devices.csv", ("name",), ("name", "platform", "cards", "note"))


def models() -> Mapping[tuple[str, ...], Mapping[str, str]]:
    """Return the rows of measured_models.csv by name."""
    return _table("measured_models.csv", ("name",), ("name", "preset", "note"))


def activations() -> Mapping[tuple[str, ...], Mapping[str, str]]:
    """Return the rows of measured_activations.csv by name."""
    return _table("measured_activations.csv", ("name",), ("name", "format", "note"))


def number_formats() -> Mapping[tuple[str, ...], Mapping[str, str]]:
    """Return the rows of measured_formats.csv by the names of weights and the format of activations."""
    columns = ("weights", "activations", "scheme", "note")
    return _table("measured_formats.csv", ("weights", "activations"), columns)


def meters() -> Mapping[tuple[str, ...], Mapping[str, str]]:
    """Return the rows of measured_meters.csv by name."""
    return _table("measured_meters.csv", ("name",), ("name", "scope", "idle", "note"))


def platform_name(device: str) -> str:
    """Return the platform of a device.

    Parameters
    ----------
    device
        As measurements name it.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    return _named("device", device, devices(), "platform")


def card_count(device: str) -> int:
    """Return how many cards a known device has.

    Parameters
    ----------
    device
        As measurements name it.
    """
    return int(devices()[device,]["cards"] or 1)


def preset_name(model: str) -> str:
    """Return the preset of a model.

    Parameters
    ----------
    model
        As measurements name it.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    return _named("model", model, models(), "preset")


@cache
def measured_schemes() -> dict[str, Scheme]:
    """Return the schemes that ship and those of measured_schemes.yaml, by name."""
    return {**schemes(), **schemes_in(DATA / "measured_schemes.yaml")}


def scheme_name(weights: str, activation: str) -> str:
    """Return the scheme of weights and activations, a name in `measured_schemes`.

    Parameters
    ----------
    weights, activation
        As measurements name them.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    number_format = _named("activations", activation, activations(), "format")
    known = number_formats()
    if (weights, number_format) in known:
        return _named("", (weights, number_format), known, "scheme")
    of_weights = {name for name, _ in known}
    if weights not in of_weights:
        raise UnknownNameError(f"unknown weights {weights!r}{suggestion(weights, of_weights)}")
    raise UnknownNameError(f"no scheme of {weights!r} weights with {activation!r} activations")


def metered(name: str) -> Metered:
    """Return what a meter sees.

    Parameters
    ----------
    name
        As measurements name it.

    Raises
    ------
    UnknownNameError
        It is not in measured_meters.csv.
    """
    if (name,) not in meters():
        raise UnknownNameError(f"unknown meter {name!r}{suggestion(name, [key for (key,) in meters()])}")
    cells = meters()[(name,)]
    scope, idle = cells["scope"] or None, cells["idle"] or None
    if scope == NO_ENERGY:
        return Metered(None, None, energy=False)
    return Metered(cast("Scope | None", scope), cast("Idle | None", idle))


def named(row: MeasuredRow) -> Named:
    """Return a row with what its names stand for.

    Parameters
    ----------
    row
        The row.

    Raises
    ------
    UnknownNameError
        One of them stands for nothing of ours.
    """
    cells = row.cells
    return Named(
        row,
        platform_name(cells["device"]),
        preset_name(cells["model"]),
        scheme_name(cells["weights"], cells["activations"]),
        metered(cells["what_is_metered"]),
        card_count(cells["device"]),
    )


def _named(
    kind: str, name: str | tuple[str, ...], known: Mapping[tuple[str, ...], Mapping[str, str]], column: str
) -> str:
    key = (name,) if isinstance(name, str) else name
    if key not in known:
        near = suggestion(name, [first for first, *_ in known])
        raise UnknownNameError(f"unknown {kind} {name!r}{near}")
    found = known[key][column]
    if not found:
        raise UnknownNameError(f"{', '.join(key)}: {known[key]['note']}")
    return found
