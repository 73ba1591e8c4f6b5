"""The kinds of experiment: one module each, registered in the entry-point group ``bitjoule.kinds``.

Another package adds a kind with a module that has the attributes of `bitjoule.kinds.kind.Kind`, and an entry point::

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
from bitjoule.kinds.kind import NAMES, Kind, Outcome
from bitjoule.sim.bench.simulators import SimulatorError

if TYPE_CHECKING:
    from bitjoule.energy_models.inputs.documents import Document

GROUP = "bitjoule.kinds"
BUILT_IN = {
    name: f"bitjoule.kinds.{name}"
    for name in (
        "designs",
        "energy",
        "exploration",
        "hardware",
        "measured",
        "netlists",
        "prices",
        "quality",
        "serving",
        "training",
    )
}


class Warned:
    """A kind whose summaries list the warnings of the run; all else is that of its module.

    Parameters
    ----------
    module
        The module of the kind.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def summary(self, outcome: Outcome[Any], max_rows: int) -> str:
        """Return the summary as Markdown.

        Parameters
        ----------
        outcome
            Of a run.
        max_rows
            Rows shown of each table.
        """
        from bitjoule.reports.figures.markdown import with_warnings

        return with_warnings(self._module.summary(outcome, max_rows), outcome.warnings)


@dataclass(frozen=True)
class RegisteredKind:
    """A kind and the entry point that registers it.

    Parameters
    ----------
    kind
        The kind, from its module.
    plugin
        The entry point.
    """

    kind: Kind
    plugin: Plugin

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate exceptions of the kind's code into errors that name the package at fault.

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
def kinds() -> Mapping[str, RegisteredKind]:
    """Return every kind by name, built-in kinds first.

    Raises
    ------
    PluginError
        A plug-in is not a kind, or its name or key is already in use.
    """
    expected = f"a module with {', '.join(NAMES)}"
    registered: dict[str, RegisteredKind] = {}
    name_of_key: dict[str, str] = {}
    for name, plugin in with_ours(GROUP, BUILT_IN).items():
        module: Any = plugin.load(expected)
        missing = [attribute for attribute in NAMES if not hasattr(module, attribute)]
        if missing:
            raise plugin.error(f"{plugin.value} has no {', '.join(missing)}", expected)
        if module.KEY in name_of_key:
            raise plugin.error(f"its KEY {module.KEY!r} is already used by {name_of_key[module.KEY]}", "a unique KEY")
        name_of_key[module.KEY] = name
        registered[name] = RegisteredKind(Warned(module), plugin)
    return registered


def kind_of(document: "Document") -> str:
    """Return the name of the kind of an experiment.

    Parameters
    ----------
    document
        The experiment as written; only its top-level keys are read.
    """
    keys = document.data if isinstance(document.data, dict) else {}
    claimed = [name for name, registered in kinds().items() if registered.kind.KEY and registered.kind.KEY in keys]
    return claimed[0] if claimed else "energy"
