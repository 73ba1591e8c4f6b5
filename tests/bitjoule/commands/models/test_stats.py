"""`bitjoule stats`: what it prints and writes, and what it refuses."""

import csv
import inspect

import numpy as np
import pytest

from bitjoule import cli
from bitjoule.gates.stimuli.recorded import Recorder
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.model import Model
from bitjoule.sim.llm.statistics import StatisticsEngine
from bitjoule.sim.llm.trained import shipped_models
from tests.sim.folders import write


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("stats") / "stats.csv"
    assert cli.main(["stats", "tiny-b158", "--new-tokens", "3", "-o", str(path)]) == 0
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_every_linear_of_every_layer_has_its_share_of_zeros(rows):
    recorder = Recorder()
    load_model(shipped_models()["tiny-b158"]).model.forward([1], recorder, observe=recorder.observe)
    expected = {name: float(np.mean(codes == 0)) for (name, _), codes in recorder.weights.items()}
    assert {row["linear"]: float(row["weight_zero_share"]) for row in rows} == pytest.approx(expected)


def test_a_rate_that_there_is_none_of_is_left_empty(rows):
    """Signs encode no zeros."""
    assert {row["toggle_rate_binary1"] for row in rows} == {""}
    assert all(0 < float(row["toggle_rate_ternary2"]) < 1 for row in rows)


@pytest.mark.parametrize("bits", [8, 64])
def test_toggles_are_those_of_a_bus_of_the_width_that_is_asked_for(bits, tmp_path):
    loaded, engine = load_model(shipped_models()["tiny-b158"]), StatisticsEngine(bits)
    prompt = loaded.tokenizer.encode("The ")
    list(loaded.model.generate(prompt, 1, engine, observe=engine.observe))
    path = tmp_path / "stats.csv"
    options = ["--prompt", "The ", "--new-tokens", "1", "-o", str(path), "--bus-bits", str(bits)]
    assert cli.main(["stats", "tiny-b158", *options]) == 0
    with path.open(newline="") as handle:
        found = {row["linear"]: row for row in csv.DictReader(handle)}
    for name, statistics in engine.linears.items():
        for column in ("toggle_rate_ternary2", "activation_toggle_rate", "lane_toggle_rate"):
            assert float(found[name][column]) == pytest.approx(statistics.row()[column], rel=1e-12)


def test_the_prompt_and_the_new_tokens_but_the_last_were_multiplied(rows):
    assert {row["tokens"] for row in rows} == {str(len("The sum of ") + 3 - 1)}


def test_tables_fit_the_window(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["stats", "tiny-bitnet", "--new-tokens", "1"]) == 0
    printed = capsys.readouterr().out
    tables = [line for line in printed.splitlines() if not line.startswith("Toggle rate: share")]
    assert max(map(len, tables)) <= 80
    assert "ffn_down" in printed
    assert "binary1" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["tiny-fp16"],
            "file: has floating-point weights; expected trits or ±1; --weights ternary quantises them",
        ),
        (["tiny-b15"], "did you mean 'tiny-b158'"),
        (["--new-tokens", "0"], "rtl.new_tokens"),
        (["-o", "stats.txt"], "stats.txt:1: file: is not a .csv file"),
    ],
)
def test_wrong_input_is_refused(words, message, capsys):
    assert cli.main(["stats", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_bus_is_whole_bytes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["stats", "--bus-bits", "12"])
    assert "expected a multiple of 8 bits" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["stats"], ["rtl", "simulate", "--engine", "numpy"]], ids=["stats", "simulate"])
def test_each_option_and_the_models_end_tokens_reach_the_generation(command, tmp_path, monkeypatch):
    write(tmp_path / "model", {"eos_token_id": [7, 9]})
    monkeypatch.chdir(tmp_path)
    given, generate = [], Model.generate

    def noted(*values, **named):
        given.append(inspect.signature(generate).bind(*values, **named).arguments)
        return generate(*values, **named)

    monkeypatch.setattr(Model, "generate", noted)
    options = ["--prompt", "5 6 8", "--new-tokens", "2", "--temperature", "0.25", "--seed", "11"]
    assert cli.main([*command, "model", *options]) == 0
    (arguments,) = given
    assert (list(arguments["prompt"]), arguments["new_tokens"], list(arguments["stop"])) == ([5, 6, 8], 2, [7, 9])
    assert (arguments["temperature"], arguments["seed"]) == (0.25, 11)
