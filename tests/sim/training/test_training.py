"""The shipped language models, and the text that they come from."""

import csv
import json
import math
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.sim.training.config import read_training
from bitjoule.sim.training.paragraphs import prose
from bitjoule.sim.training.shipped import find_training
from bitjoule.sim.training.texts import named_text

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
    """torch and transformers, whose layers run as written, without a compiler."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("accelerate")  # transformers refuses packed weights without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        transformers = pytest.importorskip("transformers")
        pytest.importorskip("transformers.integrations.bitnet")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.compiler.set_stance("force_eager"):
        yield SimpleNamespace(torch=torch, transformers=transformers)
    torch.set_num_threads(threads)


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


def held_out_loss(torch: Any, model: Any, text: bytes, context: int) -> float:
    """Mean cross entropy over a text cut into windows that overlap by the one byte that is not predicted."""
    windows = torch.frombuffer(bytearray(text), dtype=torch.uint8).long().unfold(0, context + 1, context)
    losses = []
    for part in windows.split(32):
        with torch.no_grad():
            logits = model(input_ids=part[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten())
        losses.append(float(loss) * len(part))
    return sum(losses) / len(windows)


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
    command = re.search(r"^bitjoule train bundled( --set weights=(\w+).*)?$", text, re.MULTILINE)
    assert command
    assert (command[2] or "ternary").replace("fp16", "float") == told["weights"]
    assert all(f"{package} {version}" in text for package, version in told["corpus"]["packages"].items())
    assert (MODELS / name / "../NOTICE.md").is_file()


def test_the_docs_have_the_losses_of_the_shipped_models_and_not_of_a_new_training():
    with (MODELS.parents[1] / "benchmarks" / "models.csv").open(newline="", encoding="utf-8") as file:
        stated = {row["quantity"]: float(row["value"]) for row in csv.DictReader(file)}
    for name in NAMES:
        told = json.loads((MODELS / name / "config.json").read_text())["bitjoule"]["held_out_nats_per_byte"]
        assert stated[f"held-out loss of {name}"] == pytest.approx(told, abs=5e-4)


def test_packed_codes_come_back_as_they_were():
    torch = pytest.importorskip("torch")
    folder = pytest.importorskip("bitjoule.sim.training.folder")
    codes = np.random.default_rng(0).integers(-1, 2, (64, 48)).astype(np.float32)
    np.testing.assert_array_equal(unpacked(folder.packed(torch.from_numpy(codes)).numpy()), codes)


def test_the_twins_differ_in_their_weights_only():
    configs = [json.loads((MODELS / name / "config.json").read_text()) for name in NAMES]
    for config in configs:
        for key in ("dtype", "quantization_config"):
            config.pop(key, None)
        for key in ("weights", "activations", "held_out_nats_per_byte"):
            del config["bitjoule"][key]
    assert configs[0] == configs[1] == configs[2]


def test_prose_is_taken_from_docstrings_without_markup_and_code():
    found = list(prose(DOCSTRING.encode()))
    assert found == [
        "Return the sum of pandas.Series over all axes.",
        "The values that are to be added up, of any dtype and shape.",
    ]


def test_the_recipe_of_the_bundled_models_is_that_of_their_configs():
    config = read_training(read_document(find_training("bundled"))).config
    shipped = json.loads((MODELS / "tiny-b158" / "config.json").read_text())
    keys = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    model = config.model
    assert [shipped[key] for key in keys] == [model.layers, model.hidden, model.ffn, model.heads, model.kv_heads]
    assert (shipped["hidden_act"], shipped["bitjoule"]["context"]) == (model.activation, config.training.context)
    assert "steps, seed | 2200, 1, of 2048 bytes each" in (MODELS / "tiny-b158" / "README.md").read_text()
    assert (config.training.steps, config.seed, config.training.batch_tokens) == (2200, 1, 2048)


@pytest.mark.slow
def test_the_text_has_two_parts_without_a_common_paragraph_and_is_that_of_the_models():
    text = named_text("prose")
    train, held_out = (set(part.decode("ascii").splitlines()) for part in (text.train, text.held_out))
    assert not train & held_out
    assert len(text.train) > 10 * len(text.held_out) > 300_000
    told = json.loads((MODELS / "tiny-b158" / "config.json").read_text())["bitjoule"]["corpus"]
    versions = {package: version for package, (version, _) in text.sources.items()}
    assert (text.sha256 == told["sha256"]) == text.stated
    assert text.stated or versions != told["packages"] or sys.version_info >= (3, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_its_stated_loss_and_generates(training, name):
    model = load(training, MODELS / name)
    told = json.loads((MODELS / name / "config.json").read_text())["bitjoule"]
    held_out = named_text("prose")
    same = held_out.sha256 == told["corpus"]["sha256"]
    loss = held_out_loss(training.torch, model, held_out.held_out, told["context"])
    assert loss == pytest.approx(told["held_out_nats_per_byte"], abs=1e-3 if same else 0.3)  # of other versions' text
    with training.torch.no_grad():
        tokens = model.generate(
            training.torch.tensor([list(b"Return the")]), max_new_tokens=200, do_sample=False, pad_token_id=0
        )
    text = bytes(tokens[0].tolist()).decode("ascii")
    assert len(text) == 210
    assert len(re.findall(r"\b(the|of|to|and|is|in|a|for)\b", text)) > 10
