"""What ``bitjoule fit`` and ``predict`` print and write: a fit and predictions whose numbers are all different.

Fits are not run here. The expected texts are written out by hand; errors are counted again with numpy alone.
"""

import csv
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.machines import errors, fitting, predict
from bitjoule.energy_models.machines.regression import Estimate
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.system.platform.platforms import FOLDER, platforms

COLUMNS = "device,model,weights,activations,batch,tokens_per_s,j_per_token,what_is_metered,phase,prompt_tokens,use,note"
ROWS = """\
"i7-13700H CPU, llama.cpp",BitNet-700M,fp16,fp16,1,10,5,unstated,decode,,fit,first
"i7-13700H CPU, bitnet.cpp",BitNet-700M,int2 (ternary),int8,4,40,2,unstated,decode,,hold,"second, quoted"
"i7-13700H CPU, bitnet.cpp",BitNet-1.5B,int2 (ternary),int8,1,20,,unstated,decode,64,hold,third
RTX 4090,BitNet-700M,fp16,fp16,1,100,3,board,decode,64,hold,fourth
unheard of,BitNet-700M,fp16,fp16,1,7,8,board,decode,,hold,fifth
"""
FIT = {
    "off_chip.achieved_share": {"low": 0.1, "high": 1.0},
    "static.array": {"low": 1, "high": 200, "prior": [20, 40], "source": "a data sheet"},
}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    path = tmp_path / "rows.csv"
    path.write_text(f"{COLUMNS}\n{ROWS}")
    return path


def cells_of(text):
    """Return the cells of the lines of a table whose rule says where its columns begin, empty ones included."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if re.fullmatch(r"[- ]+", line))
    starts = [match.start() for match in re.finditer("-+", lines[at])]
    ends = [*starts[1:], None]
    return [
        [line[a:b].strip() for a, b in zip(starts, ends, strict=True)] for line in (lines[at - 1], *lines[at + 1 :])
    ]


def fitted(members, rows_of, left_out):
    """Return a fit of two values of each machine, of which the first is shared; two observations of each row."""
    shared = tuple((at, "off_chip.achieved_share") for at in range(len(members)))
    free = [member.platform.fit for member in members]
    parameters = [
        SimpleNamespace(key="off_chip.achieved_share", free=free[0]["off_chip.achieved_share"], places=shared)
    ]
    estimates = [Estimate(0.612345678, 0.51, 0.7)]
    for at, member in enumerate(members):
        places = ((at, "static.array"),)
        parameters.append(SimpleNamespace(key=f"{member.name}:array", free=free[at]["static.array"], places=places))
        estimates.append(Estimate(31.25 + at, 22.5 + at, 44.125 + at, "at a bound" if at else ""))
    observations = [
        SimpleNamespace(row=i, quantity=quantity, value=value)
        for i, row in enumerate(rows_of)
        for quantity, value in (("tokens_per_s", 1.5 + i), ("j_per_token", 0.25 + i))
    ]
    count = len(observations)
    regression = SimpleNamespace(
        estimates=estimates, residuals=np.log(1.1 + 0.1 * np.arange(count)), deviation=0.0375, condition=12.345
    )
    return SimpleNamespace(
        members=members, parameters=parameters, regression=regression, rows=rows_of, observations=observations,
        left_out={by: logs[:count] for by, logs in left_out.items()}, warnings=["one", "two"],
    )  # fmt: skip


@pytest.fixture
def fit(monkeypatch, tmp_path):
    """Return a function that writes platforms; the fit of them is made up, and asks are kept."""
    asked = []
    left_out = {
        "rows": np.log([0.5, 2.0, 0.8, 1.25, 1.0, 1.6]),
        "models": np.array([np.nan, np.log(3), np.log(0.4), np.nan, np.log(1.5), np.log(4)]),
        "machines": np.log([1.01, 1.02, 1.03, 1.04, 1.05, 1.06]),
    }

    def family(members, lengths):
        asked.append((members, lengths))
        return fitted(members, [row for member in members for row in member.rows], left_out)

    monkeypatch.setattr(fitting, "fit_family", family)

    def machine(name):
        data = yaml.safe_load((FOLDER / "i7-13700h.yaml").read_text())
        data["static"]["array"], data["fit"] = 30.0, FIT
        data["sources"] = {**data.get("sources", {}), "off_chip.memory": "kept"}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data))
        return f"{name}.yaml"

    return SimpleNamespace(machine=machine, asked=asked)


def test_fit_takes_the_marked_rows_of_the_machine_and_prints_what_was_found(bitjoule, rows, fit):
    rows.write_text(f"{COLUMNS}\n{ROWS}".replace(",hold,", ",fit,"))
    status, out, err = bitjoule("fit", fit.machine("i7-13700h"), rows.name, "-o", "out.yaml", "--prompt-tokens", "7..9")
    assert (status, err) == (0, "bitjoule: warning: one\nbitjoule: warning: two\n")
    [([member], lengths)] = fit.asked
    assert (member.file, member.name, lengths.prompt_tokens) == ("i7-13700h.yaml", "i7-13700h", (7.0, 9.0))
    assert [row.row.line for row in member.rows] == [2, 3, 4]
    values, points, rest = re.split(r"\n\n", out.strip("\n"))
    assert cells_of(values) == [
        ["parameter", "value", "95 % low", "high", "", "note"],
        ["off_chip.achieved_share", "0.6123", "0.51", "0.7", "", ""],
        ["i7-13700h:array", "31.25", "22.5", "44.12", "prior", ""],
    ]
    ternary = "int2 (ternary)"
    assert cells_of(points) == [
        ["line", "model", "weights", "batch", "quantity", "measured", "error", "row left out", "model left out"],
        ["2", "BitNet-700M", "fp16", "1", "tokens_per_s", "1.5", "+10.0 %", "-50.0 %", ""],
        ["2", "BitNet-700M", "fp16", "1", "j_per_token", "0.25", "+20.0 %", "+100.0 %", "+200.0 %"],
        ["3", "BitNet-700M", ternary, "4", "tokens_per_s", "2.5", "+30.0 %", "-20.0 %", "-60.0 %"],
        ["3", "BitNet-700M", ternary, "4", "j_per_token", "1.25", "+40.0 %", "+25.0 %", ""],
        ["4", "BitNet-1.5B", ternary, "1", "tokens_per_s", "3.5", "+50.0 %", "+0.0 %", "+50.0 %"],
        ["4", "BitNet-1.5B", ternary, "1", "j_per_token", "2.25", "+60.0 %", "+60.0 %", "+300.0 %"],
    ]
    assert rest.splitlines() == [  # medians of 50, 100, 20, 25, 0, 60 and of 200, 60, 50, 300
        "deviation of a point 3.8 %; condition number 12.3",
        "left out by rows: median error 37.5 %",
        "left out by models: median error 130.0 %",
    ]


def test_the_fitted_file_has_the_values_their_sources_and_all_else_as_before(bitjoule, rows, fit):
    rows.write_text(f"{COLUMNS}\n{ROWS}".replace(",hold,", ",fit,"))
    command = ("fit", fit.machine("i7-13700h"), rows.name, "-o", "out.yaml")
    assert bitjoule(*command)[0] == 0
    before, text = (Path(name).read_text() for name in ("i7-13700h.yaml", "out.yaml"))
    assert text.splitlines()[0] == f"# Values under `fit` were written by: bitjoule {' '.join(command)}"
    data, found = yaml.safe_load(before), yaml.safe_load(text)
    data["off_chip"]["achieved_share"], data["static"]["array"] = 0.612346, 31.25
    data["sources"] |= {
        "off_chip.achieved_share": "fitted to 3 rows of rows.csv; 95 % interval 0.51 to 0.7",
        "static.array": "fitted to 3 rows of rows.csv; 95 % interval 22.5 to 44.12; prior 20 to 40: a data sheet",
    }
    assert found == data


def test_of_several_machines_each_has_its_own_values_and_the_shared_one(bitjoule, rows, fit):
    rows.write_text(f"{COLUMNS}\n{ROWS}".replace(",hold,", ",fit,"))
    (rows.parent / "out").mkdir()
    machines = [fit.machine(name) for name in ("i7-13700h", "rtx-4090")]
    rows.write_text(rows.read_text().replace('"i7-13700H CPU, bitnet.cpp",BitNet-1.5B', "RTX 4090,BitNet-1.5B"))
    rows.write_text("\n".join(line for line in rows.read_text().splitlines() if ",fourth" not in line) + "\n")
    status, out, _ = bitjoule("fit", *machines, rows.name, "-o", "out")
    assert status == 0
    assert [[row.row.line for row in member.rows] for member in fit.asked[0][0]] == [[2, 3], [4]]
    found = {name: yaml.safe_load(Path("out", name).read_text()) for name in machines}
    assert [found[name]["off_chip"]["achieved_share"] for name in machines] == [0.612346] * 2
    assert [found[name]["static"]["array"] for name in machines] == [31.25, 32.25]
    both = "fitted to 3 rows of i7-13700h and rtx-4090 of rows.csv; 95 % interval 0.51 to 0.7"
    assert [found[name]["sources"]["off_chip.achieved_share"] for name in machines] == [both] * 2
    assert [found[name]["sources"]["static.array"].split(";")[0] for name in machines] == [
        "fitted to 2 rows of rows.csv", "fitted to 1 rows of rows.csv"
    ]  # fmt: skip
    assert "; at a bound; prior 20 to 40: a data sheet" in found["rtx-4090.yaml"]["sources"]["static.array"]
    assert cells_of(out.split("\n\n")[1])[0][-3:] == ["row left out", "model left out", "machine left out"]
    assert "left out by machines: median error 3.5 %" in out


def test_rows_that_are_not_marked_are_left_out_where_the_file_marks_any(bitjoule, rows, fit):
    assert bitjoule("fit", fit.machine("i7-13700h"), rows.name)[0] == 0
    assert [row.row.line for row in fit.asked[0][0][0].rows] == [2]
    assert not (rows.parent / "out.yaml").exists()


BANDS = {"tokens_per_s": (8.0, 12.0), "j_per_token": (4.0, 5.0)}
WIDE = {"tokens_per_s": (30.0, 60.0), "j_per_token": (2.0, 2.2)}
PREDICTED = [
    ("i7-13700h", "s1", "chip gross", 11.0, 6.0, BANDS, ""),
    ("i7-13700h", "s2", "chip gross", 50.0, 1.5, WIDE, ""),
    ("i7-13700h", "s3", "chip net", 18.0, 9.0, {}, ""),
    ("rtx-4090", "s4", "board gross", 130.0, 2.4, {}, ""),
    ("", "", "", None, None, {}, "unheard of: no such device"),
]


@pytest.fixture
def predicted(monkeypatch):
    """Answer in place of the models of machines; return what was asked."""
    asked = []

    def predictions(rows, _platforms, lengths, speed_given):
        asked.append((lengths.prompt_tokens, speed_given))
        return [predict.Prediction(row, *made) for row, made in zip(rows, PREDICTED, strict=True)]

    monkeypatch.setattr(predict, "predictions", predictions)
    monkeypatch.setattr(errors, "roofline_tokens_per_s", lambda rows, _: [each.tokens_per_s * 2 for each in rows])
    monkeypatch.setattr(errors, "constant_watts", lambda rows, _: [each.j_per_token and 1.5 for each in rows])
    return asked


def percent(predicted, measured, share):
    """Return a percentile of absolute relative errors as it is printed."""
    return f"{100 * np.percentile(np.abs(np.array(predicted) / measured - 1), share):.1f} %"


@pytest.mark.parametrize("speed", ["predicted", "given"])
def test_predict_writes_each_row_with_its_errors_and_prints_those_of_rows_held_back(bitjoule, rows, predicted, speed):
    status, out, err = bitjoule("predict", rows.name, "-o", "out.csv", "--speed", speed)
    assert (status, err, predicted) == (0, "", [((256.0, 900.0), speed == "given")])
    with Path("out.csv").open(newline="") as handle:
        header, *lines = csv.reader(handle)
    names = [
        "platform", "scheme", "metered", "predicted_tokens_per_s", "predicted_j_per_token", "error_tokens_per_s",
        "error_j_per_token", "low_tokens_per_s", "high_tokens_per_s", "low_j_per_token", "high_j_per_token", "why_not",
    ]  # fmt: skip
    assert header == [*COLUMNS.split(","), *names]
    assert [line[:12] for line in lines] == [list(row.cells.values()) for row in read_rows(rows)[1]]
    assert [line[12:] for line in lines] == [
        ["i7-13700h", "s1", "chip gross", "11", "6", "0.1", "0.2", "8", "12", "4", "5", ""],
        ["i7-13700h", "s2", "chip gross", "50", "1.5", "0.25", "-0.25", "30", "60", "2", "2.2", ""],
        ["i7-13700h", "s3", "chip net", "18", "9", "-0.1", "", "", "", "", "", ""],
        ["rtx-4090", "s4", "board gross", "130", "2.4", "0.3", "-0.2", "", "", "", "", ""],
        [""] * 11 + ["unheard of: no such device"],
    ]
    told, table, worth = out.rstrip("\n").split("\n\n")
    assert told == "4 of 5 rows are priced; errors of those that are to be checked:"
    speeds = [["i7-13700h", "tokens_per_s", "2", percent([50, 18], [40, 20], 50), percent([50, 18], [40, 20], 90), "2",
               "100.0 %", "100.0 %"],
              ["rtx-4090", "tokens_per_s", "1", "30.0 %", "30.0 %", "1", "100.0 %", "100.0 %"],
              ["all", "tokens_per_s", "3", percent([50, 18, 130], [40, 20, 100], 50),
               percent([50, 18, 130], [40, 20, 100], 90), "3", "100.0 %", "100.0 %"]]  # fmt: skip
    energies = [
        ["i7-13700h", "j_per_token", "1", "25.0 %", "25.0 %", "1", "25.0 %", "25.0 %"],
        ["rtx-4090", "j_per_token", "1", "20.0 %", "20.0 %", "1", "50.0 %", "50.0 %"],
        ["all", "j_per_token", "2", percent([1.5, 2.4], [2, 3], 50), percent([1.5, 2.4], [2, 3], 90), "2",
         percent([1.5, 1.5], [2, 3], 50), percent([1.5, 1.5], [2, 3], 90)],
    ]  # fmt: skip
    assert cells_of(table) == [
        ["machine", "quantity", "rows", "median", "90 %", "rows", "roofline or constant watts", "90 %"],
        *([] if speed == "given" else speeds), *energies,
    ]  # fmt: skip
    assert worth == (  # 12 / 8 and 60 / 30, 5 / 4 and 2.2 / 2
        "2 rows print no prompt: from 256 to 900 tokens, tokens/s by 75% (most: 100%) and J/token by 18% (most: 25%) "
        "between the ends (median of the rows)"
    )


def test_what_predictions_are_set_beside_is_of_the_checked_rows_and_what_ships(bitjoule, rows, predicted, monkeypatch):
    """The watts of a machine are those of all rows that ship, the roofline is that of its own platform."""
    told = {}

    def noted(name):
        def answer(chosen, known):
            told[name] = [row.line for row in chosen], known
            return [1.5] * len(chosen)

        return answer

    for name in ("constant_watts", "roofline_tokens_per_s"):
        monkeypatch.setattr(errors, name, noted(name))
    assert bitjoule("predict", rows.name, "-o", "out.csv")[0] == 0
    assert predicted == [((256.0, 900.0), False)]
    (lines, shipped), (same, machines) = told["constant_watts"], told["roofline_tokens_per_s"]
    held = [row.line for row in read_rows(rows)[1] if row.use == "hold" and row.cells["device"] != "unheard of"]
    assert lines == same == held
    assert [row.cells for row in shipped] == [row.cells for row in read_rows()[1]]
    assert set(machines) == set(platforms())
    assert len(machines) > 1


def test_one_row_without_a_prompt_is_one_row(bitjoule, rows, predicted, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PREDICTED", [*PREDICTED[:1], *((*row[:5], {}, row[6]) for row in PREDICTED[1:])])
    out = bitjoule("predict", rows.name, "-o", "out.csv", "--prompt-tokens", "33")[1]
    assert predicted == [((33.0, 33.0), False)]
    assert out.endswith(
        "\n\n1 row prints no prompt: 33 tokens are assumed; a band (--prompt-tokens LOW..HIGH) shows what that is "
        "worth\n"
    )


@pytest.mark.parametrize("name", ["platform", "why_not"])
def test_predictions_take_no_column_that_they_add(bitjoule, rows, predicted, name):
    rows.write_text(rows.read_text().replace("note\n", f"{name}\n"))
    status, _, err = bitjoule("predict", rows.name, "-o", "out.csv")
    assert (status, predicted) == (2, [])
    assert err == f"rows.csv:1: file: has a column {name} already; expected measurements, not predictions\n"


@pytest.mark.usefixtures("predicted")
@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("command", ["fit", "predict"])
def test_tables_fit_the_window_and_lose_no_cell(bitjoule, rows, fit, monkeypatch, command, width):
    words = (
        ("fit", fit.machine("i7-13700h"), rows.name) if command == "fit" else ("predict", rows.name, "-o", "out.csv")
    )
    plain = bitjoule(*words)[1]
    tables = [text for text in plain.split("\n\n") if re.search(r"^[- ]+$", text, re.MULTILINE)]
    monkeypatch.setenv("COLUMNS", str(width))
    out = bitjoule(*words)[1]
    beside = [line for text in plain.split("\n\n") if text not in tables for line in text.splitlines()]
    assert max(len(line) for line in out.splitlines() if line not in beside) <= width
    assert len(tables) == (2 if command == "fit" else 1)
    assert {word for text in tables for word in text.split() if "--" not in word} <= set(out.split())
