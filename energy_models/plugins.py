"""What other packages contribute: found by entry points, named when they are wrong.

A package adds a kind of experiment, a plot, a scheme, ... by an entry point in its pyproject.toml, for instance::

    [project.entry-points."bitjoule.platforms"]
    our_chips = "our_package:platforms"      # a YAML file, a folder of them, or a function that returns its path
"""

import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from bitjoule.energy_models.errors import PluginError

OURS = "bitjoule"


@dataclass(frozen=True)
class Plugin:
    """One entry point.

    Parameters
    ----------
    group, name
        Of the entry point.
    value
        What it names: ``module`` or ``module:attribute``.
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
            As for `bitjoule.energy_models.errors.Problem`.
        """
        return PluginError(f"{self.package}: entry point {self.name!r} of {self.group}: {wrong}; expected {expected}")

    def load(self, expected: str) -> Any:
        """Return what the entry point names.

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
            for part in filter(None, attribute.split(".")):
                loaded = getattr(loaded, part)
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
    found: dict[str, Plugin] = {}
    for entry in sorted(importlib.metadata.entry_points(group=group), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist is not None else "unknown package"
        plugin = Plugin(group, entry.name, entry.value, package)
        if package == OURS:  # known without its metadata: these may be older than the source, or missing
            continue
        if found.get(entry.name, plugin) != plugin:
            raise plugin.error(f"{found[entry.name].package} has one of this name", "a name of its own")
        found[entry.name] = plugin
    return found


def with_ours(group: str, ours: Mapping[str, str]) -> Mapping[str, Plugin]:
    """Return our own entries of a group, in order, and then those of other packages.

    Parameters
    ----------
    group
        E.g. ``bitjoule.kinds``.
    ours
        What each of ours names, by name; pyproject.toml declares the same.

    Raises
    ------
    PluginError
        Another package uses a name that is taken.
    """
    for name, plugin in plugins(group).items():
        if name in ours:
            raise plugin.error("bitjoule has one of this name", "a name of its own")
    return {name: Plugin(group, name, value, OURS) for name, value in ours.items()} | dict(plugins(group))


FILES = "a YAML file, a folder of YAML files, a package that holds them, or a function that returns such a path"


def contributed_files(group: str) -> Iterator[tuple[Plugin, Path]]:
    """Yield the YAML files that packages contribute to a group.

    Parameters
    ----------
    group
        E.g. ``bitjoule.platforms``.

    Raises
    ------
    PluginError
        An entry point names no such files.
    """
    for plugin in plugins(group).values():
        loaded = plugin.load(FILES)
        if isinstance(loaded, ModuleType):
            loaded = next(iter(getattr(loaded, "__path__", ())), None)
        elif callable(loaded):
            try:
                loaded = loaded()
            except Exception as error:
                raise plugin.error(f"{plugin.value}() fails ({type(error).__name__}: {error})", FILES) from error
        try:
            path = Path(loaded)
        except TypeError:
            raise plugin.error(f"{plugin.value} gives {type(loaded).__name__}", FILES) from None
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not files or not files[0].is_file():
            raise plugin.error(f"no YAML file at {path}", FILES)
        for file in files:
            yield plugin, file
