"""The models of an experiment: presets, files of models, inline shapes, or bare matmuls."""

import os
from collections.abc import Mapping, Sequence

from bitjoule.energy_models.architecture.shape import AnyShape, ModelShape, all_presets
from bitjoule.energy_models.inputs.documents import KeyPath
from bitjoule.energy_models.model_files.hub import hint, hub_name, preset_of
from bitjoule.energy_models.model_files.reading import FILES, GGUF, JSON, model_file, read_model, recorded
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.experiments.names.entries import MatmulSize, NamedFile, NamedModel, named
from bitjoule.experiments.names.lookup import Entries, Lookup, LookupResult

Entry = str | NamedModel | NamedFile
MODELS = Entries("model", all_presets, read_model, FILES, (JSON, GGUF), "config.json", model_file, recorded)


def read_models(
    lookup: Lookup, models: Sequence[Entry] | None, matmuls: Sequence[MatmulSize] | None
) -> dict[str, AnyShape | Matmul]:
    """Return models and bare matmuls by name.

    Parameters
    ----------
    lookup
        Of the experiment.
    models, matmuls
        As the experiment lists them.
    """
    by_name: dict[str, AnyShape | Matmul] = {}
    for matmul in matmuls or ():
        by_name[f"{matmul.m}x{matmul.k}x{matmul.n}"] = Matmul(matmul.m, matmul.k, matmul.n)
    if len(by_name) < len(matmuls or ()):
        lookup.problems.append(lookup.document.problem(("matmuls",), "duplicate size", "each size once"))
    for i, entry in enumerate(models or ()):
        at: KeyPath = ("models", i)
        if isinstance(entry, NamedModel):
            name, shape = entry.name, entry.shape()
        elif isinstance(entry, NamedFile):
            result = lookup.file(MODELS, entry.config, (*at, "config"))
            if result is None:
                continue
            name, shape = entry.name, result.value
        else:
            result = find_model(lookup, entry, at)
            if result is None:
                continue
            name, shape = result.name, result.value
        lookup.once("model", name, by_name, at)
        by_name[name] = shape
    return by_name


def find_model(lookup: Lookup, text: str, at: KeyPath) -> LookupResult[AnyShape] | None:
    """Return a model by its name, its file, or its name on Hugging Face's hub, or none if there is a problem with it.

    Parameters
    ----------
    lookup
        Of the experiment.
    text, at
        The name or the path, and its place.
    """
    if hub_name(text) is None or os.path.exists(lookup.document.folder(at) / text):  # noqa: PTH110 (never raises)
        return lookup.find(MODELS, text, at)
    preset = preset_of(text)
    if preset is not None:
        return LookupResult(preset, all_presets()[preset], from_file=False)
    return lookup.file(MODELS, text, at, hint(text))


def text_models(lookup: Lookup, models: Mapping[str, AnyShape | Matmul], at: KeyPath) -> dict[str, ModelShape]:
    """Return the models of text among some; each of the others is a problem.

    Parameters
    ----------
    lookup
        Of the experiment.
    models, at
        The models, and their place in it.
    """
    result = {}
    for name, shape in models.items():
        if isinstance(shape, ModelShape):
            result[name] = shape
        else:
            problem = lookup.document.problem(at, f"{name} generates no tokens", "models of text")
            lookup.problems.append(problem)
    return result


def inlined_models(
    entries: Sequence[Entry] | None, models: Mapping[str, AnyShape | Matmul]
) -> list[str | NamedModel] | None:
    """Return the models with those of files inlined: the experiment can be run again without these files.

    Parameters
    ----------
    entries
        As the experiment lists them.
    models
        From `read_models`.
    """
    if entries is None:
        return None
    return [
        name if isinstance(entry, str) and name in (entry, preset_of(entry)) else named(name, shape)
        for entry, (name, shape) in zip(entries, models.items(), strict=True)
        if not isinstance(shape, Matmul)
    ]
