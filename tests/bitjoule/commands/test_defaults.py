"""Options that are left out: a command does what its help, and the file of an experiment, say of them."""

import argparse
import re

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
