"""An experiment's technologies: names looked up, files of ``bitjoule calibrate`` read."""

import os
from collections.abc import Mapping

from bitjoule.energy_models.documents import Document, Path_, fingerprint
from bitjoule.energy_models.errors import InputError, Problem, brief
from bitjoule.energy_models.measured import read_measured
from bitjoule.energy_models.technology import Technology, measured_technology, technologies
from bitjoule.energy_models.validation import unknown_name
from bitjoule.experiments.machines import name_of
from bitjoule.experiments.schema import Experiment, NamedTechnology


def read_technologies(
    experiment: Experiment, document: Document, problems: list[Problem], inputs: dict[str, str]
) -> tuple[Mapping[str, Technology], list[str | NamedTechnology]]:
    """Return an experiment's technologies by name, and its list of them with those of files in full.

    Parameters
    ----------
    experiment
        The experiment.
    document
        Where it was written.
    problems, inputs
        Where problems, and the fingerprints of files, are added.
    """
    found: dict[str, Technology] = {}
    written: list[str | NamedTechnology] = []
    for i, entry in enumerate(experiment.technologies):
        at: Path_ = ("technologies", i)
        whole = read_technology(entry, at, document, problems, inputs)
        if whole is None:
            continue
        name = whole if isinstance(whole, str) else whole.name
        if name in found:
            problems.append(document.problem(at, f"a second technology is named {name!r}", "each name once"))
        found[name] = technology_of(whole)
        written.append(whole)
    return found, written


def technology_of(whole: str | NamedTechnology) -> Technology:
    """Return the technology that a name, or one written out, stands for.

    Parameters
    ----------
    whole
        From `read_technology`.
    """
    return technologies()[whole] if isinstance(whole, str) else measured_technology(whole.name, whole)


def read_technology(
    entry: str | NamedTechnology,
    at: Path_,
    document: Document,
    problems: list[Problem],
    inputs: dict[str, str],
) -> str | NamedTechnology | None:
    """Return a technology as it is written in an experiment that no other file belongs to; none with a problem.

    Parameters
    ----------
    entry
        A name, a path, or written out.
    at
        Its place in the document.
    document
        Where it was written.
    problems, inputs
        Where problems, and the fingerprints of files, are added.
    """
    if isinstance(entry, NamedTechnology):
        return entry
    if not ("/" in entry or entry.endswith((".yaml", ".yml"))):
        if entry in technologies():
            return entry
        problems.append(document.problem(at, *unknown_name("technology", entry, technologies())))
        return None
    path = document.folder(at) / entry
    if not os.path.exists(path):  # noqa: PTH110 (never raises, whatever the name)
        expected = "a technology that `bitjoule calibrate` wrote"
        problems.append(document.problem(at, f"{brief(entry)} does not exist", expected))
        return None
    try:
        measured = read_measured(path)
    except InputError as error:
        problems += error.problems
        return None
    inputs[entry] = fingerprint(path)
    return NamedTechnology.model_validate({"name": name_of(path.stem, "technology"), **measured.with_defaults()})
