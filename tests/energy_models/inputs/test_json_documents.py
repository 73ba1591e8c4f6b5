"""JSON files of others: the lines of keys, and what is told of a file that is none."""

import math

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.json_documents import read_json


def test_keys_have_the_lines_where_they_stand_and_infinities_are_numbers(tmp_path):
    (tmp_path / "config.json").write_text('{\n  "a": 1,\n\n  "b": {"c": 2}, "d": -Infinity\n}\n')
    document = read_json(tmp_path / "config.json", "mine")
    assert document.data == {"a": 1, "b": {"c": 2}, "d": -math.inf}
    assert document.lines == {(): 1, ("a",): 2, ("b",): 4, ("d",): 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1,\n\n  "b": }', "mine:3: file: JSON: Expecting value; expected valid JSON"),
        ('{\n"a": 1\n "b": 2}', "mine:3: file: JSON: Expecting ',' delimiter; expected valid JSON"),
        ('{"a": 1, "b": 2, "a": 3}', "mine:1: file: duplicate key 'a'; expected a config.json"),
        ('{"a": NaN}', "mine:1: file: contains NaN, which is not a JSON number; expected a config.json"),
        ("[" * 100_000, "mine:1: file: is nested too deeply; expected a config.json"),
        ("[1, 2]", "mine:1: file: got [1, 2]; expected a JSON object"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError) as raised:
        read_json(tmp_path / "config.json", "mine")
    assert str(raised.value) == message
