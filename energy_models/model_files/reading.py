"""Models of files: a config.json, a folder of Hugging Face, a GGUF file."""

import hashlib
from pathlib import Path

from bitjoule.energy_models.architecture.readers.huggingface_vision import read_any_config
from bitjoule.energy_models.architecture.shape import AnyShape, ModelShape
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, whole_file
from bitjoule.energy_models.inputs.fingerprints import fingerprint
from bitjoule.energy_models.model_files.gguf_header import SHARD, read_gguf
from bitjoule.energy_models.model_files.gguf_shape import gguf_shape, gguf_stored
from bitjoule.energy_models.model_files.safetensors_folder import (
    CONFIG,
    difference,
    folder_stored,
    has_tensors,
    kept_linears,
)
from bitjoule.energy_models.model_files.stored import StoredValues, scheme_as_stored

GGUF, JSON = ".gguf", ".json"
FILES = "a config.json, a GGUF file, or the directory of one"


def model_file(path: Path, file: str | None = None) -> Path:
    """Return the file that a path refers to: itself, or a directory's config.json or only GGUF file.

    Parameters
    ----------
    path
        A file or a directory.
    file
        Its name in messages; default: `path`.

    Raises
    ------
    InputError
        The directory holds no config.json, and no or several GGUF files.
    """
    if not path.is_dir() or (path / CONFIG).exists():
        return path / CONFIG if path.is_dir() else path
    shards = [(found, SHARD.match(found.name)) for found in sorted(path.glob(f"*{GGUF}"))]
    found = [file for file, shard in shards if shard is None or int(shard[2]) == 1]
    if len(found) > 1:
        names = choices(sorted(found.name for found in found))
        raise InputError([Problem(file or str(path), 1, "file", f"holds {len(found)} GGUF files", names)])
    if not found:
        raise InputError([Problem(file or str(path), 1, "file", "holds no config.json and no GGUF file", FILES)])
    return found[0]


def read_model(path: Path, file: str | None = None) -> AnyShape:
    """Read the shape of a model from a file; the parameters of the tensors beside a config.json are compared with it.

    Parameters
    ----------
    path
        A config.json, a GGUF file, or a directory that holds one.
    file
        Its name in messages; default: `path`.

    Raises
    ------
    InputError
        The file is wrong.
    """
    path, file = model_file(path, file), _inside(path, file)
    if path.suffix == GGUF:
        return gguf_shape(read_gguf(path, file))
    shape = read_any_config(path, file)
    if not isinstance(shape, ModelShape) or path.name != CONFIG or not has_tensors(path.parent):
        return shape
    stored = folder_stored(path.parent, str(Path(file).parent))
    notes = [shape.note, difference(shape, stored)]
    kept = kept_linears(path.parent, stored)
    if kept:
        notes.append(f"not ternary: {', '.join(kept)}")
    return shape.model_copy(update={"note": "; ".join(note for note in notes if note)})


def stored_in(path: Path, file: str | None = None) -> list[StoredValues]:
    """Return the tensors of a model's file by part; none for a config.json without tensors beside it.

    Parameters
    ----------
    path
        As for `read_model`.
    file
        Its name in messages; default: `path`.

    Raises
    ------
    InputError
        The file is wrong.
    """
    path, file = model_file(path, file), _inside(path, file)
    if path.suffix == GGUF:
        return gguf_stored(read_gguf(path, file))
    return folder_stored(path.parent, str(Path(file).parent)) if path.name == CONFIG else []


def read_scheme(path: Path, file: str | None = None) -> Scheme:
    """Return the scheme whose weights and tables take the bytes that they take in a model's file.

    Parameters
    ----------
    path
        A GGUF file, or a directory with one or with safetensors files.
    file
        Its name in messages; default: `path`.

    Raises
    ------
    InputError
        The file is wrong, or holds no tensors.
    """
    scheme = scheme_as_stored(stored_in(path, file), path.name)
    if scheme is None:
        raise whole_file(file or str(path), "holds no weights of a known format", "a file with a model's tensors")
    return scheme


def recorded(path: Path) -> tuple[str, str]:
    """Return what is recorded of a model's file: that it is the header, if it is, and the SHA-256.

    Of a GGUF file it is that of the header: nothing else is read, and the rest takes gigabytes.

    Parameters
    ----------
    path
        A config.json or a GGUF file.
    """
    if path.suffix != GGUF:
        return "", fingerprint(path)
    starts = [tensor.start for tensor in read_gguf(path).tensors.values() if tensor.path == path]
    with path.open("rb") as handle:
        return " (header)", hashlib.sha256(handle.read(min(starts, default=path.stat().st_size))).hexdigest()


def _inside(path: Path, file: str | None) -> str:
    """Return the name in messages of the file that a path refers to."""
    inner = model_file(path, file)
    return file or str(inner) if inner == path else f"{file or path}/{inner.name}"
