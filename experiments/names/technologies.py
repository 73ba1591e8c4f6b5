"""The technologies of an experiment: names, files of ``bitjoule calibrate``, or inline ones."""

from collections.abc import Mapping, Sequence

from bitjoule.energy_models.inputs.documents import YAML, KeyPath
from bitjoule.energy_models.prices.derived import CSV
from bitjoule.energy_models.prices.derived import read_technology as read_technology_file
from bitjoule.energy_models.prices.measured import MeasuredTechnology
from bitjoule.energy_models.prices.technology import Technology, measured_technology, technologies
from bitjoule.experiments.names.entries import NamedTechnology
from bitjoule.experiments.names.lookup import Entries, Lookup

TECHNOLOGIES: Entries[Technology | MeasuredTechnology] = Entries(
    "technology",
    technologies,
    read_technology_file,
    "a technology that `bitjoule calibrate` wrote, or a table of prices (.csv)",
    (*YAML, CSV),
)


def read_technologies(
    lookup: Lookup, entries: Sequence[str | NamedTechnology]
) -> tuple[Mapping[str, Technology], list[str | NamedTechnology]]:
    """Return an experiment's technologies by name, and its list of entries with files inlined.

    Parameters
    ----------
    lookup
        Of the experiment.
    entries
        As the experiment lists them.
    """
    by_name: dict[str, Technology] = {}
    inlined: list[str | NamedTechnology] = []
    for i, entry in enumerate(entries):
        at: KeyPath = ("technologies", i)
        technology = read_technology(lookup, entry, at)
        if technology is None:
            continue
        name = technology if isinstance(technology, str) else technology.name
        lookup.once("technology", name, by_name, at)
        by_name[name] = technology_of(technology)
        inlined.append(technology)
    return by_name, inlined


def technology_of(entry: str | NamedTechnology) -> Technology:
    """Return the technology of a name or of an inline definition.

    Parameters
    ----------
    entry
        From `read_technology`.
    """
    return technologies()[entry] if isinstance(entry, str) else measured_technology(entry.name, entry)


def read_technology(lookup: Lookup, entry: str | NamedTechnology, at: KeyPath) -> str | NamedTechnology | None:
    """Return a technology's entry in an experiment that depends on no other file; none if there is a problem.

    Parameters
    ----------
    lookup
        Of the experiment.
    entry, at
        A name, a path, or an inline technology, and its place.
    """
    if isinstance(entry, NamedTechnology):
        return entry
    result = lookup.find(TECHNOLOGIES, entry, at)
    if result is None or not isinstance(result.value, MeasuredTechnology):
        return None if result is None else result.name
    return NamedTechnology.model_validate({"name": result.name, **result.value.with_defaults()})
