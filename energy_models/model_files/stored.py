"""What the tensors of a model's file take: values and bytes by part and by type, and the scheme that they make."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bitjoule.energy_models.formats.formats import computed, formats, scaled
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.formats.storage import Storage
from bitjoule.energy_models.model_files.tensor_types import tensor_types

PARTS = ("weights", "embedding", "lm_head", "other", "not counted")
BITS_PER_BYTE = 8
QUANTISED = {"activations": "int8", "attention": "fp16", "rescale": "fp16"}  # as llama.cpp and bitnet.cpp multiply


class StoredValues(NamedTuple):
    """A tensor.

    Parameters
    ----------
    name, type
        Its name; its type as the file has it.
    part
        One of `PARTS`: the linears' weights, a table, norms and biases, or what is no parameter.
    values, bytes
        Its parameters, 0 for scales; its bytes in the file.
    holds
        Number format of a value without its scale; empty where there is none.
    """

    name: str
    type: str
    part: str
    values: int
    bytes: int
    holds: str


class TypeRow(NamedTuple):
    """The tensors of one type in one part of a model.

    Parameters
    ----------
    part, type
        As of `StoredValues`.
    tensors, values, bytes
        How many, their parameters, their bytes.
    """

    part: str
    type: str
    tensors: int
    values: int
    bytes: int


def by_type(stored: Iterable[StoredValues]) -> list[TypeRow]:
    """Return the tensors by part and type, in the order of `PARTS`, largest first.

    Parameters
    ----------
    stored
        The tensors.
    """
    rows: dict[tuple[str, str], TypeRow] = {}
    for tensor in stored:
        row = rows.get((tensor.part, tensor.type), TypeRow(tensor.part, tensor.type, 0, 0, 0))
        sums = (row.tensors + 1, row.values + tensor.values, row.bytes + tensor.bytes)
        rows[tensor.part, tensor.type] = TypeRow(tensor.part, tensor.type, *sums)
    return sorted(rows.values(), key=lambda row: (PARTS.index(row.part), -row.bytes))


def parameters(stored: Iterable[StoredValues]) -> dict[str, int]:
    """Return the parameters of each part.

    Parameters
    ----------
    stored
        The tensors.
    """
    sums = dict.fromkeys(PARTS, 0)
    for tensor in stored:
        sums[tensor.part] += tensor.values
    return sums


def scheme_as_stored(
    stored: Sequence[StoredValues], file: str, usable: Callable[[str], bool] | None = None
) -> Scheme | None:
    """Return the scheme whose weights and tables take the bytes that they take in a file; none without weights.

    The format of the linears is that of most of their values; quantised ones are multiplied with INT8 activations, as
    by the programs that read these files. The storage of a part is the sum of its tensors: bits over values.

    Parameters
    ----------
    stored
        The tensors.
    file
        The file's name, for the description.
    usable
        Whether a format may be that of the linears; default: those that schemes may compute in.
    """
    accepted = usable or (lambda name: formats()[name].in_schemes)
    weights = _most_held([tensor for tensor in stored if tensor.part == "weights"], accepted)
    if not weights:
        return None
    computes = QUANTISED if scaled(weights) else {"activations": weights, "attention": weights}
    storages: dict[str, Storage] = {"weight_storage": _storage(stored, "weights", weights)}
    for part in ("embedding", "lm_head"):
        tensors = [tensor for tensor in stored if tensor.part == part]
        held = _most_held(tensors, lambda name: computed(formats()[name]) or formats()[name].add_only)
        if held:
            storages[part] = _storage(tensors, part, held)
    types = ", ".join(row.type for row in by_type(stored) if row.part == "weights")
    return Scheme.model_validate(
        {"description": f"weights and tables as {file} stores them (weights: {types})", "weights": weights,
         **computes, **storages, "source": "ggml2026", "where": "types of the tensors in the file"}
    )  # fmt: skip


def _most_held(tensors: Sequence[StoredValues], accepted: Callable[[str], bool]) -> str:
    """Return the format that holds most values."""
    counts: Mapping[str, int] = {
        name: sum(tensor.values for tensor in tensors if tensor.holds == name)
        for name in dict.fromkeys(tensor.holds for tensor in tensors if tensor.holds)
        if accepted(name)
    }
    return max(counts, key=lambda name: counts[name], default="")


def _storage(stored: Iterable[StoredValues], part: str, holds: str) -> Storage:
    tensors = [tensor for tensor in stored if tensor.part == part]
    bits, values = BITS_PER_BYTE * sum(t.bytes for t in tensors), sum(t.values for t in tensors)
    shared = math.gcd(bits, values)
    unpack: dict[str, float] = {}
    for tensor in tensors:
        kind = tensor_types().get(tensor.type)
        if kind is not None:
            for operation, times in kind.unpack.items():
                unpack[operation] = unpack.get(operation, 0.0) + times * tensor.values / kind.values / shared
    return Storage(holds=holds, word_bits=bits // shared, values=values // shared, unpack=unpack)
