"""Rows of one chip at several operating points: platforms that differ from a base by ``dvfs.point`` alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.machines.names import Named
from bitjoule.energy_models.machines.predict import Lengths, price
from bitjoule.energy_models.system.platform.platforms import FOLDER, Platform, platforms


def points_of(name: str) -> Mapping[str, float]:
    """Return the clock of each platform that ships and is a point of another, by name.

    Parameters
    ----------
    name
        Of the base: what they are ``like``.
    """
    found = {}
    for each, platform in platforms().items():
        file = FOLDER / f"{each}.yaml"
        clock = platform.dvfs.point if platform.dvfs else None
        if clock is not None and file.is_file() and read_document(file).data.get("like") == name:
            found[each] = clock
    return found


def at_point(platform: Platform, clock_mhz: float) -> Platform:
    """Return a platform at another operating point.

    Parameters
    ----------
    platform
        With ``dvfs``.
    clock_mhz
        Within its range.
    """
    data = platform.model_dump(mode="json")
    data["dvfs"]["point"] = clock_mhz
    return Platform.model_validate(data)


def price_at_points(
    rows: Sequence[Named], platform: Platform, name: str, lengths: Lengths, speed_given: bool = False
) -> tuple[Floats, Floats]:
    """Return tokens a second and joules a token of rows, each at the operating point that its platform names.

    Parameters
    ----------
    rows, platform, name, lengths, speed_given
        As for `price`; the platform is the base.

    Raises
    ------
    UnpricedError
        The platform does not compute a scheme of theirs.
    """
    points = points_of(name) if platform.dvfs else {}
    speed, energy = np.empty(len(rows)), np.empty(len(rows))
    for each in dict.fromkeys(row.platform for row in rows):
        own = np.array([row.platform == each for row in rows])
        machine = at_point(platform, points[each]) if each in points else platform
        chosen = [row for row in rows if row.platform == each]
        speed[own], energy[own] = price(chosen, machine, name, lengths, speed_given)
    return speed, energy
