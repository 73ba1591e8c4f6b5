"""The models of an experiment: presets, files of Hugging Face, inline shapes, or bare matmuls."""

from collections.abc import Mapping, Sequence

from bitjoule.energy_models.architecture.huggingface import read_config
from bitjoule.energy_models.architecture.shape import ModelShape, presets
from bitjoule.energy_models.inputs.documents import KeyPath
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.experiments.names.entries import MatmulSize, NamedShape
from bitjoule.experiments.names.lookup import Entries, Lookup

MODELS = Entries("model", presets, read_config, "a config.json or its folder", (".json",), "config.json")


def read_models(
    lookup: Lookup, models: Sequence[str | NamedShape] | None, matmuls: Sequence[MatmulSize] | None
) -> dict[str, ModelShape | Matmul]:
    """Return models and bare matmuls by name.

    Parameters
    ----------
    lookup
        Of the experiment.
    models, matmuls
        As the experiment lists them.
    """
    by_name: dict[str, ModelShape | Matmul] = {}
    for matmul in matmuls or ():
        by_name[f"{matmul.m}x{matmul.k}x{matmul.n}"] = Matmul(matmul.m, matmul.k, matmul.n)
    if len(by_name) < len(matmuls or ()):
        lookup.problems.append(lookup.document.problem(("matmuls",), "duplicate size", "each size once"))
    for i, entry in enumerate(models or ()):
        at: KeyPath = ("models", i)
        if isinstance(entry, str):
            result = lookup.find(MODELS, entry, at)
            if result is None:
                continue
            name, shape = result.name, result.value
        else:
            name, shape = entry.name, entry.shape()
        lookup.once("model", name, by_name, at)
        by_name[name] = shape
    return by_name


def inlined_models(
    entries: Sequence[str | NamedShape] | None, models: Mapping[str, ModelShape | Matmul]
) -> list[str | NamedShape] | None:
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
        entry if entry == name else NamedShape.model_validate({"name": name, **shape.with_defaults()})
        for entry, (name, shape) in zip(entries, models.items(), strict=True)
        if isinstance(shape, ModelShape)
    ]
