"""Model shapes against published parameter counts."""

import csv
from pathlib import Path

import pytest

from bitjoule.energy_models.architecture.shape import ModelShape, any_shape_from, presets, shape_from
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources

TINY = "{layers: 2, hidden: 8, heads: 2, ffn: 16, ffn_gated: true, activation: silu, vocabulary: 10}"

with (Path(__file__).parents[1] / "parameter_counts.csv").open(newline="") as handle:
    PUBLISHED_COUNTS = [(row["model"], int(row["parameters"])) for row in csv.DictReader(handle)]


def shape(text: str) -> ModelShape:
    document = parse_document(text, "f.yaml")
    return shape_from(document, document.data, ())


def test_what_is_wrong_in_a_file_of_several_shapes_has_its_path_and_line():
    document = parse_document(f"models:\n  a: {TINY}\n  b:\n    {TINY.replace('heads: 2', 'heads: 3')}\n", "f.yaml")
    assert any_shape_from(document, document.data["models"]["a"], ("models", "a")).heads == 2
    with pytest.raises(InputError, match=r"^f\.yaml:4: models\.b\.heads: hidden \(8\) is not a multiple of heads"):
        any_shape_from(document, document.data["models"]["b"], ("models", "b"))


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED_COUNTS)
def test_parameters_are_the_published_count(name, parameters):
    assert presets()[name].parameters == parameters


def test_2b4t_has_the_published_linear_and_embedding_parameters():
    model = presets()["bitnet-b1.58-2b-4t"]
    linear = model.layers * sum(matrix.in_features * matrix.out_features for matrix in model.linears)
    assert linear == 2_084_044_800  # Ma et al. 2025, model card
    assert model.vocabulary * model.hidden == 328_335_360


def test_every_family_and_size_of_the_papers_ships():
    expected = {
        "bitnet": "125m 350m 760m 1.3b 2.7b 6.7b 13b 30b 70b",
        "bitnet-b1.58": "700m 1.3b 3b 3.9b 2b-4t",
        "bitnet-cpp": "125m 350m 1b 1.5b 2.7b 3.8b 7b 13b 30b 70b 100b",
        "bitnet-embedding": "0.6b 270m",
        "bonsai": "1.7b 4b 8b 27b 2-27b",
        "deepseek": "v2-lite v3",
        "falcon3": "1b 3b 7b 10b",
        "gemma-3": "270m 1b 4b 12b 27b",
        "gpt-oss": "20b 120b",
        "lfm2": "350m 1.2b",
        "llama": "7b 13b 33b 65b",
        "llama-2": "7b 13b 70b",
        "llama-3": "8b 70b",
        "llama-3.1": "8b 70b 405b",
        "llama-3.2": "1b 3b",
        "llama-3.3": "70b",
        "mamba": "130m 370m 790m 1.4b 2.8b",
        "mamba2": "130m 370m 780m 1.3b 2.7b 7b",
        "matmul-free": "370m 1.3b 2.7b",
        "minicpm": "2b",
        "mistral": "7b",
        "mixtral": "8x7b 8x22b",
        "olmo-2": "1b 7b 13b 32b",
        "opt": "125m 1.3b 2.7b 6.7b 13b 30b 66b 175b",
        "phi-4": " mini",
        "qwen2.5": "0.5b 1.5b 3b 7b 14b 32b 72b",
        "qwen3": "0.6b 1.7b 4b 8b 14b 32b 30b-a3b 235b-a22b coder-480b-a35b",
        "qwen3.5": "27b 35b-a3b 122b-a10b 397b-a17b",
        "retnet": "1.3b 2.7b 6.7b",
        "smollm2": "135m 360m 1.7b",
        "smollm3": "3b",
        "trilm": "99m 190m 390m 560m 830m 1.1b 1.5b 2.4b 3.9b",
    }
    names = {f"{family}-{size}".rstrip("-") for family, sizes in expected.items() for size in sizes.split(" ")}
    assert set(presets()) == names


def test_every_shape_cites_a_source_and_a_place():
    for name, model in presets().items():
        assert model.where, name
        assert keys(model.source), name
        assert all(key in sources() for key in keys(model.source)), name


def test_heads_default_to_multi_head_attention():
    model = shape(TINY)
    assert (model.kv_heads, model.head_dim) == (2, 4)


def test_grouped_query_attention_narrows_keys_and_values_only():
    model = shape(TINY.replace("heads: 2", "heads: 4, kv_heads: 1, head_dim: 3"))
    widths = {matrix.component: (matrix.in_features, matrix.out_features) for matrix in model.linears}
    assert widths["q_proj"] == (8, 12)
    assert widths["k_proj"] == widths["v_proj"] == (8, 3)
    assert widths["o_proj"] == (12, 8)


def test_a_mixture_stores_every_expert_and_uses_some():
    model = shape(TINY.replace("ffn: 16", "ffn: 16, experts: 4, active_experts: 2"))
    dense = shape(TINY)
    ffn = 3 * 8 * 16
    assert model.parameters - dense.parameters == model.layers * (3 * ffn + 8 * 4)
    assert {m.component: m.uses for m in model.linears}["ffn_up"] == 2
    assert {m.component: m.uses for m in model.linears}["ffn_router"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("heads: 2", "heads: 3"),
            "f.yaml:1: heads: hidden (8) is not a multiple of heads (3); expected a divisor of hidden, or head_dim",
        ),
        (
            ("heads: 2", "heads: 2, kv_heads: 3"),
            "f.yaml:1: kv_heads: heads (2) is not a multiple of kv_heads (3); expected a divisor of heads",
        ),
        (("ffn: 16", "ffn: 16, active_experts: 2"), "f.yaml:1: active_experts: 2 of 1 experts are active"),
        (("layers: 2", "layers: 0"), "f.yaml:1: layers: got 0; expected greater than 0"),
        (
            ("layers: 2, hidden: 8", "layers: 10000000, experts: 10000000, hidden: 100000"),
            "parameters; expected at most 1000000000000000000",
        ),
        (("layers: 2", "layers: 2.5"), "f.yaml:1: layers: got 2.5; expected a valid integer"),
        (("layers: 2", "layers: yes"), "f.yaml:1: layers: got 'yes'; expected a valid integer"),
        (("layers: 2, ", ""), "f.yaml:1: layers: is missing; expected a value"),
        (("layers:", "layres:"), "f.yaml:1: layres: unknown key (did you mean 'layers'?)"),
        (("silu", "slu"), "f.yaml:1: activation: 'slu' is unknown (did you mean 'silu'?)"),
    ],
)
def test_an_impossible_shape_is_refused(change, message):
    with pytest.raises(InputError) as error:
        shape(TINY.replace(*change))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ("", "heads: is missing; expected a value"),
        ("heads: -2, ", "heads: got -2; expected greater than 0"),
        ("heads: two, ", "heads: got 'two'; expected a valid integer"),
    ],
)
def test_wrong_heads_are_one_error(heads, message):
    with pytest.raises(InputError) as error:
        shape(TINY.replace("heads: 2, ", heads))
    assert str(error.value) == f"f.yaml:1: {message}"


GROUPS = TINY.replace("layers: 2", "layers: 4")[:-1] + ", groups: [{repeats: 3%s}, {repeats: 1%s}]%s}"


@pytest.mark.parametrize(
    ("first", "second", "model", "message"),
    [
        (", layer_numbers: '0-2'", ", layer_numbers: '2'", "",
         "groups: layer_numbers are not those of all layers; expected each of 0 to 3 in one group"),
        (", layer_numbers: 1-3", ", layer_numbers: '4'", "", "groups: layer_numbers are not those of all layers"),
        ("", ", mixer: {kind: mamba2, heads: 2, head_dim: 4, state: 3}", ", causal: false",
         "causal: a mixer without a causal mask; expected attention in every layer"),
        ("", ", adapters: {rank: 2, on: [w1]}", "",
         "groups[1].adapters.on: no layer has a linear 'w1' (did you mean 'ffn_gate'?)"),
        ("", ", window: 3", ", adapters: {rank: 2, on: [k_prof]}",
         "adapters.on: no layer has a linear 'k_prof' (did you mean 'k_proj'?)"),
        ("", ", hadamard: {on: [q_proj], block: 3}", "",
         "no Walsh-Hadamard rotation of the 8 inputs of q_proj in blocks of 3 is known"),
    ],
)  # fmt: skip
def test_what_groups_of_layers_cannot_be_is_told_where_it_is_written(first, second, model, message):
    with pytest.raises(InputError) as error:
        shape(GROUPS % (first, second, model))
    (problem,) = str(error.value).splitlines()
    assert message in problem
    assert problem.startswith("f.yaml:1: " + message) or "rotation" in message


def test_a_hint_names_a_linear_that_a_layer_has():
    """Without a gate the name that other models give it hints at nothing that is not there."""
    text = TINY.replace("ffn_gated: true", "ffn_gated: false")[:-1] + ", adapters: {rank: 2, on: [w1]}}"
    with pytest.raises(InputError) as error:
        shape(text)
    assert "no layer has a linear 'w1'; expected one of q_proj, k_proj, v_proj, o_proj, ffn_up" in str(error.value)
