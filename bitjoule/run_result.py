"""What `bitjoule.run` returns: the tables of a run, its pictures, and its output directory on request."""

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from bitjoule.kinds import kinds
from bitjoule.kinds.kind import Outcome, Silent

if TYPE_CHECKING:
    import os
    from pathlib import Path
    from typing import Literal

    from matplotlib.figure import Figure

    from bitjoule.writing import RunTask

COMMAND = ("bitjoule.run",)  # what the manifest records
SHOWN_ROWS = 20  # of each table, in a notebook


class RunResult:
    """The outcome of one experiment, of any kind.

    Its tables are pandas frames: `summary` always, and what else the kind has, such as `results` and `operations`. They
    are attributes of the kind's own result, which is `kind_result`.

    Parameters
    ----------
    task
        The experiment that was run.
    outcome
        Of the run.
    written
        Whether the run wrote its tables itself, part by part: `outcome` then lacks the long ones.
    """

    def __init__(self, task: "RunTask", outcome: Outcome[Any], written: bool = False) -> None:
        self._task = task
        self._outcome = outcome
        self._written = written

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._task.name

    @property
    def kind_result(self) -> Any:
        """The result of the experiment's kind, for instance `bitjoule.experiments.energy.result.Result`."""
        return self._outcome.result

    def __getattr__(self, name: str) -> Any:
        """Return a table, or what else the kind's result has."""
        if name.startswith("_"):  # before __init__, when a copy is made; and what is private to the kind
            raise AttributeError(name)
        try:
            return getattr(self._outcome.result, name)
        except AttributeError:
            tables = ", ".join(self._outcome.tables)
            raise AttributeError(f"{self.name} has no {name!r}; its tables are {tables}") from None

    def __dir__(self) -> list[str]:
        """Return the names that an interactive shell completes."""
        own = [name for name in dir(self.kind_result) if not name.startswith("_")]
        return sorted({*super().__dir__(), *own})

    def __repr__(self) -> str:
        """Return name, kind and size."""
        return f"<{self.name}: {self._task.kind} experiment, summary of {len(self.kind_result.summary)} rows>"

    def _repr_html_(self) -> str:
        """Return the beginning of the summary, to its first table, as a notebook shows it."""
        from bitjoule.reports.page.markdown_text import HEADING, to_html

        head, *sections = kinds()[self._task.kind].kind.summary(self._outcome, SHOWN_ROWS).split(HEADING)
        first = head if "\n|" in head else HEADING.join([head, *sections[:1]])
        return f"<div>{to_html(first, escape(self.name))}</div>"

    @property
    def plot_names(self) -> Sequence[str]:
        """Names of the plots that the experiment asks for."""
        return tuple(kinds()[self._task.kind].kind.pictures(self._outcome))

    def plot(self, name: str | None = None, *, dark: bool = False) -> "Figure":
        """Draw a plot that the experiment asks for.

        Parameters
        ----------
        name
            One of `plot_names`; default: the first.
        dark
            Whether it is for a dark background.

        Returns
        -------
        matplotlib.figure.Figure
            A notebook shows it as it is; ``savefig`` writes it.

        Raises
        ------
        ValueError
            The experiment asks for no plot, or for none of that name.
        """
        import matplotlib as mpl

        from bitjoule.reports.figures.recolour import recolour
        from bitjoule.reports.figures.style import DARK, LIGHT, png_dpi, settings, settle

        registered = kinds()[self._task.kind]
        drawings = registered.kind.pictures(self._outcome)
        if not drawings:
            raise ValueError(f"{self.name} asks for no plot; expected the key `plots` in the experiment")
        name = next(iter(drawings)) if name is None else name
        if name not in drawings:
            raise ValueError(f"unknown plot {name!r} of {self.name}; expected one of {', '.join(drawings)}")
        with mpl.rc_context(settings(LIGHT)), registered.translated_errors():
            figure = drawings[name](LIGHT)
            figure.set_dpi(png_dpi(figure))
            settle(figure)
        if dark:
            with mpl.rc_context(settings(DARK)):
                recolour(figure)
        return figure

    def save(
        self,
        out: "str | os.PathLike[str]" = "results",
        *,
        plots: bool = True,
        results: "Literal['csv', 'parquet', 'xlsx'] | None" = None,
    ) -> "Path":
        """Write the output directory, as `bitjoule run` does.

        Nothing is run again, unless `bitjoule.run` was called with `out`.

        Parameters
        ----------
        out
            Parent of the output directory.
        plots
            Whether to draw plots.
        results
            Format of the tables; default: as for `bitjoule.run`.

        Returns
        -------
        pathlib.Path
            The output directory; it is replaced as a whole or left unchanged.
        """
        from pathlib import Path

        from bitjoule.writing import Writing, run, write

        if self._written:
            self._outcome, self._written = run(self._task, Silent()), False
        # pieces of a long table are computed as they are written; kept, they can be written twice
        tables = {name: tuple(pieces) for name, pieces in self._outcome.tables.items()}
        self._outcome = replace(self._outcome, tables=tables)
        settings = Writing(Path(out), COMMAND, plots, results=results)
        return write(self._task, self._outcome, settings, Silent())
