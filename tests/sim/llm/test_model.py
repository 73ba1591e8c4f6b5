"""The models in NumPy against transformers, which makes and saves every checkpoint here itself."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitjoule.sim.llm.checkpoint import Checkpoint
from bitjoule.sim.llm.engines import MatmulRecord, NumpyEngine
from bitjoule.sim.llm.loading import load_model
from bitjoule.sim.llm.model import Model
from bitjoule.sim.reference import bitlinear as reference
from bitjoule.sim.reference.quantisation import QuantisedActivations, absmax

TOKENS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
TOLERANCE = 1e-4
CLEAR = 4e-5  # codes: float32 noise of 3e-7 on codes of up to 127
SHAPES = {
    "plain": {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2,
              "num_key_value_heads": 2},
    "grouped queries": {"hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 3, "num_attention_heads": 8,
                        "num_key_value_heads": 2},
    "one key head": {"hidden_size": 96, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 6,
                     "num_key_value_heads": 1},
}  # fmt: skip
ONLINE = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
OFFLINE = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
BITLINEAR = {"quant_method": "bitnet"}
FORMATS = {"packed": OFFLINE, "packed, divisor": BITLINEAR, "unpacked": ONLINE}
ENGINE = NumpyEngine()


@pytest.fixture(scope="module")
def hf() -> Iterator[Any]:
    """transformers, run as written and without `accelerate`, which it asks for but does not use on a CPU."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        transformers = pytest.importorskip("transformers")
        quantizer = pytest.importorskip("transformers.quantizers.quantizer_bitnet")
        pytest.importorskip("transformers.integrations.bitnet")
        patch.setattr(quantizer, "is_accelerate_available", lambda: True)
        with torch.compiler.set_stance("force_eager"), torch.no_grad():
            yield transformers


def make(
    hf: Any, folder: Path, family: str, shape: dict[str, int], seed: int = 0, stored: str = "float32", **options: Any
) -> Any:
    """Make and save a random model of float weights, wide enough apart that its logits differ."""
    import torch

    torch.manual_seed(seed)
    kind = {"bitnet": (hf.BitNetConfig, hf.BitNetForCausalLM), "llama": (hf.LlamaConfig, hf.LlamaForCausalLM)}[family]
    options = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None, **options}
    model = kind[1](kind[0](vocab_size=71, max_position_embeddings=64, **shape, **options)).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.uniform_(0.5, 1.5)
        elif name.endswith("bias"):
            parameter.normal_(0, 0.1)
    model.to(getattr(torch, stored)).save_pretrained(folder)


def quantise(folder: Path, quantisation: dict[str, Any]) -> None:
    """Turn a saved float model into one of a bitnet format, packed by transformers' own function."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers.integrations.bitnet import pack_weights

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": quantisation}))
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if "_proj.weight" in name]:
        weight = tensors[name]
        stem = name.removesuffix(".weight")
        if quantisation.get("use_rms_norm"):
            tensors[f"{stem}.rms_norm.weight"] = torch.rand(weight.shape[1]) + 0.5
        if quantisation.get("quantization_mode") == "online":
            continue
        scale = weight.abs().mean()
        tensors[name] = pack_weights((weight / scale).round().clamp(-1, 1))
        divides = quantisation.get("linear_class") != "autobitlinear"
        tensors[f"{stem}.weight_scale"] = (1 / scale if divides else scale).reshape(1)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def nearest_tie(model: Model) -> float:
    """Return how near the activations come to a tie of their rounding, in codes.

    Next to one, the order of a float32 sum decides a code, and a code moves logits by more than the tolerance:
    transformers then differs from itself, too, between a prefill and a pass token by token.
    """
    nearest = [0.5]

    def measured(x: Any, bits: int = 8, groups: int = 1) -> QuantisedActivations:
        exact = 127 * x.astype(np.float64) / np.abs(x).max(axis=-1, keepdims=True)
        nearest.append(float(np.abs(np.abs(exact) % 1 - 0.5).min()))
        return absmax(x, bits, groups)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "absmax", measured)
        model.forward(TOKENS, ENGINE)
    return min(nearest)


def loaded_and_expected(
    hf: Any, folder: Path, family: str, quantisation: dict[str, Any], shape: dict[str, int], **options: Any
) -> tuple[Model, Any]:
    """Return our model and transformers' logits, of the first seed whose activations keep clear of ties."""
    for seed in range(100):
        make(hf, folder, family, shape, seed, **options)
        quantise(folder, quantisation)
        model = load_model(folder).model
        if nearest_tie(model) > CLEAR:
            return model, expected(hf, folder)
    raise AssertionError("every seed comes near a tie")


def expected(hf: Any, folder: Path, tokens: list[int] = TOKENS) -> Any:
    """Return transformers' logits of the saved model in float32."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()(torch.tensor([tokens])).logits[0].numpy()


def assert_same(model: Model, logits: Any) -> None:
    """Compare a prefill, a token-by-token pass, and a prefill continued in pieces."""
    assert np.ptp(logits) > 0.1
    np.testing.assert_allclose(model.forward(TOKENS, ENGINE), logits, rtol=0, atol=TOLERANCE)
    for sizes in ([1] * len(TOKENS), [4, 1, 6]):
        cache, start = model.new_cache(), 0
        for size in sizes:
            part = model.forward(TOKENS[start : start + size], ENGINE, cache)
            np.testing.assert_allclose(part, logits[start : start + size], rtol=0, atol=TOLERANCE)
            start += size


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("quantisation", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("family", ["bitnet", "llama"])
def test_logits_equal_those_of_transformers(
    hf: Any, tmp_path: Path, family: str, quantisation: dict[str, Any], shape: dict[str, int], tied: bool
) -> None:
    assert_same(*loaded_and_expected(hf, tmp_path, family, quantisation, shape, tie_word_embeddings=tied))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bitnet", "llama"])
def test_float_logits_equal_those_of_transformers(hf: Any, tmp_path: Path, family: str) -> None:
    make(hf, tmp_path, family, SHAPES["grouped queries"])
    assert_same(load_model(tmp_path).model, expected(hf, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("quantisation", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("llama", {"attention_bias": True, "mlp_bias": True}),
        ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 777.0}, "rms_norm_eps": 1e-3}),
        ("llama", {"head_dim": 6}),
        ("bitnet", {"attention_bias": True, "hidden_act": "silu"}),
        ("bitnet", {"rope_parameters": {"rope_type": "default", "rope_theta": 55.0}, "rms_norm_eps": 1e-2}),
    ],
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
