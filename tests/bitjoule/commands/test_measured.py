"""``bitjoule fit`` and ``bitjoule predict`` as a user runs them."""

import csv
import sys

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.machines.names import Metered
from bitjoule.energy_models.machines.predict import Lengths, named, price
from bitjoule.energy_models.machines.rows import MEASURED_FILE, NEEDED, read_rows
from bitjoule.energy_models.system.platform.platforms import FOLDER, read_platform

TRUTH = {"achieved_share": 0.8, "unpack": 1.5e11, "array": 30.0}  # unpacking bounds the ternary points
FREE = """\
off_chip.achieved_share: {low: 0.1, high: 1}
overheads.unpack_weights_per_s.ternary2: {low: 1.0e+10, high: 1.0e+13}
static.array: {low: 1, high: 200}
"""
ONE = "overheads.unpack_weights_per_s.ternary2: {low: 1.0e+10, high: 1.0e+13}"
PLACES = {
    "achieved_share": "off_chip.achieved_share", "unpack": "overheads.unpack_weights_per_s.ternary2",
    "array": "static.array",
}  # fmt: skip
POINTS = [(f"BitNet-{size}", weights) for size in ("350M", "700M", "1.5B") for weights in ("fp16", "int2 (ternary)")]


def machine(folder, fit=FREE, **values):
    """Write the shipped machine with other values, and other ones free."""
    data = yaml.safe_load((FOLDER / "i7-13700h.yaml").read_text())
    data["off_chip"]["achieved_share"], data["static"]["array"] = values["achieved_share"], values["array"]
    data["overheads"] = {"matmul_us": 0.0, "unpack_weights_per_s": {"ternary2": values["unpack"]}}
    data["fit"] = yaml.safe_load(fit)
    path = folder / "i7-13700h.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def points(folder, noise=0.0, factor=1.0, chosen=POINTS):
    """Write rows that the true machine gives, with noise; the speed of the last is in another unit."""
    path = folder / "points.csv"
    kinds = {"fp16": "llama.cpp", "int2 (ternary)": "bitnet.cpp"}
    blank = [
        [f"i7-13700H CPU, {kinds[weights]}", model, weights, "fp16" if weights == "fp16" else "int8", 1, 1, 1,
         "unstated", "decode"]
        for model, weights in chosen
    ]  # fmt: skip

    def write(rows):
        with path.open("w", newline="") as handle:
            csv.writer(handle).writerows([NEEDED, *rows])

    write(blank)
    truth = read_platform(machine(folder, **TRUTH))
    names = [named(row)._replace(meter=Metered("chip", "gross")) for row in read_rows(path)[1]]
    speed, energy = price(names, truth, "i7-13700h", Lengths())
    error = np.exp(noise * np.random.default_rng(5).normal(size=(2, len(blank))))
    for row, *values in zip(blank, speed * error[0], energy * error[1], strict=True):
        row[5:7] = values
    blank[-1][5] *= factor
    write(blank)
    return path


START = {"achieved_share": 0.3, "unpack": 5e10, "array": 90.0}


def test_without_scipy_a_fit_says_how_to_install_it(bitjoule, tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    for name in ("fitting", "regression"):
        monkeypatch.delitem(sys.modules, f"bitjoule.energy_models.machines.{name}", raising=False)
    status, out, errors = bitjoule("fit", "mine.yaml", "points.csv", "-o", tmp_path / "fitted.yaml")
    assert (status, out) == (2, "")
    assert errors == "fit:1: file: scipy is not installed; expected pip install 'bitjoule[fit]'\n"


def test_a_fit_recovers_the_machine_that_made_the_points(bitjoule, tmp_path):
    measured = points(tmp_path, noise=0.02)
    out = tmp_path / "fitted.yaml"
    status, text, errors = bitjoule("fit", machine(tmp_path, **START), measured, "-o", out)
    assert (status, errors) == (0, "")
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line}
    fitted = read_platform(out)
    for name, key in PLACES.items():
        value, low, high = map(float, lines[key][1:4])
        assert low <= TRUTH[name] <= high, key
        assert value == pytest.approx(TRUTH[name], rel=0.1)
    assert fitted.off_chip.achieved_share == pytest.approx(TRUTH["achieved_share"], rel=0.1)
    assert out.read_text().startswith("# Values under `fit` were written by: bitjoule fit ")
    source = yaml.safe_load(out.read_text())["sources"]["static.array"]
    assert source.startswith("fitted to 6 rows of points.csv; 95 % interval ")
    assert "left out by models: median error" in text


def test_a_point_in_another_unit_is_named(bitjoule, tmp_path):
    status, _, errors = bitjoule("fit", machine(tmp_path, **START), points(tmp_path, factor=1e-3))
    assert status == 0
    assert "points.csv:7: tokens_per_s: " in errors
    assert "check the unit" in errors


@pytest.mark.parametrize(
    ("fit", "values", "chosen", "told"),
    [
        (FREE, START, POINTS[:1], "i7-13700h.yaml:1: fit: 3 free parameters for 2 observations; expected at most"),
        (FREE.replace("ternary2", "ternary5"), START, POINTS, "unpack_weights_per_s.ternary5: is not a key"),
        (FREE, {**START, "array": 300.0}, POINTS, "static.array: got 300.0; expected a number between its bounds"),
        ("static.array: {low: 5, high: 2}", START, POINTS, "low 5 and high 2; expected low below high"),
        ("static.array: {low: 1, high: 9, prior: [2, 3]}", START, POINTS, "only one of prior and source is set"),
    ],
)  # fmt: skip
def test_a_fit_that_cannot_be_is_told_with_status_2(bitjoule, tmp_path, fit, values, chosen, told):
    measured = points(tmp_path, chosen=chosen)
    status, _, errors = bitjoule("fit", machine(tmp_path, fit, **values), measured, "-o", tmp_path / "out.yaml")
    assert status == 2
    assert told in errors
    assert not (tmp_path / "out.yaml").exists()


def test_a_fit_without_rows_of_the_machine_says_which_it_wants(bitjoule, tmp_path):
    other = machine(tmp_path, **START).rename(tmp_path / "mine.yaml")
    status, _, errors = bitjoule("fit", other, MEASURED_FILE)
    assert status == 2
    assert "no rows to fit mine to; expected rows of a device that measured_devices.csv maps to mine" in errors


def test_predict_keeps_every_row_and_says_why_some_have_no_price(bitjoule, tmp_path):
    out = tmp_path / "out.csv"
    status, text, _ = bitjoule("predict", MEASURED_FILE, "-o", out, "--speed", "given")
    assert status == 0
    with out.open(newline="") as handle:
        found = list(csv.DictReader(handle))
    columns, rows = read_rows()
    assert [[row[column] for column in columns] for row in found] == [list(row.cells.values()) for row in rows]
    assert all(bool(row["predicted_j_per_token"]) != bool(row["why_not"]) for row in found)
    assert {row["metered"] for row in found if row["platform"] == "h100"} == {"board gross", "board net"}
    errors = [
        float(row["predicted_j_per_token"]) / float(row["j_per_token"]) - 1 - float(row["error_j_per_token"])
        for row in found if row["error_j_per_token"]
    ]  # fmt: skip
    assert errors
    assert np.abs(errors).max() < 1e-4
    assert "rows are priced" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["nowhere.csv", "-o", "out.csv"],
            "nowhere.csv:1: file: cannot be read: No such file or directory; expected a",
        ),
        ([MEASURED_FILE, "-o", "out.txt"], "out.txt:1: file: is not a .csv file; expected a name that ends in .csv"),
        (
            [MEASURED_FILE, "-o", "nowhere/out.csv"],
            "directory does not exist; expected a file in an",
        ),
        ([MEASURED_FILE, "-o", "out.csv", "--prompt-tokens", "9..2"], "got '9..2'; expected tokens, low..high"),
    ],
)
def test_wrong_input_of_predict_is_told_with_status_2(bitjoule, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    status, _, errors = bitjoule("predict", *arguments)
    assert status == 2
    assert told in errors
    assert not list(tmp_path.iterdir())


def test_a_file_without_measurements_is_refused_and_nothing_is_written(bitjoule, tmp_path):
    measured = tmp_path / "measured.csv"
    measured.write_text(MEASURED_FILE.read_text().splitlines()[0] + "\n")
    status, out, errors = bitjoule("predict", measured, "-o", tmp_path / "out.csv")
    assert (status, out) == (2, "")
    assert errors == f"{measured}:1: file: has no rows; expected a row for each measurement\n"
    assert list(tmp_path.iterdir()) == [measured]


def test_rows_of_which_none_is_to_be_checked_have_no_table_of_errors(bitjoule, tmp_path):
    with MEASURED_FILE.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    fitted = [row for row in rows if row["use"] == "fit"][:2]
    measured = tmp_path / "measured.csv"
    with measured.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(fitted[0]))
        writer.writeheader()
        writer.writerows(fitted)
    status, out, _ = bitjoule("predict", measured, "-o", tmp_path / "out.csv")
    assert status == 0
    assert out.startswith("2 of 2 rows are priced; none of them is to be checked\n")
    assert "median    " not in out


def test_a_platform_that_is_not_there_is_told_before_the_measurements(bitjoule, tmp_path):
    for measured in (MEASURED_FILE, tmp_path / "nix.csv"):
        status, _, errors = bitjoule("fit", tmp_path / "nix.yaml", measured)
        assert status == 2
        assert errors == f"{tmp_path / 'nix.yaml'}:1: file: does not exist; expected a file that can be read\n"


def test_predictions_are_no_measurements(bitjoule, tmp_path):
    out = tmp_path / "out.csv"
    bitjoule("predict", MEASURED_FILE, "-o", out)
    status, _, errors = bitjoule("predict", out, "-o", tmp_path / "again.csv")
    assert status == 2
    assert "has a column platform already; expected measurements, not predictions" in errors


def test_measurements_are_not_written_over_by_predictions(bitjoule, tmp_path):
    measured = tmp_path / "measured.csv"
    measured.write_bytes(MEASURED_FILE.read_bytes())
    status, _, errors = bitjoule("predict", measured, "-o", measured)
    assert status == 2
    assert errors == f"{measured}:1: file: is what the command reads; expected another file to write\n"
    assert measured.read_bytes() == MEASURED_FILE.read_bytes()


def changed(path, change):
    """Change the rows of a file, header excluded."""
    with path.open(newline="") as handle:
        header, *rows = csv.reader(handle)
    change(rows)
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows([header, *rows])
    return path


def of_two_machines(rows):
    for row in rows[3:]:
        row[0] = row[0].replace("i7-13700H CPU, ", "M2 Ultra CPU, ")


def test_predict_says_what_a_prompt_that_is_not_printed_is_worth(bitjoule, tmp_path):
    """The spans are those of the columns of its ends; one length has none."""
    rows = [row.cells for row in read_rows()[1] if row.cells["device"] == "1x H100" and not row.cells["prompt_tokens"]]
    lines = [[row[name] for name in NEEDED] for row in rows[:2]]
    path, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    with path.open("w", newline="") as handle:
        csv.writer(handle).writerows([NEEDED, *lines])
    status, text, _ = bitjoule("predict", path, "-o", out, "--prompt-tokens", "256..900")
    assert status == 0
    with out.open(newline="") as handle:
        found = list(csv.DictReader(handle))
    spans = [float(row["high_tokens_per_s"]) / float(row["low_tokens_per_s"]) - 1 for row in found]
    assert min(spans) > 0.01
    told = (
        f"2 rows print no prompt: from 256 to 900 tokens, tokens/s by {np.median(spans):.0%} (most: {max(spans):.0%})"
    )
    assert told in text
    status, text, _ = bitjoule("predict", path, "-o", out, "--prompt-tokens", "500")
    assert "2 rows print no prompt: 500 tokens are assumed; a band" in text
    with out.open(newline="") as handle:
        assert all(row["low_j_per_token"] == row["high_j_per_token"] for row in csv.DictReader(handle))


def test_points_that_leave_nothing_for_the_free_values_are_named(bitjoule, tmp_path):
    """The off-chip accesses alone, which are not free, take more than this; 1 W is the least of the watts."""
    measured = points(tmp_path)

    def less(rows):
        rows[2][6] = str(float(rows[2][6]) / 20)

    changed(measured, less)
    narrow = FREE.replace("{low: 1, high: 200}", "{low: 20, high: 200}")
    status, _, errors = bitjoule("fit", machine(tmp_path, narrow, **TRUTH), measured)
    assert status == 0
    assert "points.csv:4: j_per_token: " in errors
    assert "is below the least that values within their bounds give" in errors
    assert "(nothing is left for the free values)" in errors


def test_points_of_another_meter_are_named_with_their_lines(bitjoule, tmp_path):

    def other(rows):
        rows[1][7] = "GPU board power (nvidia-smi), idle subtracted"

    measured = changed(points(tmp_path), other)
    status, _, errors = bitjoule("fit", machine(tmp_path, **TRUTH), measured)
    assert status == 0
    assert "the rows have meters that see different things: chip gross, board net (board net: lines 3)" in errors


def test_rows_of_the_machine_that_are_not_fitted_say_why(bitjoule, tmp_path):

    def other(rows):
        rows[1][7] = "a meter of mine"
        rows[2][1] = "BitNet-701M"

    measured = changed(points(tmp_path, chosen=POINTS[:4]), other)
    status, text, errors = bitjoule("fit", machine(tmp_path, ONE, **TRUTH), measured)
    assert status == 0
    assert "points.csv:3: is not fitted: unknown meter 'a meter of mine'\n" in errors
    assert "points.csv:4: is not fitted: unknown model 'BitNet-701M' (did you mean 'BitNet-700M'?)\n" in errors
    assert [line.split()[0] for line in text.splitlines() if "j_per_token" in line] == ["2", "5"]


def test_an_also_key_keeps_a_source_of_its_own(bitjoule, tmp_path):
    """The user says why a value follows a fitted one; without such words it is as fitted as the other."""
    measured = points(tmp_path, chosen=POINTS[1:2])
    file, out = machine(tmp_path, ONE, **TRUTH), tmp_path / "fitted.yaml"
    data = yaml.safe_load(file.read_text())
    rates = data["overheads"]["unpack_weights_per_s"]
    rates |= {"int4": rates["ternary2"], "int2": rates["ternary2"]}
    places = [f"overheads.unpack_weights_per_s.{key}" for key in ("int4", "int2")]
    data["fit"]["overheads.unpack_weights_per_s.ternary2"]["also"] = places
    data["sources"] = {places[0]: "assumption: as ternary2"}
    file.write_text(yaml.safe_dump(data))
    status, _, _ = bitjoule("fit", file, measured, "-o", out)
    assert status == 0
    sources = yaml.safe_load(out.read_text())["sources"]
    assert sources[places[0]] == "assumption: as ternary2"
    assert sources[places[1]].startswith("fitted to 1 rows of points.csv")


def test_platforms_of_one_family_share_values_and_are_left_out_in_turn(bitjoule, tmp_path):
    """Both machines are made of one truth; each has half the points, and the shared share of the peak is one value."""
    shared = FREE.replace("{low: 0.1, high: 1}", "{low: 0.1, high: 1, shared: true}")
    measured = changed(points(tmp_path, noise=0.01), of_two_machines)
    first = machine(tmp_path, shared, **START)
    second = tmp_path / "m2-ultra.yaml"
    second.write_text(first.read_text())
    out = tmp_path / "fitted"
    out.mkdir()
    status, text, errors = bitjoule("fit", first, second, measured, "-o", out)
    assert (status, errors) == (0, "")
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert float(lines["off_chip.achieved_share"][1]) == pytest.approx(TRUTH["achieved_share"], rel=0.05)
    assert {"i7-13700h:static.array", "m2-ultra:static.array"} <= set(lines)
    assert "machine left out" in text
    fitted = [read_platform(out / path.name) for path in (first, second)]
    assert len({each.off_chip.achieved_share for each in fitted}) == 1
    told = yaml.safe_load((out / "m2-ultra.yaml").read_text())["sources"]
    assert told["off_chip.achieved_share"].startswith("fitted to 6 rows of i7-13700h and m2-ultra of points.csv;")
    assert told["static.array"].startswith("fitted to 3 rows of points.csv;")


@pytest.mark.parametrize(
    ("second", "output", "told"),
    [
        ("i7-13700h.yaml", None, "i7-13700h.yaml:1: file: is given twice; expected platforms of different names"),
        (
            "m2-ultra.yaml",
            "one.yaml",
            "one.yaml:1: file: is not a directory; expected an existing directory",
        ),
        ("m2-ultra.yaml", None, "fit.off_chip.achieved_share: is shared with other values; expected low, high, prior"),
    ],
)
def test_families_that_cannot_be_fitted_are_told_with_status_2(bitjoule, tmp_path, second, output, told):
    shared = FREE.replace("{low: 0.1, high: 1}", "{low: 0.1, high: 1, shared: true}")
    measured = changed(points(tmp_path), of_two_machines)
    folder = tmp_path / "other"
    folder.mkdir()
    other = machine(folder, shared.replace("low: 0.1", "low: 0.2"), **START).rename(folder / second)
    arguments = ["-o", tmp_path / output] if output else []
    status, _, errors = bitjoule("fit", machine(tmp_path, shared, **START), other, measured, *arguments)
    assert status == 2
    assert told in errors
