"""Damaged and incomplete safetensors files and indices: each is refused with the file and the tensor named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.llm.checkpoints.checkpoint import Checkpoint
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.engines import NumpyEngine
from tests.sim.folders import UP, problem, tensors_of, write


@pytest.mark.parametrize("share", [0.999, 0.5, 0.1])
def test_a_truncated_file_names_a_tensor_beyond_its_end(tmp_path: Path, share: float) -> None:
    write(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    found = problem(tmp_path)
    assert found.file == "model/model.safetensors"
    if share > 0.2:  # less cuts the header
        assert found.key in tensors_of(packed=True)
        assert "after the file" in found.wrong


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 64, b"\x10" + bytes(7) + b"not JSON at all!", bytes(64)])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    assert problem(tmp_path).file == "model/model.safetensors"


def test_a_file_cut_short_while_the_model_runs_is_told(tmp_path: Path) -> None:
    write(tmp_path)
    model = load_model(tmp_path, resident=0).model
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match="is truncated"):
        model.forward([1], NumpyEngine())


def sharded(folder: Path) -> dict[str, str]:
    write(folder)
    tensors = load_file(folder / "model.safetensors")
    places = {name: f"part-{index % 2}.safetensors" for index, name in enumerate(sorted(tensors))}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == shard}, folder / shard)
    (folder / "model.safetensors").unlink()
    return places


def write_index(folder: Path, places: Any) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


def test_a_missing_shard_is_named_with_a_tensor(tmp_path: Path) -> None:
    places = sharded(tmp_path)
    write_index(tmp_path, places)
    load_model(tmp_path)
    (tmp_path / "part-1.safetensors").unlink()
    found = problem(tmp_path)
    assert found.file == "model/part-1.safetensors"
    assert places[found.key] == "part-1.safetensors"


def test_a_tensor_that_is_not_in_its_shard_is_named(tmp_path: Path) -> None:
    places = sharded(tmp_path)
    write_index(tmp_path, {**places, UP: "part-1.safetensors" if "0" in places[UP] else "part-0.safetensors"})
    assert problem(tmp_path).key == UP


@pytest.mark.parametrize("places", [None, {}, [], {UP: 3}, {UP: "../part-0.safetensors"}])
def test_an_index_that_maps_nothing_or_outside_is_refused(tmp_path: Path, places: Any) -> None:
    sharded(tmp_path)
    write_index(tmp_path, places)
    assert problem(tmp_path).file == "model/model.safetensors.index.json"


@pytest.mark.parametrize("text", ["", "[", "3", "[" * 100_000])
def test_an_index_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    sharded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(text)
    assert problem(tmp_path).file == "model/model.safetensors.index.json"


def test_where_an_index_is_no_json_is_said(tmp_path: Path) -> None:
    sharded(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {')
    found = problem(tmp_path)
    assert (found.line, found.expected) == (1, "valid JSON")
    assert found.wrong.startswith("JSON: Expecting property name enclosed in double quotes")
    assert found.wrong.endswith("(char 16)")


def test_a_folder_without_weights_or_no_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert problem(tmp_path).file == "model/model.safetensors"
    assert problem(tmp_path / "nothing").wrong == "is not a directory"
    assert problem(tmp_path / "config.json").wrong == "is not a directory"


def test_bfloat16_is_the_upper_half_of_float32(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 1, (3, 4)).astype(np.float32)
    upper = (values.view(np.uint32) >> 16).astype("<u2")
    header = json.dumps({"a": {"dtype": "BF16", "shape": [3, 4], "data_offsets": [0, 24]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + upper.tobytes())
    read = Checkpoint(tmp_path)
    np.testing.assert_array_equal(read.floats("a", (3, 4)).view(np.uint32) >> 16, upper)
    np.testing.assert_array_equal(read.float_rows("a", 1, 3), read.floats("a", (3, 4))[1:])
    np.testing.assert_allclose(read.floats("a", (3, 4)), values, rtol=2**-7)
