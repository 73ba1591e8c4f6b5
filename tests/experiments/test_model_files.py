"""Files of models in experiments: as models, as schemes, under names of the user's choice, by names of the hub."""

from pathlib import Path
from typing import Any

import gguf
import pytest
import yaml

import bitjoule
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.experiments.energy.resolve import Resolved, resolve
from bitjoule.experiments.files import open_experiment
from tests.energy_models.model_files.gguf_files import write_gguf
from tests.energy_models.model_files.test_reading import HIDDEN, VOCABULARY, WEIGHTS, llama

TYPES = gguf.GGMLQuantizationType
BASE: dict[str, Any] = {
    "name": "x", "accounting": "system", "models": ["m.gguf"], "schemes": ["fp16"], "technologies": ["7nm"],
    "platforms": [{"name": "p", "by_scheme": {"fp16": "fp16-edge", "m": "ternary-edge"}}],
    "workload": {"prompt_tokens": 8, "new_tokens": 2},
}  # fmt: skip


def resolved(folder: Path, changes: dict[str, Any]) -> Resolved:
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump({**BASE, **changes}))
    return resolve(open_experiment(path, ()))


def test_a_file_as_model_and_as_scheme(tmp_path: Path) -> None:
    llama(tmp_path / "m.gguf", TYPES.TQ2_0)
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump({**BASE, "schemes": ["fp16", "m.gguf"], "baseline": {"scheme": "m"}}))
    result = bitjoule.run(path)
    needs = result.summary.set_index(["scheme", "phase"])["memory_bytes"].xs("decode", level="phase")
    tables = HIDDEN * VOCABULARY
    difference = WEIGHTS * (16 - 8 * 66 / 256) / 8 + tables * (16 - 8 * 34 / 32) / 8  # norms and KV cache are the same
    assert needs["fp16"] - needs["m"] == pytest.approx(difference)
    rows = result.results
    read = rows[(rows["scheme"] == "m") & (rows["operand"] == "weights") & (rows["action"] == "off_chip_read")]
    linears = read[(read["phase"] == "decode") & ~read["component"].isin(["lm_head", "embedding"])]
    assert set(linears["format"]) == {"as_stored"}
    assert linears["count"].sum() == pytest.approx(2 * WEIGHTS * 8 * 66 / 256)  # each of two tokens reads all of them


def test_an_inlined_experiment_needs_no_file(tmp_path: Path) -> None:
    llama(tmp_path / "m.gguf", TYPES.TQ1_0)
    found = resolved(tmp_path, {"schemes": ["fp16", "./m.gguf"], "models": [{"name": "mine", "config": "m.gguf"}]})
    assert list(found.models) == ["mine"]
    assert list(found.schemes) == ["fp16", "m"]
    assert set(found.inputs) == {"x.yaml", "m.gguf (header)", "./m.gguf (header)"}
    (tmp_path / "m.gguf").unlink()
    written = found.experiment.model_dump(mode="json", exclude_none=True)
    again = resolved(tmp_path, written)
    assert (again.models, dict(again.schemes)["m"].model_dump()) == (
        found.models, {**found.schemes["m"].model_dump(), "name": "m"},
    )  # fmt: skip


def test_names_of_files(tmp_path: Path) -> None:
    llama(tmp_path / "m.gguf", TYPES.F16)
    (tmp_path / "folder").mkdir()
    llama(tmp_path / "folder" / "only.gguf", TYPES.F16)
    models = [
        "m.gguf",
        "./folder",
        {"name": "n", "config": "folder"},
        "Qwen/Qwen3-0.6B",
        "microsoft/BitNet-b1.58-2B-4T",
    ]
    found = resolved(tmp_path, {"models": models, "platforms": ["fp16-edge"]})
    assert list(found.models) == ["m", "only", "n", "qwen3-0.6b", "bitnet-b1.58-2b-4t"]
    assert found.experiment.models is not None
    assert found.experiment.models[3:] == ["qwen3-0.6b", "bitnet-b1.58-2b-4t"]
    assert isinstance(found.models["n"], ModelShape)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemes": ["int4"]}, "schemes[0]: unknown scheme 'int4' (did you mean 'w4a16' or 'w4a8'?); expected one of"),
        ({"schemes": ["b1.58"]}, "schemes[0]: unknown scheme 'b1.58' (did you mean 'bitnet-b1.58'?)"),
        ({"schemes": ["Ternary"]}, "schemes[0]: unknown scheme 'Ternary' (did you mean 'bitnet-b1.58'?)"),
        ({"schemes": ["int5"]}, "schemes[0]: unknown scheme 'int5'; expected one of"),
        ({"schemes": ["w3a16"]}, "schemes[0]: unknown scheme 'w3a16'; expected one of"),
        ({"schemes": ["n.gguf"]}, "schemes[0]: 'n.gguf' not found; expected a model's GGUF file"),
        ({"models": ["n.gguf"]}, "models[0]: 'n.gguf' not found; expected a config.json, a GGUF file, or"),
        ({"models": ["Qwen/Qwen3-0.6"]}, "models[0]: 'Qwen/Qwen3-0.6' not found (did you mean 'qwen3-0.6b'?)"),
        (
            {"models": ["Qwen/Qwen3-0.7B"]},
            "models[0]: 'Qwen/Qwen3-0.7B' not found (other sizes ship: 'qwen3-0.6b', 'qwen3-1.7b', 'qwen3-4b')",
        ),
        ({"models": [{"name": "n", "config": "none"}]}, "models[0].config: 'none' not found; expected"),
        ({"models": [{"name": "n", "config": 3}]}, "models[0].config: got 3; expected a valid string"),
        ({"models": [{"name": "n", "config": "m.gguf", "layers": 3}]}, "models[0].layers: unknown key; expected one"),
        ({"models": ["m.gguf", "./m.gguf"]}, "models[1]: duplicate model 'm'; expected each name once"),
        ({"schemes": ["m.gguf", "./m.gguf"]}, "schemes[1]: duplicate scheme 'm'; expected each name once"),
        ({"schemes": [{"name": "s", "weights": "fp16", "activations": "fp16", "attention": "fp16",
                       "kv_cache": {"holds": "int8", "bits": 3}}]}, "schemes[0].kv_cache.bits: unknown key"),
        ({"schemes": [{"name": "s", "weights": "fp16", "activations": "fp16", "attention": "fp16", "kv_cache": 3}]},
         "schemes[0].kv_cache: got 3; expected a name, or a mapping with the keys holds, word_bits"),
        ({"schemes": [{"name": "s", "weights": "fp16", "activations": "fp16", "attention": "fp16",
                       "weight_storage": {"holds": "int8", "word_bits": 3}}]},
         "schemes[0].weight_storage: as_stored cannot store fp16 weights"),
    ],
)  # fmt: skip
def test_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    llama(tmp_path / "m.gguf", TYPES.F16)
    with pytest.raises(InputError) as error:
        resolved(tmp_path, changes)
    assert message in str(error.value)


def test_a_wrong_file_is_named_with_its_key(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", "rwkv7", {}, {})
    for key in ("models", "schemes"):
        with pytest.raises(InputError) as error:
            resolved(tmp_path, {key: ["m.gguf"]})
        assert str(error.value).startswith(f"{tmp_path / 'm.gguf'}:1: ")


def test_a_directory_is_written_as_a_path(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    for key, kind in (("models", "model"), ("schemes", "scheme")):
        with pytest.raises(InputError) as error:
            resolved(tmp_path, {key: ["tiny"]})
        assert f"{key}[0]: unknown {kind} 'tiny' (the directory 'tiny' is written './tiny')" in str(error.value)
