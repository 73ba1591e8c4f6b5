"""What an experiment may say."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from yaml import safe_load

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.execution import json_schema
from bitjoule.experiments.energy.schema import Experiment, Range, swept
from bitjoule.experiments.files import open_experiment, shipped_experiments
from bitjoule.experiments.hardware.schema import RtlExperiment, RtlRun, read_rtl_experiment
from bitjoule.experiments.netlists.schema import (
    GatesEffort,
    GatesExperiment,
    GatesPlot,
    GatesRun,
    NamedArray,
    read_gates_experiment,
)
from bitjoule.experiments.prices.schema import PricesExperiment, read_prices_experiment
from tests.experiments.opened import opened

SCHEMA = Draft202012Validator(json_schema())


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


def test_a_range_with_a_factor_does_not_start_at_zero():
    with pytest.raises(ValueError, match="a range with a factor starts at 0"):
        Range(start=0, stop=4, factor=2)


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


SHIPPED = shipped_experiments()


@pytest.mark.parametrize("name", SHIPPED)
def test_the_json_schema_accepts_every_shipped_experiment(name):
    document = parse_document(SHIPPED[name].read_text(), f"{name}.yaml")  # YAML 1.2: `on` is a word
    assert list(SCHEMA.iter_errors(document.data)) == []


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


def test_the_json_schema_has_the_keys_of_all_kinds_and_says_what_each_key_but_those_of_energy_experiments_means():
    definitions = json_schema()["$defs"]
    explained = (RtlExperiment, RtlRun, GatesExperiment, GatesRun, GatesEffort, GatesPlot, NamedArray, PricesExperiment)
    for kind in (Experiment, *explained):
        assert set(definitions[kind.__name__]["properties"]) == set(kind.model_fields)
    for kind in explained:
        assert all(found["description"] for found in definitions[kind.__name__]["properties"].values())


HARDWARE = """\
name: mine
technology: 45nm
platform: ternary-edge
rtl: {engine: numpy, matmuls: [{m: 2, k: 100, n: 40}, {m: 1, k: 64, n: 16}], random_weights: 0.5, clock_mhz: 250}
"""
MATMULS = "matmuls: [{m: 2, k: 100, n: 40}, {m: 1, k: 64, n: 16}], random_weights: 0.5"


def hardware(text: str, tmp_path) -> RtlExperiment:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    return read_rtl_experiment(open_experiment(path))


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("mine", "mine"),
        ("technology: 45nm\nplatform: ternary-edge\n", ""),
        (MATMULS, "model: tiny-b158"),
        ("matmuls: [{m: 2, k: 100, n: 40}, {m: 1, k: 64, n: 16}], ", "model: x/y, matmuls: null, temperature: 0, "),
        ("random_weights: 0.5", "model: null, random_weights: 0, prompt: null, seed: 1"),
        ("engine: numpy", "toggles: true"),
        ("engine: numpy", "engine: numpy, toggles: false"),
        (MATMULS, "weights: binary"),
        ("m: 2, k: 100, n: 40", "m: 65535, k: 1048576, n: 16777215"),
        ("clock_mhz: 250", "clock_mhz: 0.001"),
        ("clock_mhz: 250", "clock_mhz: 1.0e+6"),
        (MATMULS, "new_tokens: 1, temperature: 1000, seed: 0"),
        (MATMULS, "new_tokens: 999999, temperature: 0, seed: 1000000000000000000"),
    ],
)
def test_the_json_schema_and_the_reader_accept_the_same_hardware_experiments(tmp_path, was, becomes):
    text = HARDWARE.replace(was, becomes)
    assert list(SCHEMA.iter_errors(safe_load(text))) == []
    assert hardware(text, tmp_path)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("name: mine", "nam: mine"),
        ("name: mine", "name: Mine"),
        ("name: mine", "name: mine\nschemes: [fp16]"),
        ("45nm", "46nm"),
        ("platform: ternary-edge", "platform: 5"),
        ("platform: ternary-edge", "platform: {name: x, arrays: {}}"),
        ("engine: numpy", "engine: gpu"),
        ("engine: numpy", "engin: numpy"),
        ("random_weights: 0.5", "random_weights: 1.5"),
        (", random_weights: 0.5", ""),
        ("random_weights: 0.5", "random_weights: null"),
        ("random_weights: 0.5", "random_weights: 0.5, model: tiny-b158"),
        ("random_weights: 0.5", "random_weights: 0.5, toggles: 1"),
        ("random_weights: 0.5", "random_weights: 0.5, toggles: true"),
        ("random_weights: 0.5", "random_weights: 0.5, weights: ternary"),
        ("matmuls: [{m: 2, k: 100, n: 40}, {m: 1, k: 64, n: 16}]", "weights: ternary"),
        ("random_weights: 0.5", "random_weights: 0.5, prompt: a"),
        ("random_weights: 0.5", "random_weights: 0.5, new_tokens: 3"),
        ("random_weights: 0.5", "random_weights: 0.5, temperature: 0.6"),
        ("random_weights: 0.5", "random_weights: 0.5, new_tokens: 0"),
        ("random_weights: 0.5", "random_weights: 0.5, seed: -1"),
        ("random_weights: 0.5", "random_weights: 0.5, temperature: hot"),
        ("random_weights: 0.5", "random_weights: 0.5, prompt: 5"),
        ("clock_mhz: 250", "clock_mhz: 0"),
        ("clock_mhz: 250", "clock_mhz: 0.0009"),
        ("clock_mhz: 250", "clock_mhz: 1000001"),
        (MATMULS, "new_tokens: 1000000"),
        (MATMULS, "temperature: 1000.1"),
        (MATMULS, "temperature: -0.1"),
        (MATMULS, "seed: 1000000000000000001"),
        ("m: 2", "m: 65536"),
        ("k: 100", "k: 1048577"),
        ("n: 40", "n: 16777216"),
        ("m: 2, ", ""),
        ("{m: 1, k: 64, n: 16}", "{m: 2, k: 100, n: 40}"),
        ("[{m: 2, k: 100, n: 40}, {m: 1, k: 64, n: 16}]", "[]"),
        (HARDWARE[HARDWARE.index("{engine") :], "null\n"),
        (HARDWARE[HARDWARE.index("{engine") :], "[]\n"),
    ],
)
def test_the_json_schema_and_the_reader_refuse_the_same_hardware_experiments(tmp_path, was, becomes):
    text = HARDWARE.replace(was, becomes)
    assert text != HARDWARE
    assert not SCHEMA.is_valid(safe_load(text))
    with pytest.raises(InputError):
        hardware(text, tmp_path)


GATES = """\
name: mine
gates:
  libraries: [freepdk45, [freepdk45.lib]]
  arrays: [tiny_8x4, {name: own, config: {lanes: 8, columns: 2, max_k: 64, weight_bus_bits: 32}, stimuli: [worst]}]
  stimuli: [uniform]
  effort: {cycles: 2, seed: 3}
plots: [{kind: parts}]
"""
PRICES = "name: mine\ncompare: [[45nm, 7nm]]\n"


@pytest.mark.parametrize(
    ("text", "was", "becomes", "valid"),
    [
        (GATES, "", "", True),
        (GATES, "  libraries: [freepdk45, [freepdk45.lib]]\n", "", True),
        (GATES, "plots: [{kind: parts}]\n", "", True),
        (GATES, "[uniform]", "[]", False),
        (GATES, "cycles: 2", "cycles: 1", False),
        (GATES, "cycles: 2", "cycle: 2", False),
        (GATES, "lanes: 8", "lanes: 8.5", False),
        (GATES, "name: own, ", "", False),
        (GATES, "kind: parts", "kind: zeros", False),
        (GATES, "name: mine\n", "", False),
        (PRICES, "", "", True),
        (PRICES, "7nm]", "7nm, 45nm]", False),
        (PRICES, "[[45nm, 7nm]]", "[]", False),
        (PRICES, "name: mine", "name: Mine", False),
    ],
)
def test_the_json_schema_and_the_readers_agree_about_experiments_on_netlists_and_prices(
    tmp_path, text, was, becomes, valid
):
    assert was in text
    text = text.replace(was, becomes, 1) if was else text
    (tmp_path / "x.yaml").write_text(text)
    (tmp_path / "freepdk45.lib").write_text("")
    assert SCHEMA.is_valid(safe_load(text)) is valid
    read = read_gates_experiment if "gates:" in text else read_prices_experiment
    if valid:
        assert read(opened(tmp_path / "x.yaml")).experiment.name == safe_load(text)["name"]
    else:
        with pytest.raises(InputError):
            read(opened(tmp_path / "x.yaml"))


def test_no_two_keys_of_a_mapping_are_described_alike():
    mappings = {"the experiment": SCHEMA.schema, **SCHEMA.schema["$defs"]}
    for name, mapping in mappings.items():
        described = [key["description"] for key in mapping.get("properties", {}).values() if "description" in key]
        assert len(set(described)) == len(described), name


def test_the_sizes_of_a_bare_product_are_described_as_those_of_a_linear():
    """(M, K) @ (K, N): a row for each token, and the sizes of torch.nn.Linear."""
    sizes = SCHEMA.schema["$defs"]["MatmulSize"]["properties"]
    described = {key: size["description"] for key, size in sizes.items()}
    assert described == {"m": "number of tokens", "k": "in_features", "n": "out_features"}
