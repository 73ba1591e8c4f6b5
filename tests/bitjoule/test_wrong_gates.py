"""Malformed experiments on netlists and of prices: exit status 2, file, line and key, and no file left behind."""

import re

import pytest
import yaml

from bitjoule.experiments.netlists import run as measuring
from tests.experiments import measured_by_hand as measured
from tests.experiments.technology_files import write_technology

TEXT = """\
name: mine
gates:
  arrays:
    - {name: ternary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}}
    - {name: binary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 64, weight_encoding: binary1}}
  stimuli: ["uniform,zeros:0", "uniform,zeros:0.5", "uniform,zeros:0.75", model:tiny-b158]
"""
# what is replaced in TEXT, by what, and what is said
WRONG = {
    "an unknown key": ("stimuli", "stimulus", "mine.yaml:6: gates.stimulus: unknown key (did you mean 'stimuli'?)"),
    "an unknown accelerator": ("- {name: ternary", "- tiny_8x5\n    - {name: ternary", "mine.yaml:4: gates.arrays[0]: unknown accelerator 'tiny_8x5' (did you mean 'tiny_8x4'?)"),
    "an unknown configuration key": ("lanes: 16", "lane: 16", "mine.yaml:4: gates.arrays[0].config.lane: unknown key (did you mean 'lanes'?); expected one of lanes"),
    "a wrong configuration": ("lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128", "lanes: 7, columns: 4, max_k: 64, weight_bus_bits: 128", "mine.yaml:4: gates.arrays[0].config.lanes: got 7; expected a whole number from 8 to 256"),
    "an array that no sum fills": ("max_k: 64", "max_k: 8", "mine.yaml:6: gates.stimuli[0]: stimulus 'uniform,zeros:0': an array with max_k (8) below its lanes (16) cannot take it; expected max_k of at least 16"),
    "an array that would wait": ("weight_bus_bits: 128", "weight_bus_bits: 64", "mine.yaml:4: gates.arrays[0].config: a weight tile of 128 bits stalls on a bus of 64; expected weight_bus_bits: 128, or tokens of at least 2"),
    "an array that is a number": ("    - {name: ternary", "    - 5\n    - {name: ternary", "mine.yaml:4: gates.arrays[0]: got 5; expected a shipped configuration, a YAML file, or a mapping with the keys name, config"),
    "an array twice": ("name: binary", "name: ternary", "mine.yaml:5: gates.arrays[1]: duplicate array name 'ternary'; expected each name once"),
    "a missing configuration": ("config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}", "config: no/such.yaml", "gates.arrays[0].config: 'no/such.yaml' not found; expected an accelerator's YAML"),
    "an unknown stimulus": ("uniform,zeros:0.5", "unifrom", "mine.yaml:6: gates.stimuli[1]: stimulus 'unifrom': unknown operands 'unifrom'; expected gaussian:SIGMA"),
    "a stimulus twice": ("uniform,zeros:0.5", "uniform,zeros:0", "mine.yaml:6: gates.stimuli: duplicate stimulus; expected each once"),
    "too many zeros": ("zeros:0.5", "zeros:1.5", "mine.yaml:6: gates.stimuli[1]: stimulus 'uniform,zeros:1.5': SHARE is 1.5; expected a number from 0 to 1"),
    "a model that nobody has": ("model:tiny-b158", "model:nobody", "mine.yaml:6: gates.stimuli[3]: stimulus model:nobody: unknown model; expected one of tiny-b158, tiny-bitnet, tiny-fp16"),
    "no library": ("gates:\n", "gates:\n  libraries: [nothing.lib]\n", "mine.yaml:3: gates.libraries[0]: 'nothing.lib' not found; expected freepdk45, or Liberty files"),
    "no library of a pattern": ("gates:\n", "gates:\n  libraries: [['nothing*.lib']]\n", "mine.yaml:3: gates.libraries[0]: 'nothing*.lib' not found; expected freepdk45"),
    "a library that is not Liberty": ("gates:\n", "gates:\n  libraries: [mine.yaml]\n", "mine.yaml:3: gates.libraries[0]: "),
    "a folder for a library": ("gates:\n", "gates:\n  libraries: [..]\n", "mine.yaml:3: gates.libraries[0]: '..' not found; expected freepdk45, or Liberty files"),
    "a library twice": ("gates:\n", "gates:\n  libraries: [freepdk45, [freepdk45]]\n", "mine.yaml:3: gates.libraries[1]: duplicate library; expected each once"),
    "no cycles": ("gates:\n", "gates:\n  effort: {cycles: 0}\n", "mine.yaml:3: gates.effort.cycles: got 0"),
    "an unknown plot": ("gates:\n", "plots: [{kind: zeros}]\ngates:\n", "mine.yaml:2: plots[0].kind: 'zeros' is unknown (did you mean 'energy_vs_zeros'?); expected one of energy_vs_zeros, parts, energy_vs_bits"),
    "an energy over zeros in per cent": ("gates:\n", "plots: [{kind: energy_vs_zeros, share: true}]\ngates:\n", "mine.yaml:2: plots[0].share: a plot of kind 'energy_vs_zeros' does not support share; expected kind: parts"),
    "a plot over bits of one width": ("gates:\n", "plots: [{kind: energy_vs_bits}]\ngates:\n", "mine.yaml:2: plots: a plot of kind 'energy_vs_bits' of arrays with equal activation_bits"),
}  # fmt: skip
PRICES = """\
name: mine
compare:
  - [45nm, made.yaml]
"""
WRONG_PRICES = {
    "an unknown technology": ("45nm", "46nm", "mine.yaml:3: compare[0][0]: unknown technology '46nm' (did you mean '45nm'?)"),
    "a missing file": ("made.yaml", "none.yaml", "mine.yaml:3: compare[0][1]: 'none.yaml' not found; expected a technology that `bitjoule calibrate` wrote, or a table of prices (.csv)"),
    "one technology": (", made.yaml", "", "mine.yaml:3: compare[0]: has length 1; expected two technologies"),
    "a technology beside itself": ("made.yaml", "45nm", "mine.yaml:3: compare[0]: '45nm' is compared with itself; expected two technologies"),
    "three technologies": ("made.yaml", "made.yaml, 7nm", "mine.yaml:3: compare[0]: has length 3; expected two technologies"),
    "no pairs": ("compare:\n  - [45nm, made.yaml]", "compare: []", "mine.yaml:2: compare: is empty; expected at least 1 item"),
    "an unknown key": ("name: mine", "name: mine\nplots: []", "mine.yaml:2: plots: unknown key; expected one of name, description, compare"),
    "a file that is no technology": ("made.yaml", "./mine.yaml", "mine.yaml:2: compare: unknown key"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [pytest.param(TEXT, *case, id=name) for name, case in WRONG.items()]
    + [pytest.param(PRICES, *case, id=name) for name, case in WRONG_PRICES.items()],
)
def test_a_wrong_experiment_is_refused(tmp_path, bitjoule, monkeypatch, text, old, new, told):
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    monkeypatch.chdir(tmp_path)
    write_technology(tmp_path / "made.yaml")
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new, 1))
    status, out, err = bitjoule("run", "mine.yaml", "--out", "results")
    assert (status, out) == (2, "")
    assert told in err
    for line in err.splitlines():
        assert re.match(r"\S+:\d+: [\w.\[\]]+: .+; expected .+", line), line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.yaml", "mine.yaml"]


def test_check_refuses_every_stimulus_that_an_array_cannot_take(tmp_path, bitjoule):
    """The first of the common ones and the last of an array's own."""
    path = tmp_path / "mine.yaml"
    path.write_text("""\
name: mine
gates:
  arrays:
    - {name: ternary, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}}
    - {name: int8, config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 512, weight_encoding: int8}}
    - name: int4
      config: {lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 256, weight_encoding: int4}
      stimuli: [worst, model:tiny-b158]
  stimuli: [model:tiny-b158, worst]
""")
    status, out, err = bitjoule("check", path)
    assert (status, out) == (2, "")
    wrong = "stimulus model:tiny-b158: its weights are trits, which weight_encoding"
    expected = "expected gaussian:SIGMA, uniform or worst, or an array with weight_encoding ternary2, ternary5"
    assert err.splitlines() == [
        f"{path}:9: gates.stimuli[0]: {wrong} int8 cannot encode; {expected}",
        f"{path}:8: gates.arrays[2].stimuli[1]: {wrong} int4 cannot encode; {expected}",
    ]


NAMED = "name: mine\ngates:\n  arrays: [{}]\n  stimuli: [uniform]\n"
ARRAY = "{lanes: 16, columns: 4, max_k: 64, weight_bus_bits: 128}"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("of 16; ü.yaml", "of-16---"),
        (f"{'long' * 10}.yaml", "longlonglonglonglonglonglonglo"),
        ("ü.yaml", "accelerator"),
    ],
)
def test_an_array_in_a_file_of_any_name_has_a_name_that_may_be_written(tmp_path, monkeypatch, bitjoule, file, name):
    """The name that a run writes into its experiment.yaml, which can be run again."""
    monkeypatch.setattr(measuring, "measure", measured.made_up)
    (tmp_path / file).write_text(ARRAY)
    (tmp_path / "mine.yaml").write_text(NAMED.format(f"'{file}'"))
    assert bitjoule("run", tmp_path / "mine.yaml", "--out", tmp_path / "out")[0] == 0
    written = tmp_path / "out" / "mine" / "experiment.yaml"
    assert [array["name"] for array in yaml.safe_load(written.read_text())["gates"]["arrays"]] == [name]
    assert bitjoule("check", written)[0] == 0


def test_two_files_of_one_name_are_refused(tmp_path, bitjoule):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.yaml").write_text(ARRAY)
    (tmp_path / "mine.yaml").write_text(NAMED.format("first/same.yaml, second/same.yaml"))
    status, out, err = bitjoule("check", tmp_path / "mine.yaml")
    assert (status, out) == (2, "")
    assert err == f"{tmp_path}/mine.yaml:3: gates.arrays[1]: duplicate array name 'same'; expected each name once\n"


def test_what_the_command_line_sets_is_told_as_such(tmp_path, bitjoule):
    (tmp_path / "mine.yaml").write_text(TEXT)
    status, _, err = bitjoule("run", tmp_path / "mine.yaml", "--set", "gates.libraries=[no.lib]")
    assert status == 2
    assert err.startswith(
        "--set gates.libraries=[no.lib]:1: gates.libraries[0]: 'no.lib' not found; expected freepdk45"
    )
