"""The schemes of an experiment: names, files of models as they are stored, or inline ones."""

from collections.abc import Mapping, Sequence

from bitjoule.energy_models.formats.schemes import Scheme, other_names, schemes
from bitjoule.energy_models.model_files.reading import GGUF, model_file, read_scheme, recorded
from bitjoule.experiments.names.entries import NamedScheme
from bitjoule.experiments.names.lookup import Entries, Lookup

SCHEMES = Entries(
    "scheme", schemes, read_scheme, "a model's GGUF file or its directory", (GGUF,), "config.json", model_file,
    recorded, other_names,
)  # fmt: skip


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
        at = ("schemes", i)
        if isinstance(entry, str):
            result = lookup.find(SCHEMES, entry, at)
            if result is None:
                continue
            name, scheme = result.name, result.value
        else:
            name, scheme = entry.name, entry
        lookup.once("scheme", name, by_name, at)
        by_name[name] = scheme
    return by_name


def inlined_schemes(entries: Sequence[str | NamedScheme], schemes: Mapping[str, Scheme]) -> list[str | NamedScheme]:
    """Return the schemes with those of files inlined: the experiment can be run again without these files.

    Parameters
    ----------
    entries
        As the experiment lists them.
    schemes
        From `read_schemes`.
    """
    return [
        entry if not isinstance(entry, str) or entry == name else NamedScheme(name=name, **scheme.model_dump())
        for entry, (name, scheme) in zip(entries, schemes.items(), strict=True)
    ]
