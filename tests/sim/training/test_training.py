"""The shipped language models, and the training that they come from."""

import json
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.sim.reference.quantisation import absmean_ternary, sign_binary
from bitjoule.sim.training.corpus import paragraphs, read_corpus
from tests.sampling import sampled

MODELS = Path(__file__).parents[3] / "sim" / "models"
NAMES = {"tiny-b158": "ternary", "tiny-bitnet": "binary", "tiny-fp16": "float"}
CODES = {"ternary": {-1, 0, 1}, "binary": {-1, 1}}
# (out_features, in_features) of a layer
LINEARS = {
    "self_attn.q_proj": (128, 128),
    "self_attn.k_proj": (64, 128),
    "self_attn.v_proj": (64, 128),
    "self_attn.o_proj": (128, 128),
    "mlp.gate_proj": (256, 128),
    "mlp.up_proj": (256, 128),
    "mlp.down_proj": (128, 256),
}
NORMS = {
    "input_layernorm": 128,
    "post_attention_layernorm": 128,
    "self_attn.attn_sub_norm": 128,
    "mlp.ffn_sub_norm": 256,
}
DTYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "U8": np.dtype("u1")}
DOCSTRING = '''
def f(x):
    """Return the `sum` of :class:`~pandas.Series` over **all** axes.

    Parameters
    ----------
    x : array_like
        The values that are to be added up,
        of any ``dtype`` and shape.

    >>> f([Some code of which nothing is to be learned.])
    """
'''


@pytest.fixture(scope="module")
def training() -> Iterator[SimpleNamespace]:
    """torch, transformers and the training script; transformers' layers run as written, without a compiler."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")  # transformers refuses packed weights without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        transformers = pytest.importorskip("transformers")
        pytest.importorskip("transformers.integrations.bitnet")
        names = ("train", "export", "layers")
        modules = {name: pytest.importorskip(f"bitjoule.sim.training.{name}") for name in names}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.compiler.set_stance("force_eager"):
        yield SimpleNamespace(torch=torch, transformers=transformers, **modules)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


def tensors_of(path: Path) -> dict[str, NDArray[Any]]:
    """Read a safetensors file by its specification."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        values = np.frombuffer(content[start + first : start + end], DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def unpacked(values: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the codes that bytes hold, as (out_features, in_features)."""
    return np.concatenate([values >> 2 * place & 3 for place in range(4)]).astype(np.int8) - 1


def load(training: SimpleNamespace, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auto = training.transformers.AutoModelForCausalLM
        model, told = auto.from_pretrained(folder, dtype=training.torch.float32, output_loading_info=True)
    assert not any(told[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"))
    return model.eval()


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_folder_holds_at_most_a_megabyte(name):
    assert sum(file.stat().st_size for file in (MODELS / name).iterdir()) <= 10**6
    assert {file.name for file in (MODELS / name).iterdir()} == {"README.md", "config.json", "model.safetensors"}


@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_a_shipped_model_holds_the_tensors_of_its_config_and_only_codes_of_its_kind(name, kind):
    config = json.loads((MODELS / name / "config.json").read_text())
    tensors = tensors_of(MODELS / name / "model.safetensors")
    assert config["bitjoule"]["weights"] == kind
    dense = np.float16 if kind == "float" else np.float32
    expected = {"model.embed_tokens.weight": ((256, 128), dense), "model.norm.weight": ((128,), np.float32)}
    for layer in range(config["num_hidden_layers"]):
        stem = f"model.layers.{layer}."
        expected |= {f"{stem}{norm}.weight": ((size,), np.float32) for norm, size in NORMS.items()}
        for linear, (rows, columns) in LINEARS.items():
            if kind == "float":
                expected[f"{stem}{linear}.weight"] = ((rows, columns), np.float16)
            else:
                expected[f"{stem}{linear}.weight"] = ((rows // 4, columns), np.uint8)
                expected[f"{stem}{linear}.weight_scale"] = ((1,), np.float32)
    assert {key: (values.shape, values.dtype) for key, values in tensors.items()} == expected
    for key, values in tensors.items():
        if values.dtype == np.uint8:
            assert set(np.unique(unpacked(values)).tolist()) == CODES[kind]
        else:
            assert np.isfinite(values).all()
        if key.endswith("weight_scale"):
            assert values > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_states_loss_licence_and_command(name):
    text = (MODELS / name / "README.md").read_text()
    told = json.loads((MODELS / name / "config.json").read_text())["bitjoule"]
    stated = re.search(r"held-out loss \| ([\d.]+) nats a byte \(([\d.]+) bits", text)
    assert stated
    assert float(stated[1]) == told["held_out_nats_per_byte"]
    assert float(stated[2]) == pytest.approx(float(stated[1]) / math.log(2), abs=1e-4)
    assert "Apache-2.0" in text
    assert "BSD-3-Clause" in text
    assert told["corpus"]["sha256"] in text
    assert f"--weights {told['weights']} --out sim/models/{name}" in text
    assert all(f"{package} {version}" in text for package, version in told["corpus"]["packages"].items())
    assert (MODELS / name / "../NOTICE.md").is_file()


def test_the_twins_differ_in_their_weights_only():
    configs = [json.loads((MODELS / name / "config.json").read_text()) for name in NAMES]
    for config in configs:
        for key in ("dtype", "quantization_config"):
            config.pop(key, None)
        for key in ("weights", "activations", "held_out_nats_per_byte"):
            del config["bitjoule"][key]
    assert configs[0] == configs[1] == configs[2]


def test_prose_is_taken_from_docstrings_without_markup_and_code():
    found = list(paragraphs(DOCSTRING))
    assert found == [
        "Return the sum of pandas.Series over all axes.",
        "The values that are to be added up, of any dtype and shape.",
    ]


@pytest.mark.slow
def test_the_corpus_has_two_parts_without_a_common_paragraph():
    corpus = read_corpus()
    train, held_out = (set(part.decode("ascii").splitlines()) for part in (corpus.train, corpus.held_out))
    assert not train & held_out
    assert len(corpus.train) > 10 * len(corpus.held_out) > 300_000
    assert corpus == read_corpus()


@pytest.mark.slow
def test_the_layers_quantise_as_the_reference_does(training):
    w = np.random.default_rng(0).normal(0, 0.1, (64, 48)).astype(np.float32)
    for kind, quantise in (("ternary", absmean_ternary), ("binary", sign_binary)):
        codes, scale = training.layers.quantised_weights(training.torch.from_numpy(w), kind)
        np.testing.assert_array_equal(codes.numpy(), quantise(w).codes)
        np.testing.assert_allclose(scale.numpy(), quantise(w).scale[0], rtol=1e-6)
        np.testing.assert_array_equal(unpacked(training.export.packed(codes).numpy()), quantise(w).codes)


@pytest.mark.slow
def test_gradients_pass_straight_through(training):
    torch = training.torch
    layer = training.layers.BitLinear(6, 4, "ternary")
    x = torch.randn(3, 6, requires_grad=True)
    layer(x).sum().backward()
    codes, scale = training.layers.quantised_weights(layer.weight.detach(), "ternary")
    np.testing.assert_allclose(x.grad.numpy(), np.tile((codes * scale).sum(0).numpy(), (3, 1)), rtol=1e-5)
    step = x.detach().abs().amax(-1, keepdim=True) / 127
    quantised = ((x.detach() / step).round() * step).sum(0)
    np.testing.assert_allclose(layer.weight.grad.numpy(), np.tile(quantised.numpy(), (4, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sampled(NAMES.values(), 1, "kinds that are trained"))
def test_a_short_training_lowers_the_loss_and_its_folder_loads_in_transformers(training, tmp_path, capsys, kind):
    torch, text = training.torch, (b"The sum of the elements over the axis. " * 200)
    schedule = training.train.Schedule(steps=40, batch=4, context=32, warm_up=10)
    model = training.train.build_model(kind, training.train.TrainedShape(num_hidden_layers=2), schedule.seed)
    before = training.train.held_out_loss(model, text[:2000], 32)
    training.train.train(model, text, schedule)
    training.export.round_to_file(model)
    after = training.train.held_out_loss(model, text[:2000], 32)
    assert before > 4.5
    assert after < before - 2
    assert "step 40/40" in capsys.readouterr().err
    corpus = SimpleNamespace(train=text, held_out=text, versions={"numpy": "0"}, digest="0")
    values = {"batch": 4, "context": 32, "steps": 40, "seed": 1, "peak": 1.0}
    report = training.export.ExportReport(kind, after, after, 0.0, "The", values)
    training.export.save_model(model, tmp_path / "model", corpus, report)
    card = (tmp_path / "model" / "README.md").read_text()
    assert ("straight-through estimator" in card) == (kind != "float")
    loaded = load(training, tmp_path / "model")
    tokens = training.train.bytes_of(text[:64])[None]
    with torch.no_grad():
        difference = loaded(input_ids=tokens).logits - model(input_ids=tokens).logits
    assert difference.abs().max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_its_stated_loss_and_generates(training, name):
    model = load(training, MODELS / name)
    told = json.loads((MODELS / name / "config.json").read_text())["bitjoule"]
    corpus = read_corpus()
    same = corpus.digest == told["corpus"]["sha256"]
    loss = training.train.held_out_loss(model, corpus.held_out, told["context"])
    assert loss == pytest.approx(told["held_out_nats_per_byte"], abs=1e-3 if same else 0.3)  # of other versions' text
    with training.torch.no_grad():
        tokens = model.generate(
            training.train.bytes_of(b"Return the")[None], max_new_tokens=200, do_sample=False, pad_token_id=0
        )
    text = bytes(tokens[0].tolist()).decode("ascii")
    assert len(text) == 210
    assert len(re.findall(r"\b(the|of|to|and|is|in|a|for)\b", text)) > 10


@pytest.mark.slow
def test_the_command_writes_a_folder_and_tells_the_loss(training, tmp_path, capsys):
    arguments = ["--weights", "ternary", "--out", str(tmp_path / "model"), "--steps", "2", "--layers", "1"]
    assert training.train.main(arguments) == 0
    assert re.search(r"^held out: [\d.]+ nats a byte, [\d.]+ bits a byte$", capsys.readouterr().out, re.MULTILINE)
    assert load(training, tmp_path / "model").config.num_hidden_layers == 1
    with pytest.raises(SystemExit, match="2"):
        training.train.main([*arguments, "--steps", "0"])
