"""The tensors of a Hugging Face folder beside its config.json: their bytes, and whether they are those of its shape.

Only the headers of the safetensors files are read.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from bitjoule.energy_models.architecture.block import Linear, all_matmuls, stored_values
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.inputs.errors import InputError, Problem, brief, reason, whole_file
from bitjoule.energy_models.inputs.json_documents import read_json
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.energy_models.model_files.safetensors_header import read_header
from bitjoule.energy_models.model_files.stored import PARTS, StoredValues, parameters

SINGLE, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
DTYPES = {"F64": "fp32", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "I8": "int8"}
BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip
TABLES = {"embed_tokens": "embedding", "word_embeddings": "embedding", "wte": "embedding", "embed_in": "embedding",
          "embeddings": "embedding", "lm_head": "lm_head", "embed_out": "lm_head"}  # fmt: skip
POSITIONS = ("wpe", "embed_positions", "router", "gate")  # matrices that are counted with the norms
SCALES = ("weight_scale", "weight_scale_inv", "input_scale", "scales")
BUFFERS = ("inv_freq", "masked_bias", "attn.bias", "rotary_emb.cos_cached", "rotary_emb.sin_cached")
TRITS_PER_BYTE = 4
MOST_NAMES = 4


def has_tensors(folder: Path) -> bool:
    """Return whether a folder holds safetensors files under the names that transformers gives them.

    Parameters
    ----------
    folder
        The folder.
    """
    return (folder / SINGLE).is_file() or (folder / INDEX).is_file()


def folder_stored(folder: Path, file: str | None = None) -> list[StoredValues]:
    """Return the tensors of a folder by part; none where it holds no safetensors files.

    Parameters
    ----------
    folder
        The folder.
    file
        Its name in messages; default: `folder`.

    Raises
    ------
    InputError
        A file is cut short or no safetensors, or a shard is missing.
    """
    name = file or str(folder)
    quantisation = _quantisation(folder, name)
    return [_stored(tensor, dtype, shape, quantisation) for tensor, dtype, shape in _headers(folder, name)]


def kept_linears(folder: Path, stored: Iterable[StoredValues]) -> list[str]:
    """Return the kinds of linears that a ternary model keeps in floating point, layer numbers as ``N``.

    Parameters
    ----------
    folder
        The folder.
    stored
        Its tensors.
    """
    if _quantisation(folder, str(folder)) is None:
        return []
    matrices = [tensor for tensor in stored if tensor.part in ("weights", "lm_head") and tensor.values]
    return list(dict.fromkeys(_kind(tensor.name) for tensor in matrices if tensor.holds != "ternary"))


def difference(shape: ModelShape, stored: Sequence[StoredValues]) -> str:
    """Return in what the tensors differ from a shape's parameters; empty if they do not.

    Parameters
    ----------
    shape
        From config.json.
    stored
        The tensors.
    """
    tensors = [tensor for tensor in stored if tensor.part != "not counted" and tensor.values]
    surplus = sum(tensor.values for tensor in tensors) - shape.parameters
    if not surplus:
        return ""
    expected = Counter(_sizes(shape))
    further: dict[str, int] = {}
    for tensor in sorted(tensors, key=lambda tensor: PARTS.index(tensor.part)):
        if tensor.part != "other" and expected[tensor.values]:
            expected[tensor.values] -= 1
        elif tensor.part != "other":
            further[_kind(tensor.name)] = further.get(_kind(tensor.name), 0) + tensor.values
    relation = "more" if surplus > 0 else "fewer"
    wrong = f"its tensors hold {counted(abs(surplus), 'parameter')} {relation} than config.json describes"
    if sum(further.values()) == surplus:  # otherwise tensors are cut otherwise than the shape, and none is to blame
        more = f" and {counted(len(further) - MOST_NAMES, 'more kind')}" if len(further) > MOST_NAMES else ""
        return f"{wrong}: {', '.join(list(further)[:MOST_NAMES])}{more}"
    found, described = parameters(stored), stored_values(shape.blocks)
    parts = [f"{part.replace('_', ' ')} {found[part] - described[part]:+}" for part in PARTS[:-1]
             if found[part] != described[part]]  # fmt: skip
    return f"{wrong} ({', '.join(parts)})"


def _sizes(shape: ModelShape) -> Iterator[int]:
    """Yield the values of each matrix and table of a model."""
    for matmul, repeats in all_matmuls(shape.blocks):
        if isinstance(matmul, Linear) and matmul.stored_as:
            yield from [matmul.in_features * matmul.out_features] * (repeats * matmul.copies)
    yield shape.vocabulary * shape.hidden


def _quantisation(folder: Path, file: str) -> Mapping[str, Any] | None:
    """Return the quantisation of a ternary model; none for others."""
    config = folder / CONFIG
    if not config.is_file():
        return None
    found = read_json(config, f"{file}/{CONFIG}").data.get("quantization_config")
    return found if isinstance(found, dict) and found.get("quant_method") == "bitnet" else None


def _stored(name: str, dtype: str, shape: tuple[int, ...], quantisation: Mapping[str, Any] | None) -> StoredValues:
    values = math.prod(shape)
    size = values * BYTES[dtype]
    stem, _, ending = name.rpartition(".")
    part = _part(name, shape)
    if ending in SCALES:
        return StoredValues(name, dtype, "weights" if part != "lm_head" else part, 0, size, "")
    if quantisation is None or part not in ("weights", "lm_head"):
        return StoredValues(name, dtype, part, values, size, DTYPES.get(dtype, ""))
    if dtype == "U8":  # as transformers packs it
        return StoredValues(name, "U8, 4 trits a byte", part, TRITS_PER_BYTE * values, size, "ternary")
    kept = part == "lm_head" or _is_kept(stem, quantisation.get("modules_to_not_convert"))
    floats = quantisation.get("linear_class") == "autobitlinear"  # ternary, but stored in floating point
    return StoredValues(name, dtype, part, values, size, "ternary" if floats and not kept else DTYPES.get(dtype, ""))


def _is_kept(stem: str, listed: object) -> bool:
    """Return whether a module is among those that stay in floating point, as transformers matches names."""
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    try:
        return any(stem.endswith(name) or re.match(rf"(?:{name})(?:(?<=\.)|(?=\.|$))", stem) for name in names)
    except re.error:
        return any(stem.endswith(name) for name in names)


def _part(name: str, shape: tuple[int, ...]) -> str:
    if name.endswith(BUFFERS):
        return "not counted"
    stem, _, ending = name.rpartition(".")
    last = stem.rpartition(".")[2]
    if last in TABLES and ending != "bias":
        return TABLES[last]
    matrix = len(shape) > 1 and last not in POSITIONS and ending not in ("bias", "A_log")
    return "weights" if (matrix and "conv1d" not in stem) or ending in SCALES else "other"


def _kind(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.)", "N", name)


def _headers(folder: Path, file: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for shard in _shards(folder, file):
        at = f"{file}/{shard}"
        if not (folder / shard).is_file():
            raise InputError([Problem(at, 1, "file", "does not exist", f"a shard listed in {INDEX}")])
        try:
            with (folder / shard).open("rb") as handle, safe_open(folder / shard, framework="np") as tensors:
                read_header(handle)
                for name in tensors.keys():  # noqa: SIM118 (no mapping)
                    part = tensors.get_slice(name)
                    dtype = str(part.get_dtype())
                    if dtype not in BYTES:
                        raise InputError([Problem(at, 1, name, f"has the type {dtype}", ", ".join(BYTES))])
                    yield name, dtype, tuple(part.get_shape())
        except (SafetensorError, ValueError) as error:
            raise whole_file(at, brief(str(error), 200)[1:-1], "a complete safetensors file") from None
        except OSError as error:
            raise whole_file(at, reason(error), "a complete safetensors file") from None


def _shards(folder: Path, file: str) -> list[str]:
    if (folder / SINGLE).is_file():
        return [SINGLE]
    if not (folder / INDEX).is_file():
        return []
    places = read_json(folder / INDEX, f"{file}/{INDEX}").data.get("weight_map")
    if (
        not isinstance(places, dict)
        or not places
        or not all(isinstance(shard, str) and Path(shard).name == shard for shard in places.values())
    ):
        wrong = "is missing or names no files of this directory"
        raise InputError([Problem(f"{file}/{INDEX}", 1, "weight_map", wrong, "the shard of every tensor")])
    return sorted(set(places.values()))
