"""The technologies of an experiment: names, files of ``bitjoule calibrate``, or written out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bitjoule.energy_models.inputs.documents import KeyPath
from bitjoule.energy_models.prices.measured import MeasuredTechnology, read_measured
from bitjoule.energy_models.prices.technology import Technology, measured_technology, technologies
from bitjoule.experiments.names.entries import NamedTechnology
from bitjoule.experiments.names.lookup import Entries, Lookup


def _read(path: Path) -> Technology | MeasuredTechnology:
    return read_measured(path)


TECHNOLOGIES: Entries[Technology | MeasuredTechnology] = Entries(
    "technology", technologies, _read, "a technology that `bitjoule calibrate` wrote"
)


def read_technologies(
    lookup: Lookup, entries: Sequence[str | NamedTechnology]
) -> tuple[Mapping[str, Technology], list[str | NamedTechnology]]:
    """Return an experiment's technologies by name, and its list of them with those of files in full.

    Parameters
    ----------
    lookup
        Of the experiment.
    entries
        As the experiment lists them.
    """
    found: dict[str, Technology] = {}
    inlined: list[str | NamedTechnology] = []
    for i, entry in enumerate(entries):
        at: KeyPath = ("technologies", i)
        whole = read_technology(lookup, entry, at)
        if whole is None:
            continue
        name = whole if isinstance(whole, str) else whole.name
        lookup.once("technology", name, found, at)
        found[name] = technology_of(whole)
        inlined.append(whole)
    return found, inlined


def technology_of(whole: str | NamedTechnology) -> Technology:
    """Return the technology that a name, or one written out, stands for.

    Parameters
    ----------
    whole
        From `read_technology`.
    """
    return technologies()[whole] if isinstance(whole, str) else measured_technology(whole.name, whole)


def read_technology(lookup: Lookup, entry: str | NamedTechnology, at: KeyPath) -> str | NamedTechnology | None:
    """Return a technology as it is written in an experiment that no other file belongs to; none with a problem.

    Parameters
    ----------
    lookup
        Of the experiment.
    entry, at
        A name, a path, or written out, and its place.
    """
    if isinstance(entry, NamedTechnology):
        return entry
    found = lookup.find(TECHNOLOGIES, entry, at)
    if found is None or not isinstance(found.value, MeasuredTechnology):
        return None if found is None else found.name
    return NamedTechnology.model_validate({"name": found.name, **found.value.with_defaults()})
