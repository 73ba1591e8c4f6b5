"""The schemes of an experiment: names, or inline ones."""

from collections.abc import Sequence

from bitjoule.energy_models.formats.schemes import Scheme, schemes
from bitjoule.experiments.names.entries import NamedScheme
from bitjoule.experiments.names.lookup import Lookup


def read_schemes(lookup: Lookup, entries: Sequence[str | NamedScheme]) -> dict[str, Scheme]:
    """Return schemes by name.

    Parameters
    ----------
    lookup
        Of the experiment.
    entries
        As the experiment lists them.
    """
    by_name: dict[str, Scheme] = {}
    for i, entry in enumerate(entries):
        if not isinstance(entry, str):
            by_name[entry.name] = entry
        elif lookup.known("scheme", entry, schemes(), ("schemes", i)):
            by_name[entry] = schemes()[entry]
    return by_name
