"""Experiments that count no model's operations: on the simulated hardware, on netlists, and of prices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.sim.simulators import SimulatorError
from bitjoule.simulate_command import run_hardware

if TYPE_CHECKING:
    from bitjoule.energy_models.documents import Document
    from bitjoule.experiments.gates_schema import GatesInput
    from bitjoule.experiments.preparation import Prepared
    from bitjoule.experiments.prices_schema import PricesInput
    from bitjoule.experiments.rtl_schema import RtlExperiment

SHOWN_ROWS = 40


@dataclass(frozen=True)
class OtherRun:
    """An experiment, read and checked.

    Parameters
    ----------
    name, description
        As its file says.
    kind
        For ``bitjoule list``.
    checked
        What ``bitjoule check`` says of it.
    run
        Runs it; takes the folder of results, the command line, and whether to draw.
    """

    name: str
    description: str
    kind: str
    checked: str
    run: Callable[[Path, Sequence[str], bool], None]


def read_other(document: "Document", source: Path, whole: bool = True) -> OtherRun | None:
    """Return an experiment, or none if it is one that counts a model's operations.

    Parameters
    ----------
    document, source
        Where it was written, and its file.
    whole
        Whether also what needs the hardware's packages is looked up and checked.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    SimulatorError
        The hardware's packages are missing.
    """
    keys = document.data if isinstance(document.data, dict) else {}
    if "rtl" in keys:
        from bitjoule.experiments.rtl_schema import read_rtl_experiment

        experiment = read_rtl_experiment(document)
        prepared = _prepared(experiment, document) if whole else None
        return OtherRun(
            experiment.name, experiment.description, "hardware", f"{document.file}: ok, a run on the hardware",
            lambda out, command, _: run_hardware(prepared or _prepared(experiment, document), out, command),
        )  # fmt: skip
    if "gates" in keys:
        from bitjoule.experiments.gates_schema import read_gates_experiment

        gates = read_gates_experiment(document, source)
        many = f"{gates.measurements} measurement{'s' * (gates.measurements > 1)}"
        return OtherRun(
            gates.experiment.name, gates.experiment.description, "gates", f"{document.file}: ok, {many} on gates",
            lambda out, command, plots: _measure(gates, out, command, plots),
        )  # fmt: skip
    if "compare" in keys:
        from bitjoule.experiments.prices_schema import read_prices_experiment

        prices = read_prices_experiment(document, source)
        return OtherRun(
            prices.experiment.name, prices.experiment.description, "prices",
            f"{document.file}: ok, a comparison of prices",
            lambda out, command, plots: _compare(prices, out, command, plots),
        )  # fmt: skip
    return None


def _prepared(experiment: "RtlExperiment", document: "Document") -> "Prepared":
    try:
        from bitjoule.experiments.preparation import prepare
    except ModuleNotFoundError as error:
        raise SimulatorError(f"{error.name} is not installed: pip install 'bitjoule[rtl]'") from None
    return prepare(experiment, document)


def _measure(given: "GatesInput", out: Path, command: Sequence[str], plots: bool) -> None:
    """Run an experiment on netlists; print its summary; write its folder."""
    from bitjoule.experiments.folder import replacing
    from bitjoule.experiments.manifest import write_rest
    from bitjoule.experiments.tables import write_csv
    from bitjoule.progress import Progress

    try:
        from bitjoule.experiments.measuring import run_gates
        from bitjoule.reports.gates import draw_gates, gates_markdown
        from bitjoule.reports.summary import MAX_ROWS

        found = run_gates(given, Progress())
    except ModuleNotFoundError as error:
        raise SimulatorError(f"{error.name} is missing: pip install 'bitjoule[gates]'") from None
    target = out / found.name
    with replacing(target) as folder:
        write_csv([found.results], folder / "results.csv")
        write_csv([found.summary], folder / "summary.csv")
        seeds = {"operands": given.experiment.gates.effort.seed}
        text = gates_markdown(found, MAX_ROWS)
        write_rest(
            folder, given.experiment, found.inputs, command, seeds, text, lambda to: draw_gates(found, to, plots)
        )
    print(gates_markdown(found, SHOWN_ROWS))
    print(written_files(target))


def _compare(given: "PricesInput", out: Path, command: Sequence[str], plots: bool) -> None:
    """Compare prices; print the summary; write the folder."""
    from bitjoule.experiments.folder import replacing
    from bitjoule.experiments.manifest import write_rest
    from bitjoule.experiments.prices import prices_table
    from bitjoule.experiments.tables import write_csv
    from bitjoule.reports.prices import draw_prices, prices_markdown

    table = prices_table(given)
    target = out / given.experiment.name
    text = prices_markdown(given, table)
    with replacing(target) as folder:
        write_csv([table], folder / "summary.csv")
        inputs = given.inputs
        write_rest(folder, given.experiment, inputs, command, {}, text, lambda to: draw_prices(table, to, plots))
    print(text)
    print(written_files(target))


def written_files(target: Path) -> str:
    """Return where the tables and pictures of a run are.

    Parameters
    ----------
    target
        The output folder.
    """
    pictures = sorted(path.name for path in target.glob("*.png") if not path.stem.endswith("_dark"))
    drawn = f"; pictures: {', '.join(pictures)} (also _dark and .svg)" if pictures else ""
    return f"Tables in {target}/{drawn}"
