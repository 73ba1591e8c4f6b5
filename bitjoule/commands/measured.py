"""``bitjoule fit`` and ``bitjoule predict``: platforms against measurements of machines."""

import argparse
import csv
import io
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitjoule.commands.files import YAML, check_output, write_whole
from bitjoule.commands.status import OK
from bitjoule.energy_models.inputs.errors import whole_file

if TYPE_CHECKING:
    from bitjoule.energy_models.machines.fitting import FamilyFit
    from bitjoule.energy_models.machines.names import Named
    from bitjoule.energy_models.machines.predict import Lengths, Prediction
    from bitjoule.energy_models.machines.rows import MeasuredRow

ADDED = (
    "platform", "scheme", "metered", "predicted_tokens_per_s", "predicted_j_per_token", "error_tokens_per_s",
    "error_j_per_token", "low_tokens_per_s", "high_tokens_per_s", "low_j_per_token", "high_j_per_token", "why_not",
)  # fmt: skip
POINT_COLUMNS = ("line", "model", "weights", "batch", "quantity", "measured", "error")
FITTED = "fitted to"
SCIPY = "pip install 'bitjoule[fit]'"


def add_measured(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``fit`` and ``predict``.

    Parameters
    ----------
    commands
        Subparsers of the command line.
    """
    fit = commands.add_parser(
        "fit", help="fit the free values of platforms to measurements",
        description="Fit the values that a platform lists under `fit` to the rows of its machine that are marked `fit` "
        "(all of its rows, if the file marks none). Speed and energy of a row are two observations. Of several "
        "platforms, values that are `shared` are one.",
    )  # fmt: skip
    fit.add_argument(
        "platforms", type=Path, nargs="+", metavar="PLATFORM.yaml", help="platform; its name is that of the file"
    )
    fit.add_argument(
        "-o", "--output", type=Path, metavar="FITTED.yaml",
        help="platform file to write; of several platforms, a directory for files of their names",
    )  # fmt: skip
    predict = commands.add_parser(
        "predict", help="predict measurements of machines",
        description="Predict tokens per second and joules per token of each row of a file of measurements.",
    )  # fmt: skip
    predict.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.csv", help="file to write")
    predict.add_argument(
        "--speed", choices=("given", "predicted"), default="predicted",
        help="whether watts flow for the measured or the predicted time (default: %(default)s)",
    )  # fmt: skip
    for parser in (fit, predict):
        parser.add_argument("measured", type=Path, metavar="MEASURED.csv", help="rows as in measured_machines.csv")
        parser.add_argument(
            "--prompt-tokens", type=_band, default=(256.0, 900.0), metavar="LOW..HIGH",
            help="prompts of whole requests whose rows print none (default: 256..900)",
        )  # fmt: skip
    fit.set_defaults(command=_fit)
    predict.set_defaults(command=_predict)


def _band(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"([1-9]\d{0,6})(?:\.\.([1-9]\d{0,6}))?", text)
    low, high = (float(found[1]), float(found[2] or found[1])) if found else (1.0, 0.0)
    if low > high:
        raise argparse.ArgumentTypeError(f"got {text[:20]!r}; expected tokens, low..high, e.g. 256..900")
    return low, high


def _lengths(options: argparse.Namespace) -> "Lengths":
    from bitjoule.energy_models.machines.predict import Lengths

    return Lengths(prompt_tokens=options.prompt_tokens)


def _fit(options: argparse.Namespace, words: Sequence[str]) -> int:
    try:
        from bitjoule.energy_models.machines.fitting import Member, fit_family
    except ModuleNotFoundError as error:
        if error.name != "scipy":
            raise
        raise whole_file("fit", "scipy is not installed", SCIPY) from error
    from bitjoule.energy_models.machines.rows import read_rows
    from bitjoule.energy_models.system.platform.platforms import read_platform

    paths: list[Path] = options.platforms
    outputs = _outputs(options.output, paths)
    read = [read_platform(path) for path in paths]
    columns, rows = read_rows(options.measured)
    members = []
    for path, platform in zip(paths, read, strict=True):
        chosen, told = _rows_of(path.stem, rows, "use" in columns)
        for line in told:
            print(f"bitjoule: warning: {line}", file=sys.stderr)
        if not chosen:
            wanted = f"rows of a device that measured_devices.csv maps to {path.stem}"
            wanted += ", marked fit where there is a column use"
            raise whole_file(str(options.measured), f"no rows to fit {path.stem} to", wanted)
        members.append(Member(str(path), platform, path.stem, chosen))
    result = fit_family(members, _lengths(options))
    for warning in result.warnings:
        print(f"bitjoule: warning: {warning}", file=sys.stderr)
    _print_report(result)
    command = shlex.join(["bitjoule", *words])
    texts = [_fitted_yaml(i, path, options.measured.name, result, command) for i, path in enumerate(paths)]
    for output, text in zip(outputs, texts, strict=False):
        write_whole(output, text)
    return OK


def _outputs(output: Path | None, platforms: Sequence[Path]) -> list[Path]:
    """Return the files to write, none where nothing is to be written."""
    names = [path.name for path in platforms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise whole_file(twice, "is given twice", "platforms of different names")
    if output is None:
        return []
    if len(platforms) == 1:
        check_output(output, YAML, *platforms)
        return [output]
    if not output.is_dir():
        raise whole_file(str(output), "is not a directory", "an existing directory, for files of several platforms")
    outputs = [output / path.name for path in platforms]
    for path, each in zip(platforms, outputs, strict=True):
        check_output(each, (path.suffix,), *platforms)
    return outputs


def _rows_of(name: str, rows: "Sequence[MeasuredRow]", marked: bool) -> "tuple[list[Named], list[str]]":
    """Return the rows of a platform, where some are marked those to fit, and why others of it are left out."""
    from bitjoule.energy_models.machines.names import UnknownNameError, named, platform_name
    from bitjoule.energy_models.machines.points import points_of
    from bitjoule.energy_models.machines.rows import FIT

    chosen: list[Named] = []
    told: list[str] = []
    of_machine = {name, *points_of(name)}
    for row in rows:
        if marked and row.use != FIT:
            continue
        try:
            if platform_name(row.cells["device"]) not in of_machine:
                continue
        except UnknownNameError:
            continue
        try:
            chosen.append(named(row))
        except UnknownNameError as error:
            told.append(f"{row.file}:{row.line}: is not fitted: {error}")
    return chosen, told


def _print_report(result: "FamilyFit") -> None:
    import numpy as np

    from bitjoule.commands.terminal import print_table

    regression = result.regression
    parameters = [
        (each.key, *(f"{end:.4g}" for end in (e.value, e.low, e.high)), "prior" if each.free.prior else "", e.note)
        for each, e in zip(result.parameters, regression.estimates, strict=True)
    ]
    shown = {by: logs for by, logs in result.left_out.items() if by != "machines" or len(result.members) > 1}
    points = []
    for i, each in enumerate(result.observations):
        row = result.rows[each.row].row
        left = [logs[i] for logs in shown.values()]
        points.append((
            row.line, row.cells["model"], row.cells["weights"], f"{row.batch:g}", each.quantity, f"{each.value:.4g}",
            *("" if np.isnan(log) else f"{100 * np.expm1(log):+.1f} %" for log in (regression.residuals[i], *left)),
        ))  # fmt: skip
    medians = [
        f"left out by {by}: median error {100 * np.median(np.abs(np.expm1(logs[~np.isnan(logs)]))):.1f} %"
        for by, logs in shown.items()
        if not np.isnan(logs).all()
    ]
    headers = (*POINT_COLUMNS, *(f"{by.removesuffix('s')} left out" for by in shown))
    print_table(("parameter", "value", "95 % low", "high", "", "note"), parameters, disable_numparse=True)
    print()
    print_table(headers, points, disable_numparse=True)
    deviation = f"deviation of a point {100 * regression.deviation:.1f} %; condition number {regression.condition:.3g}"
    print("", deviation, *medians, sep="\n")


def _fitted_yaml(at: int, path: Path, measured: str, result: "FamilyFit", command: str) -> str:
    from bitjoule.energy_models.inputs.documents import read_document
    from bitjoule.energy_models.inputs.yaml_core import write_yaml

    data: dict[str, Any] = dict(read_document(path).data)
    sources = dict(data.get("sources", {}))
    for parameter, estimate in zip(result.parameters, result.regression.estimates, strict=True):
        own = [key for member, key in parameter.places if member == at]
        if not own:
            continue
        free = parameter.free
        digits = float(f"{estimate.value:.6g}")
        note = f"; {estimate.note}" if estimate.note else ""
        prior = f"; prior {free.prior[0]:g} to {free.prior[1]:g}: {free.source}" if free.prior else ""
        of = [result.members[member] for member, _ in parameter.places]
        count = sum(len(member.rows) for member in of)
        machines = f" of {' and '.join(member.name for member in of)}" if len(of) > 1 else ""
        text = (
            f"{FITTED} {count} rows{machines} of {measured}; 95 % interval {estimate.low:.4g} to "
            f"{estimate.high:.4g}{note}{prior}"
        )
        for each in (*own, *free.also):
            _set(data, each, digits)
            place = each.split(".")  # a list has one source
            key = ".".join(place[: next((i for i, part in enumerate(place) if part.isdigit()), None)])
            if each in own or sources.get(key, FITTED).startswith(FITTED):  # others say why they follow a fitted value
                sources[key] = text
    data["sources"] = sources
    return f"# Values under `fit` were written by: {command}\n{write_yaml(data, 110)}"


def _set(data: dict[str, Any], key: str, value: float) -> None:
    place: Any = data
    *parts, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in parts:
        place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
    place[last] = value


def _predict(options: argparse.Namespace, words: Sequence[str]) -> int:  # noqa: ARG001 (every command takes its words)
    from bitjoule.energy_models.machines.predict import predictions
    from bitjoule.energy_models.machines.rows import read_rows
    from bitjoule.energy_models.system.platform.platforms import platforms

    check_output(options.output, (".csv",), options.measured)
    columns, rows = read_rows(options.measured)
    taken = [name for name in ADDED if name in columns]
    if taken:
        raise whole_file(str(options.measured), f"has a column {taken[0]} already", "measurements, not predictions")
    if not rows:
        raise whole_file(str(options.measured), "has no rows", "a row for each measurement")
    found = predictions(rows, platforms(), _lengths(options), options.speed == "given")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, *ADDED])
    for prediction in found:
        writer.writerow([*prediction.row.cells.values(), *_added(prediction)])
    write_whole(options.output, text.getvalue())
    _print_errors(rows, found, options.speed == "given")
    worth = _band_worth(found, options.prompt_tokens)
    if worth:
        print(f"\n{worth}")
    return OK


def _band_worth(found: "Sequence[Prediction]", prompt_tokens: tuple[float, float]) -> str:
    """Return how much predictions of rows that print no prompt depend on its band; nothing without such rows."""
    import numpy as np

    banded = [each.bands for each in found if each.bands]
    if not banded:
        return ""
    low, high = prompt_tokens
    rows = f"{len(banded)} {'row prints' if len(banded) == 1 else 'rows print'} no prompt"
    if low == high:
        return f"{rows}: {low:g} tokens are assumed; a band (--prompt-tokens LOW..HIGH) shows what that is worth"
    spans = {
        name: np.array([ends[key][1] / ends[key][0] - 1 for ends in banded])
        for key, name in (("tokens_per_s", "tokens/s"), ("j_per_token", "J/token"))
    }
    worth = " and ".join(f"{name} by {np.median(of):.0%} (most: {of.max():.0%})" for name, of in spans.items())
    return f"{rows}: from {low:g} to {high:g} tokens, {worth} between the ends (median of the rows)"


def _added(found: "Prediction") -> list[str]:
    from bitjoule.energy_models.machines.errors import relative_error

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.6g}"

    errors = [
        relative_error(found.tokens_per_s, found.row.tokens_per_s),
        relative_error(found.j_per_token, found.row.j_per_token),
    ]
    bands = [end for key in ("tokens_per_s", "j_per_token") for end in found.bands.get(key, (None, None))]
    values = [number(value) for value in (found.tokens_per_s, found.j_per_token, *errors, *bands)]
    return [found.platform, found.scheme, found.meter, *values, found.why]


def _print_errors(rows: Sequence["MeasuredRow"], found: Sequence["Prediction"], speed_given: bool) -> None:
    from bitjoule.commands.terminal import print_table
    from bitjoule.energy_models.machines.errors import (
        constant_watts,
        error_lines,
        roofline_tokens_per_s,
    )
    from bitjoule.energy_models.machines.rows import read_rows
    from bitjoule.energy_models.system.platform.platforms import platforms

    checked = [i for i, prediction in enumerate(found) if not prediction.why and prediction.row.use in ("", "hold")]
    chosen, of = [found[i] for i in checked], [rows[i] for i in checked]
    ours: dict[str, list[float | None]] = {
        "tokens_per_s": [prediction.tokens_per_s for prediction in chosen],
        "j_per_token": [prediction.j_per_token for prediction in chosen],
    }
    plain = {
        "tokens_per_s": roofline_tokens_per_s(of, platforms()),
        "j_per_token": constant_watts(of, read_rows()[1]),
    }
    if speed_given:
        del ours["tokens_per_s"]
    others = {line[:2]: line for line in error_lines(chosen, plain)}
    table = []
    for line in error_lines(chosen, ours):
        other = others.get(line[:2])
        beside = (
            (other.rows, f"{100 * other.median:.1f} %", f"{100 * other.ninetieth:.1f} %") if other else ("", "", "")
        )
        table.append((*line[:3], f"{100 * line.median:.1f} %", f"{100 * line.ninetieth:.1f} %", *beside))
    headers = ("machine", "quantity", "rows", "median", "90 %", "rows", "roofline or constant watts", "90 %")
    priced = sum(not prediction.why for prediction in found)
    if not table:
        print(f"{priced} of {len(found)} rows are priced; none of them is to be checked")
        return
    print(f"{priced} of {len(found)} rows are priced; errors of those that are to be checked:\n")
    print_table(headers, table, disable_numparse=True)
