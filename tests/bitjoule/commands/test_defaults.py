"""Options that are left out: a command does what its help, and the file of an experiment, say of them."""

import argparse
import re
from pathlib import Path

import pytest

from bitjoule import cli
from bitjoule.commands.hardware.rtl_simulate import KEYS
from bitjoule.experiments.hardware.schema import DEFAULT_IDS, DEFAULT_MODEL, DEFAULT_PROMPT, RtlExperiment, RtlRun


def commands(parser, words=()):
    """Yield every command that has no further ones, by its words."""
    further = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in further:
        for word, each in action.choices.items():
            yield from commands(each, (*words, word))
    if not further:
        yield " ".join(words), parser


COMMANDS = dict(commands(cli._parser()))
OPTIONS = {
    f"{command} {action.dest}": (parser, action)
    for command, parser in COMMANDS.items()
    for action in parser._actions
    if action.help not in (None, argparse.SUPPRESS)
}
SIMULATED = {action.dest: action.default for action in COMMANDS["rtl simulate"]._actions}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_default_that_the_help_states_is_that_of_the_option(name):
    parser, action = OPTIONS[name]
    text = parser._get_formatter()._expand_help(action)
    stated = re.search(r"\bdefault:? '?([^;)']+)", text)
    default = action.default
    if stated is None or default in (None, False, argparse.SUPPRESS) or default == []:
        return
    shown = list(default) if isinstance(default, list | tuple) else [default]
    if isinstance(shown[0], float | int):
        assert [float(number) for number in re.findall(r"\d+(?:\.\d+)?", stated[1])] == shown, text
    else:
        assert stated[1].startswith(str(shown[0])), text


WRONG = ("", "x", "-1", "nan", "inf", "1e999")
ENDS = {  # by what reads a number: those at the ends of its range, and those beyond
    "jobs": (("1", "999"), ("0", "1000", "1.5")),
    "count": (("0", "999999"), ("1000000", "1.5")),
    "seed": (("0", "9" * 18), ("1" + 18 * "0", "1.5")),
    "_clock_mhz": (("1e-3", "1e5"), ("0", "0.0")),
    "_tokens": (("1", "999999"), ("0", "1000000", "1.5")),
    "_share": (("0", "0.5", "1"), ("1.001", "-0.001")),
    "_count": (("1", "64"), ("0", "65", "1.5")),
    "_seeds": (("1", "64"), ("0", "65", "1.5")),
    "_number": (("1e-9", "1e300"), ("0", "0.0")),
    "_bus": (("8", "64", "99992"), ("0", "12", "100000")),
    "_node": (("0.1", "7", "10000"), ("0", "10001")),
    "_band": (("1", "7..7", "256..900", "9999999"), ("0", "900..256", "0..1", "1..2..3", "10000000")),
}
NUMBERS = [name for name, (_, action) in OPTIONS.items() if getattr(action.type, "__name__", "") in ENDS]


def test_every_option_whose_default_is_a_number_has_its_ends_here():
    numeric = {name for name, (_, each) in OPTIONS.items() if each.type and isinstance(each.default, int | float)}
    later = {"rtl simulate seed", "rtl simulate temperature", "import bits"}  # by the schema; by the choices
    later |= {"stats seed", "stats new_tokens", "stats temperature"}  # by the same schema
    assert numeric - later <= set(NUMBERS)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_taken_to_the_ends_of_its_range_and_not_beyond(name):
    _, action = OPTIONS[name]
    inside, beyond = ENDS[action.type.__name__]
    for text in inside:
        found = action.type(text)
        assert found == (
            tuple(map(float, (text.split("..") * 2)[:2])) if "_band" in str(action.type) else type(found)(text)
        )
    for text in (*beyond, *WRONG):
        with pytest.raises(argparse.ArgumentTypeError, match=f"got '{re.escape(text)}'; expected "):
            action.type(text)


@pytest.mark.parametrize("key", KEYS)
def test_a_simulation_takes_an_option_that_is_left_out_as_an_experiment_takes_a_key(key):
    default = SIMULATED[key]
    assert default is None or default == RtlRun.model_fields[key].default  # without one it is not passed on


@pytest.mark.parametrize("key", ["technology", "platform"])
def test_a_simulation_runs_on_the_machine_of_an_experiment_that_names_none(key):
    assert SIMULATED[key] == RtlExperiment.model_fields[key].default


def test_a_simulation_says_what_it_takes_for_a_model_and_a_prompt_that_are_left_out():
    texts = {action.dest: action.help for action in COMMANDS["rtl simulate"]._actions}
    assert f"(default: {DEFAULT_MODEL})" in texts["model"]
    assert f"(default: {DEFAULT_PROMPT!r})" in texts["prompt"]
    assert f"(default: {DEFAULT_IDS!r})" in texts["prompt"]


# What is taken where an option is left out is a part of the command line, which stays as it is between versions.
LEFT_OUT = {
    "run out": "results", "explore out": "results", "rtl verify out": "results", "rtl simulate out": "results",
    "train out": "trained", "report output": "report.html", "explorer output": "explorer.html",
    "explore liberty": ["freepdk45"], "rtl synthesize liberty": ["freepdk45"], "calibrate liberty": ["freepdk45"],
    "explore cases": 100, "rtl verify cases": 100, "rtl testbench cases": 20,
    "rtl verify simulator": "verilator", "rtl simulate engine": "rtl", "rtl simulate config": "simulate_64x16",
    "rtl generate clock_mhz": 1000.0, "rtl place clock_mhz": 12.0, "rtl place baud": 115200.0,
    "rtl generate wrapper": "none", "rtl place wrapper": "uart", "rtl place datapath": "device",
    "rtl simulate technology": "7nm", "rtl simulate platform": "ternary-edge",
    "rtl simulate new_tokens": 32, "stats new_tokens": 32, "rtl simulate temperature": 0.6, "stats temperature": 0.6,
    "stats bus_bits": 64, "import bits": 8, "import technology": "45nm",
    "show technology": "45nm", "show objective": "energy", "train device": "auto", "train threads": 1,
    "rtl place seeds": 1,
    "rtl synthesize netlists": 1,
    "fit prompt_tokens": (256.0, 900.0), "predict prompt_tokens": (256.0, 900.0), "predict speed": "predicted",
}  # fmt: skip


def test_what_is_left_out_is_what_it_was():
    defaults = {name: action.default for name, (_, action) in OPTIONS.items() if not name.endswith(" jobs")}
    found = {name: value for name, value in defaults.items() if value not in (None, False, argparse.SUPPRESS, [])}
    assert {name: str(value) if isinstance(value, Path) else value for name, value in found.items()} == LEFT_OUT
    numbered = {name for name, value in defaults.items() if value == 0 and value is not False}
    assert numbered == {name for name in defaults if name.endswith(" seed")}
