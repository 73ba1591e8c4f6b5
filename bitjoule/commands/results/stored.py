"""``bitjoule report`` and ``bitjoule compare``: results that were written, looked at again."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bitjoule.commands.options import folder
from bitjoule.commands.status import OK

if TYPE_CHECKING:
    from bitjoule.experiments.results.differences import Comparison
    from bitjoule.experiments.results.folders import ResultFolder
    from bitjoule.reports.page.page import Contents

HTML = (".html", ".htm")
SHOWN_ROWS = 12  # of each table of a comparison on a terminal


def add_results_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``report`` and ``compare``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    report = commands.add_parser(
        "report", help="write results as one HTML page",
        description="Write results as one HTML page that needs no network and no other file: the outcome in a "
        "sentence, a chart of every table, the pictures, tables, assumptions, prices with their sources, the "
        "experiment, and where all of it comes from.",
    )  # fmt: skip
    report.add_argument(
        "results", nargs="+", type=folder, metavar="RESULTS",
        help="output directory of a run, or a directory that holds several",
    )  # fmt: skip
    report.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE.html",
        help="page to write (default: %(default)s)",
    )  # fmt: skip
    report.set_defaults(command=_report)

    compare = commands.add_parser(
        "compare", help="say what differs between two results, and why",
        description="Compare two results: the inputs, the prices and the totals that differ, and which operations and "
        "accesses make up the difference of the case that changed most, largest first.",
    )  # fmt: skip
    compare.add_argument("first", type=folder, metavar="FIRST", help="output directory of a run")
    compare.add_argument("second", type=folder, metavar="SECOND", help="output directory of another run")
    compare.add_argument(
        "--where", action="append", default=[], type=_condition, metavar="KEY=VALUE",
        help="compare only these cases, e.g. scheme=fp16 or phase=decode; may be repeated",
    )  # fmt: skip
    compare.add_argument(
        "-o", "--output", type=folder, metavar="DIR",
        help="also write the tables as CSV, the text, and a waterfall picture to this directory",
    )  # fmt: skip
    compare.set_defaults(command=_compare)


def _condition(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}; expected KEY=VALUE, e.g. scheme=fp16")
    return key.strip(), value.strip()


def _report(options: argparse.Namespace, _: Sequence[str]) -> int:
    from bitjoule import __version__
    from bitjoule.commands.files import check_output, write_whole
    from bitjoule.experiments.results.folders import naming_changed, open_results
    from bitjoule.reports.page.page import report

    check_output(options.output, HTML)
    results = open_results(options.results)
    with naming_changed(results):
        text = report([_contents(result) for result in results], __version__, str(options.output))
    write_whole(options.output, text)
    names = ", ".join(result.name for result in results)
    print(f"{options.output}: {names} ({len(text.encode()) / 1e6:.2f} MB); open it in a browser")
    return OK


def _compare(options: argparse.Namespace, words: Sequence[str]) -> int:
    from bitjoule.commands.terminal import show
    from bitjoule.energy_models.inputs.errors import whole_file
    from bitjoule.experiments.results.differences import compare
    from bitjoule.experiments.results.folders import naming_changed, open_result
    from bitjoule.reports.comparison import comparison_markdown

    first, second = (open_result(path) for path in (options.first, options.second))
    kinds = [_kind(result) for result in (first, second)]
    if kinds[0] != kinds[1]:
        wrong = f"is of the kind {kinds[1]}, and {first.path} of the kind {kinds[0]}"
        raise whole_file(str(second.path), wrong, "two results of one kind")
    with naming_changed((first, second)):
        comparison = compare(first, second, dict(options.where))
        text = comparison_markdown(comparison, SHOWN_ROWS)
    show(text)
    if options.output is not None:
        print(_write(comparison, options.output, ["bitjoule", *words]))
    return OK


def _write(comparison: "Comparison", target: Path, command: Sequence[str]) -> str:
    """Write a comparison to a directory, and return a line that names its files."""
    from functools import partial

    from bitjoule.energy_models.inputs.fingerprints import fingerprint
    from bitjoule.experiments.output.folder import MANIFEST, replacing
    from bitjoule.experiments.output.manifest import write_manifest
    from bitjoule.experiments.output.tables import write_csv
    from bitjoule.reports.comparison import comparison_markdown, draw_waterfall, tables
    from bitjoule.reports.energy.pictures import save
    from bitjoule.reports.figures.markdown import MAX_ROWS
    from bitjoule.writing import written_files

    with replacing(target) as staging:
        for name, table in tables(comparison):
            write_csv([table], staging / f"{name}.csv")
        (staging / "comparison.md").write_text(comparison_markdown(comparison, MAX_ROWS), encoding="utf-8")
        if not comparison.contributions.empty:
            save(partial(draw_waterfall, comparison), staging, "waterfall")
        manifests = [result.path / MANIFEST for result in (comparison.first, comparison.second)]
        write_manifest(staging, {str(path): fingerprint(path) for path in manifests}, command, {})
    return written_files(target)


def _contents(result: "ResultFolder") -> "Contents":
    from bitjoule.energy_models.inputs.sources import references
    from bitjoule.experiments.results.assumed import assumed, scheme_kinds
    from bitjoule.experiments.results.prices import OWN, paid_prices, technology_prices
    from bitjoule.reports.page.markdown_text import split_summary
    from bitjoule.reports.page.page import Contents

    prices, assumptions = paid_prices(result), assumed(result)
    rows = technology_prices(result) if prices.empty else prices.iloc[:0]
    cells = [*prices["source"], *rows["source"], *assumptions["source"]]
    cited = [line for line in references(map(str, cells)) if line not in (OWN, "assumption")]
    kind = _kind(result)
    lead = split_summary(result.summary_text, result.description).lead or _headline(result, kind)
    return Contents(result, kind, lead, prices, rows, cited, assumptions, scheme_kinds(result.experiment))


def _kind(result: "ResultFolder") -> str:
    from bitjoule.energy_models.inputs.documents import Document
    from bitjoule.kinds import kind_of

    return kind_of(Document(str(result.path), result.experiment, {}))


def _headline(result: "ResultFolder", kind: str) -> str:
    """Return the outcome in one line, as the kind of the experiment says it of its tables."""
    from bitjoule.experiments.results.folders import StoredResult
    from bitjoule.kinds import kinds
    from bitjoule.kinds.kind import Outcome

    headline = getattr(kinds()[kind].kind, "headline", None)
    if headline is None or "summary" not in result.files:
        return ""
    try:
        return f"{headline(Outcome(StoredResult(result), {}, result.experiment, {}))}."
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Kinds whose sentence needs more than tables, which the summary has then, and tables without rows.
        return ""
