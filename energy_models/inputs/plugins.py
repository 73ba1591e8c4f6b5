"""Contributions of other packages, found by entry points; an error names the package.

A package adds a kind of experiment, a plot, a scheme, ... by an entry point in its pyproject.toml, for instance::

    [project.entry-points."bitjoule.platforms"]
    our_chips = "our_package:platforms"      # a YAML file, a folder of them, or a function that returns its path
"""

import importlib
import importlib.metadata
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from bitjoule.energy_models.inputs.errors import InputError, PluginError

OURS, UNKNOWN = "bitjoule", "unknown package"
GROUPS = tuple(
    f"bitjoule.{kind}" for kind in ("kinds", "plots", "models", "schemes", "technologies", "platforms", "libraries")
)


@dataclass(frozen=True)
class Plugin:
    """One entry point.

    Parameters
    ----------
    group, name
        Of the entry point.
    value
        What it refers to: ``module`` or ``module:attribute``.
    package
        The package that declares it.
    """

    group: str
    name: str
    value: str
    package: str

    def error(self, wrong: str, expected: str) -> PluginError:
        """Return the error for a plug-in that cannot be used.

        Parameters
        ----------
        wrong, expected
            As for `bitjoule.energy_models.inputs.errors.Problem`.
        """
        return PluginError(f"{self.package}: entry point {self.name!r} of {self.group}: {wrong}; expected {expected}")

    def load(self, expected: str) -> Any:
        """Return the object that the entry point refers to.

        Parameters
        ----------
        expected
            What that should be, for messages.

        Raises
        ------
        PluginError
            It cannot be imported.
        """
        module, _, attribute = self.value.partition(":")
        try:
            loaded: Any = importlib.import_module(module)
            for name in filter(None, attribute.split(".")):
                loaded = getattr(loaded, name)
        except Exception as error:
            if self.package == OURS:
                raise
            raise self.error(f"importing {self.value} fails ({type(error).__name__}: {error})", expected) from error
        return loaded


@cache
def plugins(group: str) -> Mapping[str, Plugin]:
    """Return the entry points of a group that other packages declare, by name.

    Parameters
    ----------
    group
        E.g. ``bitjoule.kinds``.

    Raises
    ------
    PluginError
        Two packages use the same name.
    """
    by_name: dict[str, Plugin] = {}
    for entry in sorted(importlib.metadata.entry_points(group=group), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist is not None else UNKNOWN
        plugin = Plugin(group, entry.name, entry.value, package)
        if package == OURS:  # read from the source: its metadata may be outdated or missing
            continue
        if by_name.get(entry.name, plugin) != plugin:
            raise plugin.error(f"the name is already used by {by_name[entry.name].package}", "a unique name")
        by_name[entry.name] = plugin
    return by_name


def with_ours(group: str, ours: Mapping[str, str]) -> Mapping[str, Plugin]:
    """Return our own entries of a group, in order, and then those of other packages.

    Parameters
    ----------
    group
        E.g. ``bitjoule.kinds``.
    ours
        What each of ours refers to, by name; pyproject.toml declares the same.

    Raises
    ------
    PluginError
        Another package uses a name that is taken.
    """
    for name, plugin in plugins(group).items():
        if name in ours:
            raise plugin.error("the name is already used by bitjoule", "a unique name")
    return {name: Plugin(group, name, value, OURS) for name, value in ours.items()} | dict(plugins(group))


FILES = "a YAML file, a folder of YAML files, a package that holds them, or a function that returns such a path"
Value = TypeVar("Value")


def files_of(plugin: Plugin, pattern: str = "*.yaml", expected: str = FILES) -> list[Path]:
    """Return the files that an entry point names.

    Parameters
    ----------
    plugin
        It refers to a path, several paths, a package, or a function that returns one of these.
    pattern
        Selects files of a folder.
    expected
        What it should refer to, for messages.

    Raises
    ------
    PluginError
        There are no such files.
    """
    loaded = plugin.load(expected)
    if isinstance(loaded, ModuleType):
        loaded = list(getattr(loaded, "__path__", ()))[:1]
    elif callable(loaded):
        try:
            loaded = loaded()
        except Exception as error:
            raise plugin.error(f"{plugin.value}() fails ({type(error).__name__}: {error})", expected) from error
    try:
        paths = [Path(loaded)] if isinstance(loaded, str | os.PathLike) else [Path(path) for path in loaded]
    except TypeError:
        raise plugin.error(f"{plugin.value} is of type {type(loaded).__name__}", expected) from None
    files = [file for path in paths for file in (sorted(path.glob(pattern)) if path.is_dir() else [path])]
    missing = [str(file) for file in files if not file.is_file()]
    if not files or missing:
        raise plugin.error(f"file not found: {', '.join(missing or map(str, paths)) or plugin.value}", expected)
    return files


def with_contributed(
    group: str, kind: str, ours: Mapping[str, Value], read: Callable[[Path], Mapping[str, Value]]
) -> dict[str, Value]:
    """Return our entries of a kind and those of other packages, by name.

    Parameters
    ----------
    group
        E.g. ``bitjoule.platforms``.
    kind
        What an entry is, for messages.
    ours
        Our own.
    read
        Reads the entries of a YAML file.

    Raises
    ------
    PluginError
        A file is missing or wrong, or uses a name that is taken.
    """
    entries = dict(ours)
    for plugin in plugins(group).values():
        for file in files_of(plugin):
            try:
                contributed = read(file)
            except InputError as error:
                raise plugin.error(f"{error.problems[0].wrong} ({_place(error)})", error.problems[0].expected) from None
            for name in contributed.keys() & entries.keys():
                raise plugin.error(f"{file.name}: duplicate {kind} {name!r}", "a unique name")
            entries |= contributed
    return entries


def _place(error: InputError) -> str:
    problem = error.problems[0]
    return f"{problem.file}:{problem.line}: {problem.key}"


def contributing_packages() -> dict[str, str]:
    """Return the version of each contributing package, by name."""
    names = {plugin.package for group in GROUPS for plugin in plugins(group).values()}
    return {name: importlib.metadata.version(name) for name in sorted(names - {UNKNOWN})}
