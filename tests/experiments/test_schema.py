"""What an experiment may say."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from yaml import safe_load

from bitjoule.energy_models.documents import parse_document
from bitjoule.energy_models.errors import InputError
from bitjoule.energy_models.validation import validate
from bitjoule.experiments.reader import shipped_experiments
from bitjoule.experiments.schema import Experiment, Range, swept

SCHEMA = Draft202012Validator(Experiment.model_json_schema())


def experiment(text: str) -> Experiment:
    return validate(Experiment, parse_document(text, "f.yaml"))


@given(start=st.integers(0, 500), length=st.integers(0, 500), step=st.integers(1, 50))
def test_a_range_with_a_step_is_pythons_with_its_end(start, length, step):
    values = Range(start=start, stop=start + length, step=step).values
    assert values == list(range(start, start + length + 1, step))


@given(start=st.integers(1, 500), length=st.integers(0, 10**6), factor=st.integers(2, 10))
def test_a_range_with_a_factor_multiplies_until_its_end(start, length, factor):
    values = Range(start=start, stop=start + length, factor=factor).values
    assert values[0] == start
    assert all(b == a * factor for a, b in itertools.pairwise(values))
    assert values[-1] <= start + length < values[-1] * factor


def test_a_number_and_a_list_are_swept_as_they_stand():
    assert swept(7) == [7]
    assert swept([3, 1]) == [3, 1]


def test_defaults_are_a_pass_of_512_tokens_for_one_sequence(small):
    got = experiment("name: x\nmodels: [llama-7b]\nschemes: [fp16]\ntechnologies: [7nm]\n")
    assert got.accounting == "arithmetic"
    assert got.workload is not None
    assert (got.workload.prompt_tokens, got.workload.new_tokens, got.workload.batch) == (512, 0, 1)
    assert experiment(small).cases == 2 * 2 * 2 * 2 * 2


def test_an_experiment_is_frozen(small):
    with pytest.raises(ValueError, match="frozen"):
        experiment(small).name = "other"


@pytest.mark.parametrize("name", shipped_experiments())
def test_the_json_schema_accepts_every_shipped_experiment(name):
    assert list(SCHEMA.iter_errors(safe_load(shipped_experiments()[name].read_text()))) == []


SHAPE = "{name: t, layers: 1, hidden: 4, heads: 2, ffn: 8, ffn_gated: true, activation: silu, vocabulary: 5}"


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (("llama-3-8b", SHAPE), True),
        (("llama-3-8b", SHAPE.replace("heads: 2", "heads: 2, kv_heads: 1, head_dim: 3")), True),
        (
            ("fp16, bitnet]", "fp16, {name: s, weights: binary, activations: int8, attention: fp16, rescale: fp16}]"),
            True,
        ),
        (("batch: 2", "batch: {start: 1, stop: 4, factor: 2}"), True),
        (("llama-3-8b", SHAPE.replace("layers: 1, ", "")), False),
        (("models: [bitnet-125m, llama-3-8b]\n", ""), False),
        (("technologies", "matmuls: [{m: 1, k: 1, n: 1}]\ntechnologies"), False),
    ],
)
def test_the_json_schema_knows_what_may_be_written_out(small, change, valid):
    text = small.replace(*change)
    assert text != small
    assert SCHEMA.is_valid(safe_load(text)) is valid
    if valid:
        assert experiment(text)
    else:
        with pytest.raises(InputError):
            experiment(text)


@pytest.mark.parametrize("change", [("name: small", "nam: small"), ("batch: 2", "batch: two"), ("[45nm, 7nm]", "[]")])
def test_the_json_schema_and_the_reader_refuse_the_same(small, change):
    text = small.replace(*change)
    assert not SCHEMA.is_valid(safe_load(text))
    with pytest.raises(InputError):
        experiment(text)
