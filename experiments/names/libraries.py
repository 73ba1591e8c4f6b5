"""The libraries of an experiment: names, or Liberty files."""

from collections.abc import Sequence

from bitjoule.energy_models.inputs.documents import KeyPath
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.experiments.names.lookup import Lookup
from bitjoule.gates.liberty.libraries import FREEPDK45, named_libraries

LIBERTY = f"{FREEPDK45}, or Liberty files of one library and corner"


def read_library(lookup: Lookup, names: Sequence[str], at: KeyPath) -> list[str]:
    """Return a library's files, or its name alone; nothing if there is a problem with it.

    Parameters
    ----------
    lookup
        Of the experiment.
    names, at
        A name, or paths with the wildcards * and ?, and their place.
    """
    if len(names) == 1 and names[0] in named_libraries():
        return list(names)
    folder = lookup.document.folder(at)
    files: list[str] = []
    for name in names:
        path = folder / name
        try:
            matches = sorted(path.parent.glob(path.name)) if set("*?[") & set(name) else [path]
            matches = [match for match in matches if match.is_file()]
        except (OSError, ValueError):
            matches = []
        if not matches:
            lookup.problems.append(lookup.document.problem(at, f"{brief(name)} not found", LIBERTY))
        files += [str(file.absolute()) for file in matches]
    return files
