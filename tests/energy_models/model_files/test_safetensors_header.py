"""A tensor that a safetensors file lists twice, which the format forbids and its library takes, is refused."""

import io
import json
from pathlib import Path

import pytest
from safetensors import safe_open

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.model_files.safetensors_folder import folder_stored
from bitjoule.energy_models.model_files.safetensors_header import LARGEST_BYTES, read_header
from bitjoule.sim.llm.checkpoints.checkpoint import Checkpoint

ENTRY = '{"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}'


def content(header: str) -> bytes:
    return len(header).to_bytes(8, "little") + header.encode() + bytes(8)


def test_a_header_is_returned_with_where_the_data_begin() -> None:
    header = f'{{"model.norm.weight": {ENTRY}}}'
    assert read_header(io.BytesIO(content(header))) == (json.loads(header), 8 + len(header))


def test_a_header_above_the_formats_limit_is_not_read() -> None:
    with pytest.raises(ValueError, match="header too large"):
        read_header(io.BytesIO((LARGEST_BYTES + 1).to_bytes(8, "little")))


def test_what_is_wrong_in_a_folder_is_told_by_the_name_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content(f'{{"a.weight": {ENTRY}}}'))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"^hub/model/config\.json:1: "):
        folder_stored(tmp_path, "hub/model")


@pytest.mark.parametrize("reader", [folder_stored, Checkpoint])
def test_a_tensor_that_is_listed_twice_is_refused_with_its_name(tmp_path: Path, reader: type) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(content(f'{{"a.weight": {ENTRY}, "a.weight": {ENTRY}}}'))
    with safe_open(file, framework="np") as tensors:
        assert list(tensors.keys()) == ["a.weight"]
    with pytest.raises(InputError, match=r"model.safetensors:1: file: duplicate key 'a.weight'; expected a complete"):
        reader(tmp_path)
