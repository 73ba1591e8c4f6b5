"""The schema of the file of a gates experiment: the key ``gates``, arrays whose netlists are simulated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.documents import Document, KeyPath, is_path
from bitjoule.energy_models.inputs.errors import InputError, Problem, split_message
from bitjoule.energy_models.inputs.validation import Strict, validate, wrong_value
from bitjoule.energy_models.inputs.wording import counted
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.names.arrays import ARRAYS, read_array
from bitjoule.experiments.names.entries import entry_tag
from bitjoule.experiments.names.libraries import read_library
from bitjoule.experiments.names.lookup import Lookup, name_of
from bitjoule.gates.liberty.libraries import FREEPDK45, named_libraries
from bitjoule.gates.stimuli.operands import StimulusError
from bitjoule.gates.stimuli.texts import KINDS, parse_operands
from bitjoule.rtl.config import AcceleratorConfig

NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.,+-]*$"
MAX_NAME = 30
MAX_ENTRIES = 64
EACH_NAME_ONCE = "each name once"

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Config = Annotated[
    Annotated[Text, Tag("named")] | Annotated[dict[str, int | str], Tag("written")], Discriminator(entry_tag)
]


class NamedArray(Strict):
    """An array with a name of its own."""

    instead: ClassVar[str] = "a shipped configuration, a YAML file, or "

    name: str = Field(pattern=NAME, max_length=MAX_NAME, description="label in plots")
    config: Config = Field(description="a bundled configuration, a YAML file, or inline keys")
    stimuli: list[Text] | None = Field(
        default=None, min_length=1, description="stimuli of this array, instead of the common ones"
    )


def _library_kind(value: Any) -> str:
    return "files" if isinstance(value, list) else "named"


Library = Annotated[
    Annotated[Text, Tag("named")] | Annotated[list[Text], Field(min_length=1), Tag("files")],
    Discriminator(_library_kind),
]
ArrayEntry = Annotated[Annotated[Text, Tag("named")] | Annotated[NamedArray, Tag("written")], Discriminator(entry_tag)]


class GatesEffort(Strict):
    """Length of the simulation."""

    cycles: int = Field(default=8, ge=2, le=100_000, description="number of clock cycles simulated")
    words: int = Field(default=1, ge=1, le=1024, description="number of 64-bit words of independent sequences")
    seed: int = Field(default=1, ge=0, le=10**18, description="random seed of the operands")


class GatesRun(Strict):
    """The measurements: each array in each library's cells with each stimulus."""

    libraries: list[Library] = Field(
        default=[FREEPDK45], min_length=1, max_length=MAX_ENTRIES,
        description=f"{FREEPDK45}, a Liberty file, or a list of files of one library and corner; * and ? are wildcards",
    )  # fmt: skip
    arrays: list[ArrayEntry] = Field(
        min_length=1, max_length=MAX_ENTRIES,
        description="bundled configurations, YAML files, or a name with a configuration",
    )  # fmt: skip
    stimuli: list[Text] = Field(
        min_length=1, max_length=MAX_ENTRIES,
        description="gaussian:SIGMA or uniform, optionally followed by ,zeros:SHARE; worst; model:NAME|PATH",
    )  # fmt: skip
    netlists: int = Field(
        default=1, ge=1, le=64, description="number of netlists of each array that differ in names alone"
    )
    effort: GatesEffort = Field(default_factory=GatesEffort, description="length of the simulation")

    @model_validator(mode="after")
    def _no_duplicates(self) -> Self:
        array_stimuli = [(i, entry.stimuli, ("arrays", i, "stimuli")) for i, entry in enumerate(self.arrays)
                 if isinstance(entry, NamedArray) and entry.stimuli]  # fmt: skip
        for _, stimuli, at in [(0, self.stimuli, ("stimuli",)), *array_stimuli]:
            if len(set(stimuli)) < len(stimuli):
                raise wrong_value("duplicate stimulus", "each once", *at)
        names = [entry if isinstance(entry, str) else entry.name for entry in self.arrays]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong_value(f"duplicate array name {name!r}", EACH_NAME_ONCE, "arrays", i)
        return self


class GatesPlot(Strict):
    """A plot of the measurements."""

    kind: Literal["energy_vs_zeros", "parts", "energy_vs_bits"] = Field(
        description="energy over the share of zero weights; energy by part; energy over activation bits"
    )
    share: bool = Field(default=False, description="kind parts only: percentage instead of joules")

    @model_validator(mode="after")
    def _share_of_parts(self) -> Self:
        if self.share and self.kind != "parts":
            raise wrong_value(f"a plot of kind {self.kind!r} does not support share", "kind: parts", "share")
        return self


class GatesExperiment(ExperimentFile):
    """An experiment on netlists."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule gates experiment")

    gates: GatesRun = Field(description="arrays that are synthesised and simulated at gate level")
    plots: list[GatesPlot] = Field(default_factory=list, max_length=8, description="plots to draw")

    @property
    def size(self) -> str:
        """How many measurements are made."""
        run = self.gates
        stimuli = [run.stimuli if isinstance(array, str) else array.stimuli or run.stimuli for array in run.arrays]
        count = len(run.libraries) * sum(map(len, stimuli))
        return f"{counted(count, 'simulation')} of netlists"


class ArrayDesign(NamedTuple):
    """An array that is measured.

    Parameters
    ----------
    name
        For tables and pictures.
    config
        Its configuration.
    stimuli
        The operands' texts, and the place of each in the document.
    """

    name: str
    config: AcceleratorConfig
    stimuli: tuple[tuple[str, KeyPath], ...]


@dataclass(frozen=True)
class GatesInput:
    """A gates experiment with its names looked up.

    Parameters
    ----------
    experiment
        With its names inlined: running it again needs only Liberty files.
    document
        Where it was written.
    arrays
        In order.
    libraries
        The files of each, or ``freepdk45`` alone.
    inputs
        SHA-256 of the experiment's file and of each configuration's, by name as written.
    """

    experiment: GatesExperiment
    document: Document
    arrays: Sequence[ArrayDesign]
    libraries: Sequence[Sequence[str]]
    inputs: Mapping[str, str]

    @property
    def measurements(self) -> int:
        """How many measurements are made."""
        return len(self.libraries) * sum(len(array.stimuli) for array in self.arrays)


def read_gates_experiment(document: Document) -> GatesInput:
    """Return a checked gates experiment.

    Parameters
    ----------
    document
        Where it was written; paths in it are relative to its folder.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    experiment = validate(GatesExperiment, document)
    run = experiment.gates
    lookup = Lookup(document, [], document.inputs)
    problems = lookup.problems
    stimuli = _stimuli(run.stimuli, ("gates", "stimuli"), document, problems)
    arrays: list[ArrayDesign] = []
    for i, entry in enumerate(run.arrays):
        at: KeyPath = ("gates", "arrays", i)
        name, configuration, config_at = _named(entry, at)
        config = read_array(lookup, configuration, config_at)
        array_stimuli = stimuli
        if isinstance(entry, NamedArray) and entry.stimuli is not None:
            array_stimuli = _stimuli(entry.stimuli, (*at, "stimuli"), document, problems)
        if name in {array.name for array in arrays}:
            problems.append(document.problem(at, f"duplicate array name {name!r}", EACH_NAME_ONCE))
        elif config is not None:
            arrays.append(ArrayDesign(name, config, array_stimuli))
    libraries = [
        read_library(lookup, [entry] if isinstance(entry, str) else entry, ("gates", "libraries", i))
        for i, entry in enumerate(run.libraries)
    ]
    for i, files in enumerate(libraries):
        if files and files in libraries[:i]:
            problems.append(document.problem(("gates", "libraries", i), "duplicate library", "each once"))
    over_bits = any(plot.kind == "energy_vs_bits" for plot in experiment.plots)
    if over_bits and not problems and len({array.config.activation_bits for array in arrays}) < 2:
        wrong = "a plot of kind 'energy_vs_bits' of arrays with equal activation_bits"
        problems.append(document.problem(("plots",), wrong, "arrays with several activation_bits"))
    if problems:
        raise InputError(dict.fromkeys(problems))
    inlined = run.model_copy(
        update={
            "libraries": [files[0] if files[0] in named_libraries() else files for files in libraries],
            "arrays": [
                NamedArray(
                    name=array.name, config=array.config.as_mapping(), stimuli=[text for text, _ in array.stimuli]
                )
                for array in arrays
            ],
        }
    )
    return GatesInput(experiment.model_copy(update={"gates": inlined}), document, arrays, libraries, lookup.inputs)


def _named(entry: str | NamedArray, at: KeyPath) -> tuple[str, Config, KeyPath]:
    """Return an array's name, its configuration and the place of that; a file's name becomes one that is allowed."""
    if not isinstance(entry, str):
        return entry.name, entry.config, (*at, "config")
    return name_of(Path(entry).stem, ARRAYS.kind)[:MAX_NAME] if is_path(entry) else entry, entry, at


def _stimuli(
    texts: Sequence[str], at: KeyPath, document: Document, problems: list[Problem]
) -> tuple[tuple[str, KeyPath], ...]:
    placed = tuple((text, (*at, i)) for i, text in enumerate(texts))
    for text, place in placed:
        try:
            if not text.startswith("model:"):  # a model's operands are recorded when they are needed
                parse_operands(text)
        except StimulusError as error:
            problems.append(document.problem(place, *split_message(error, KINDS)))
    return placed
