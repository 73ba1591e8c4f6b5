"""The models in NumPy against transformers, which makes and saves every checkpoint here itself."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.sim.llm import model as module
from bitjoule.sim.llm.checkpoints.checkpoint import Checkpoint
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import MatmulRecord
from bitjoule.sim.llm.model import Blocks, check_positions
from bitjoule.sim.llm.synthetic import random_model
from tests.sampling import one_of_each
from tests.sim.checkpoints import (
    ENGINE,
    FORMATS,
    OFFLINE,
    ONLINE,
    SHAPES,
    TOKENS,
    assert_same,
    expected,
    loaded_and_expected,
    make,
    quantise,
)

CASES = one_of_each(
    [
        [(family, quantisation, shape, tied) for family in ("bitnet", "llama") for tied in (True, False)]
        for quantisation in FORMATS.values()
        for shape in SHAPES.values()
    ],
    "families and heads",
)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "quantisation", "shape", "tied"), CASES)
def test_logits_equal_those_of_transformers(
    hf: Any, tmp_path: Path, family: str, quantisation: dict[str, Any], shape: dict[str, int], tied: bool
) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, quantisation, shape, tie_word_embeddings=tied))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bitnet", "llama"])
def test_float_logits_equal_those_of_transformers(hf: Any, tmp_path: Path, family: str) -> None:
    make(hf, tmp_path, family, SHAPES["grouped queries"])
    assert_same(load_model(tmp_path).model, expected(hf, tmp_path))


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {"attention_bias": True, "mlp_bias": True}),
    ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 777.0}, "rms_norm_eps": 1e-3}),
    ("llama", {"head_dim": 6}),
    ("bitnet", {"attention_bias": True, "hidden_act": "silu"}),
    ("bitnet", {"rope_parameters": {"rope_type": "default", "rope_theta": 55.0}, "rms_norm_eps": 1e-2}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "options", "quantisation"),
    one_of_each([[(*case, each) for each in FORMATS.values()] for case in OPTIONS], "formats with options"),
)
def test_options_of_the_configuration_are_followed(
    hf: Any, tmp_path: Path, family: str, options: dict[str, Any], quantisation: dict[str, Any]
) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, quantisation, SHAPES["grouped queries"], **options))


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", FORMATS.values(), ids=FORMATS)
def test_norms_and_exceptions_of_the_quantisation_are_followed(
    hf: Any, tmp_path: Path, quantisation: dict[str, Any]
) -> None:
    quantisation = {**quantisation, "use_rms_norm": True, "rms_norm_eps": 1e-3}
    assert_same(*loaded_and_expected(hf, tmp_path, "llama", quantisation, SHAPES["grouped queries"]))


@pytest.mark.slow
def test_linears_that_are_not_to_be_converted_stay_floats(hf: Any, tmp_path: Path) -> None:
    quantisation = {**ONLINE, "modules_to_not_convert": ["lm_head", "model.layers.1", "up_proj"]}
    model, logits = loaded_and_expected(hf, tmp_path, "llama", quantisation, SHAPES["grouped queries"])
    assert_same(model, logits)
    seen: list[MatmulRecord] = []
    model.forward(TOKENS, ENGINE, observe=seen.append)
    assert {record.layer for record in seen} == {0, 2}
    assert "ffn_up" not in {record.name for record in seen}


@pytest.mark.slow
def test_a_head_that_is_converted_goes_through_the_engine(hf: Any, tmp_path: Path) -> None:
    quantisation = {**ONLINE, "modules_to_not_convert": ["none"]}
    model, logits = loaded_and_expected(hf, tmp_path, "llama", quantisation, SHAPES["plain"], tie_word_embeddings=False)
    assert_same(model, logits)
    seen: list[MatmulRecord] = []
    model.forward(TOKENS, ENGINE, observe=seen.append)
    assert (seen[-1].name, seen[-1].layer, seen[-1].n) == ("lm_head", -1, 71)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_weights_of_other_float_types_are_widened(hf: Any, tmp_path: Path, dtype: str) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, "bitnet", ONLINE, SHAPES["plain"], stored=dtype))
    assert Checkpoint(tmp_path).dtype("model.layers.0.mlp.up_proj.weight") in ("BF16", "F16", "F64")


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", FORMATS.values(), ids=FORMATS)
def test_shards_give_the_same_logits(hf: Any, tmp_path: Path, quantisation: dict[str, Any]) -> None:
    from safetensors.numpy import load_file, save_file

    make(hf, tmp_path, "bitnet", SHAPES["grouped queries"])
    quantise(tmp_path, quantisation)
    logits = load_model(tmp_path).model.forward(TOKENS, ENGINE)
    tensors = load_file(tmp_path / "model.safetensors")
    places = {name: f"model-{index % 3 + 1:05}-of-00003.safetensors" for index, name in enumerate(tensors)}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == shard}, tmp_path / shard)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (tmp_path / "model.safetensors").unlink()
    np.testing.assert_array_equal(load_model(tmp_path).model.forward(TOKENS, ENGINE), logits)


@pytest.mark.slow
def test_greedy_text_equals_that_of_transformers(hf: Any, tmp_path: Path) -> None:
    import torch

    make(hf, tmp_path, "bitnet", SHAPES["grouped queries"])
    quantise(tmp_path, OFFLINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hf.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
        text = model.generate(torch.tensor([TOKENS]), max_new_tokens=20, do_sample=False)[0, len(TOKENS) :]
    assert list(load_model(tmp_path).model.generate(TOKENS, 20, ENGINE)) == text.tolist()


@pytest.mark.slow
def test_a_model_read_block_by_block_gives_the_same_logits(hf: Any, tmp_path: Path) -> None:
    make(hf, tmp_path, "bitnet", SHAPES["grouped queries"])
    quantise(tmp_path, OFFLINE)
    kept, streamed = load_model(tmp_path).model, load_model(tmp_path, resident=0).model
    assert kept.blocks(0) is kept.blocks(0)
    assert streamed.blocks(0) is not streamed.blocks(0)
    np.testing.assert_array_equal(kept.forward(TOKENS, ENGINE), streamed.forward(TOKENS, ENGINE))


def small(**changes: Any) -> ModelShape:
    """Return a shape that takes no time."""
    sizes = {"layers": 1, "hidden": 16, "heads": 2, "kv_heads": 2, "head_dim": 8, "ffn": 24, "vocabulary": 11}
    return presets()["opt-125m"].model_copy(update=sizes | {"learned_positions": 6} | changes)


@pytest.mark.parametrize("rows", [1, 4, 10, 11, 12])
def test_logits_are_the_same_however_many_rows_of_a_table_are_taken_at_a_time(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    model = random_model(small(), seed=3)
    whole = model.forward([1, 2, 3], ENGINE)
    assert whole.shape == (3, 11)
    monkeypatch.setattr(module, "_ROWS", rows)
    monkeypatch.setattr(np, "empty", lambda shape, dtype=float: np.full(shape, np.nan, dtype))  # what stays is told
    np.testing.assert_allclose(model.forward([1, 2, 3], ENGINE), whole, rtol=1e-5, atol=1e-6)


def test_blocks_are_kept_up_to_as_many_weights_as_are_allowed() -> None:
    shape = small(layers=3)
    weights = 3 * sum(linear.in_features * linear.out_features for linear in shape.linears)
    for allowed, kept in ((weights - 1, False), (weights, True), (weights + 1, True)):
        made: list[int] = []

        def make(index: int, made: list[int] = made) -> Any:
            made.append(index)
            return object()

        blocks = Blocks(make, shape, allowed)
        first = [blocks(index) for index in (0, 1, 0)]
        assert (first[0] is first[2]) is kept
        assert made == ([0, 1] if kept else [0, 1, 0])


@pytest.mark.parametrize(
    ("prompt", "new", "fits"), [(6, 1, True), (6, 0, True), (3, 4, True), (6, 2, False), (7, 0, True)]
)
def test_the_last_new_token_needs_no_position(prompt: int, new: int, fits: bool) -> None:
    """It does not go through the model; nor does a prompt that nothing follows."""
    shape = small()
    if fits:
        check_positions(shape, prompt, new)
        check_positions(small(learned_positions=0), 10**6, 10**6)
        return
    with pytest.raises(ValueError, match=rf"^{prompt} \+ {new} tokens exceed the model's 6 positions$"):
        check_positions(shape, prompt, new)
    with pytest.raises(ValueError, match="exceed the model's 6 positions"):
        random_model(shape).generate([1] * prompt, new, ENGINE)


def test_a_text_ends_before_a_token_that_ends_it_and_after_as_many_as_are_asked_for() -> None:
    model = random_model(small(), seed=3)
    tokens = list(model.generate([1, 2], 4, ENGINE))
    assert len(tokens) == 4
    for count in range(4):
        assert list(model.generate([1, 2], count, ENGINE)) == tokens[:count]
    for stop in set(tokens):
        assert list(model.generate([1, 2], 4, ENGINE, stop=[stop])) == tokens[: tokens.index(stop)]
    for count, temperature, told in ((-1, 0.0, "new_tokens is -1, expected 0 or more"),
                                     (1, -0.1, "temperature is -0.1, expected 0 or more"),
                                     (1, np.inf, "temperature is inf"), (1, np.nan, "temperature is nan")):  # fmt: skip
        with pytest.raises(ValueError, match=told):
            model.generate([1, 2], count, ENGINE, temperature)


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        ([], "no tokens, expected at least one"),
        ([0, 11, 12], "token 11 is outside the vocabulary, expected 0 to 10"),
        ([10, -1], "token -1 is outside the vocabulary, expected 0 to 10"),
    ],
)
def test_ids_outside_of_the_vocabulary_are_refused_the_first_by_name(tokens: list[int], told: str) -> None:
    model = random_model(small())
    with pytest.raises(ValueError, match=f"^{told}$"):
        model.forward(tokens, ENGINE)
    with pytest.raises(ValueError, match=f"^{told}$"):
        model.generate(tokens, 1, ENGINE)
    assert model.forward([0, 10], ENGINE).shape == (2, 11)
