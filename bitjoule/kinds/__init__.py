"""The kinds of experiment: one module each, found by the entry-point group ``bitjoule.kinds``.

A package of the user's own adds a kind by a module with the names of `bitjoule.kinds.kind.Kind` and an entry point::

    [project.entry-points."bitjoule.kinds"]
    mine = "my_package.my_kind"

``run``, ``check``, ``list``, ``schema`` and `bitjoule.run` then know it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from bitjoule.energy_models.inputs.errors import InputError, PluginError
from bitjoule.energy_models.inputs.plugins import OURS, Plugin, with_ours
from bitjoule.kinds.kind import NAMES, Kind
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.energy_models.inputs.documents import Document

GROUP = "bitjoule.kinds"
BUILT_IN = {name: f"bitjoule.kinds.{name}" for name in ("energy", "hardware", "netlists", "prices")}


@dataclass(frozen=True)
class Found:
    """A kind, and where it comes from.

    Parameters
    ----------
    kind
        Its module.
    plugin
        Its entry point.
    """

    kind: Kind
    plugin: Plugin

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Turn what the kind's own code may raise into errors that name who must mend it.

        Raises
        ------
        SimulatorError
            A package that the kind needs is not installed.
        PluginError
            The code of another package fails.
        """
        install = getattr(self.kind, "INSTALL", None)
        try:
            yield
        except (InputError, PluginError, SimulatorError, BrokenPipeError):
            raise
        except ModuleNotFoundError as error:
            if install is None:
                raise
            raise SimulatorError(f"{error.name} is not installed: pip install '{install}'") from None
        except Exception as error:
            if self.plugin.package == OURS:
                raise
            raise self.plugin.error(f"fails with {type(error).__name__}: {error}", "a run, or InputError") from error


@cache
def kinds() -> Mapping[str, Found]:
    """Return every kind by name, ours first.

    Raises
    ------
    PluginError
        A plug-in is not a kind, or uses a name or a key that is taken.
    """
    expected = f"a module with {', '.join(NAMES)}"
    found: dict[str, Found] = {}
    of_key: dict[str, str] = {}
    for name, plugin in with_ours(GROUP, BUILT_IN).items():
        module: Any = plugin.load(expected)
        missing = [attribute for attribute in NAMES if not hasattr(module, attribute)]
        if missing:
            raise plugin.error(f"{plugin.value} has no {', '.join(missing)}", expected)
        if module.KEY in of_key:
            raise plugin.error(f"its KEY {module.KEY!r} is that of {of_key[module.KEY]}", "a key of its own")
        of_key[module.KEY] = name
        found[name] = Found(module, plugin)
    return found


def kind_of(document: "Document") -> str:
    """Return the name of the kind of an experiment.

    Parameters
    ----------
    document
        As written; only its keys are looked at.
    """
    keys = document.data if isinstance(document.data, dict) else {}
    claimed = [name for name, found in kinds().items() if found.kind.KEY and found.kind.KEY in keys]
    return claimed[0] if claimed else "energy"
