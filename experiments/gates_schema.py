"""What the file of a gates experiment may say: the key ``gates``, arrays that are measured on their netlists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.documents import Document, Path_, fingerprint
from bitjoule.energy_models.errors import InputError, Problem, brief, suggestion, told
from bitjoule.energy_models.validation import Strict, unknown_name, validate, wrong_value
from bitjoule.experiments.files import ExperimentFile
from bitjoule.experiments.schema import named_or_written
from bitjoule.gates.libraries import FREEPDK45, named_libraries
from bitjoule.gates.operands import StimulusError, parse_operands
from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.sim.configurations import read_configuration, shipped_configurations

NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.,+-]*$"
MAX_NAME = 30
MAX_ENTRIES = 64
LIBERTY = f"{FREEPDK45}, or Liberty files of one library and corner"

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Config = Annotated[
    Annotated[Text, Tag("named")] | Annotated[dict[str, int | str], Tag("written")], Discriminator(named_or_written)
]


class NamedArray(Strict):
    """An array with a name of its own."""

    instead: ClassVar[str] = "a shipped configuration, a YAML file, or "

    name: str = Field(pattern=NAME, max_length=MAX_NAME, description="on lines and bars")
    config: Config = Field(description="a shipped configuration, a YAML file, or its keys")
    stimuli: list[Text] | None = Field(default=None, min_length=1, description="operands of this array instead")


def _library_kind(value: Any) -> str:
    return "files" if isinstance(value, list) else "named"


Library = Annotated[
    Annotated[Text, Tag("named")] | Annotated[list[Text], Field(min_length=1), Tag("files")],
    Discriminator(_library_kind),
]
ArrayEntry = Annotated[
    Annotated[Text, Tag("named")] | Annotated[NamedArray, Tag("written")], Discriminator(named_or_written)
]


class GatesEffort(Strict):
    """How long operands are run."""

    cycles: int = Field(default=8, ge=2, le=100_000, description="clock cycles that are counted")
    words: int = Field(default=1, ge=1, le=1024, description="words of 64 independent sequences")
    seed: int = Field(default=1, ge=0, le=10**18, description="of random operands")


class GatesRun(Strict):
    """What is measured: each array in each library's cells with each stimulus."""

    libraries: list[Library] = Field(
        default=[FREEPDK45], min_length=1, max_length=MAX_ENTRIES,
        description=f"{FREEPDK45}, a Liberty file, or a list of those of one library and corner; * and ? stand for any",
    )  # fmt: skip
    arrays: list[ArrayEntry] = Field(
        min_length=1, max_length=MAX_ENTRIES,
        description="shipped configurations, YAML files, or a name with a configuration",
    )  # fmt: skip
    stimuli: list[Text] = Field(
        min_length=1, max_length=MAX_ENTRIES,
        description="gaussian:SIGMA or uniform, both with or without ,zeros:SHARE; worst; model:NAME",
    )  # fmt: skip
    effort: GatesEffort = Field(default_factory=GatesEffort, description="how long operands are run")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        named = [(i, entry.stimuli, ("arrays", i, "stimuli")) for i, entry in enumerate(self.arrays)
                 if isinstance(entry, NamedArray) and entry.stimuli]  # fmt: skip
        for _, stimuli, at in [(0, self.stimuli, ("stimuli",)), *named]:
            if len(set(stimuli)) < len(stimuli):
                raise wrong_value("a stimulus stands twice", "each once", *at)
        names = [entry if isinstance(entry, str) else entry.name for entry in self.arrays]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong_value(f"a second array is named {name!r}", "each name once", "arrays", i)
        return self


class GatesPlot(Strict):
    """A picture of what was measured."""

    kind: Literal["energy_vs_zeros", "parts", "energy_vs_bits"] = Field(
        description="energy over the share of zero weights; what it is made of; energy over the bits of activations"
    )
    share: bool = Field(default=False, description="of kind parts: in per cent instead of joules")

    @model_validator(mode="after")
    def _share_of_parts(self) -> Self:
        if self.share and self.kind != "parts":
            raise wrong_value(f"a plot of kind {self.kind!r} in per cent", "kind: parts", "share")
        return self


class GatesExperiment(ExperimentFile):
    """An experiment on netlists."""

    model_config: ClassVar[ConfigDict] = ConfigDict(title="bitjoule gates experiment")

    gates: GatesRun = Field(description="what is measured")
    plots: list[GatesPlot] = Field(default_factory=list, max_length=8, description="what to draw")

    @property
    def size(self) -> str:
        """How many measurements are made."""
        run = self.gates
        of_arrays = [run.stimuli if isinstance(array, str) else array.stimuli or run.stimuli for array in run.arrays]
        many = len(run.libraries) * sum(map(len, of_arrays))
        return f"{many} measurement{'s' * (many > 1)} on netlists"


class Array(NamedTuple):
    """An array that is measured.

    Parameters
    ----------
    name
        For tables and pictures.
    config
        What it is built from.
    stimuli
        The operands' texts, and where each was written.
    """

    name: str
    config: AcceleratorConfig
    stimuli: tuple[tuple[str, Path_], ...]


@dataclass(frozen=True)
class GatesInput:
    """A gates experiment with its names looked up.

    Parameters
    ----------
    experiment
        With all that it names written out: running it again needs Liberty files alone.
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
    arrays: Sequence[Array]
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
    problems: list[Problem] = []
    inputs = document.inputs
    stimuli = _stimuli(run.stimuli, ("gates", "stimuli"), document, problems)
    arrays: list[Array] = []
    for i, entry in enumerate(run.arrays):
        at: Path_ = ("gates", "arrays", i)
        name, given = (entry, entry) if isinstance(entry, str) else (entry.name, entry.config)
        config_at = at if isinstance(entry, str) else (*at, "config")
        config = _config(given, config_at, document, problems, inputs)
        own = stimuli
        if isinstance(entry, NamedArray) and entry.stimuli is not None:
            own = _stimuli(entry.stimuli, (*at, "stimuli"), document, problems)
        if config is not None:
            arrays.append(Array(Path(name).stem if "/" in name else name, config, own))
    libraries = [
        _files([entry] if isinstance(entry, str) else entry, ("gates", "libraries", i), document, problems)
        for i, entry in enumerate(run.libraries)
    ]
    for i, files in enumerate(libraries):
        if files and files in libraries[:i]:
            problems.append(document.problem(("gates", "libraries", i), "a library stands twice", "each once"))
    over_bits = any(plot.kind == "energy_vs_bits" for plot in experiment.plots)
    if over_bits and not problems and len({array.config.activation_bits for array in arrays}) < 2:
        wrong = "a plot over the bits of activations of arrays that have the same"
        problems.append(document.problem(("plots",), wrong, "arrays with several activation_bits"))
    if problems:
        raise InputError(dict.fromkeys(problems))
    written = run.model_copy(
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
    return GatesInput(experiment.model_copy(update={"gates": written}), document, arrays, libraries, inputs)


def _stimuli(
    texts: Sequence[str], at: Path_, document: Document, problems: list[Problem]
) -> tuple[tuple[str, Path_], ...]:
    found = tuple((text, (*at, i)) for i, text in enumerate(texts))
    for text, place in found:
        try:
            if not text.startswith("model:"):  # a model's operands are recorded when they are needed
                parse_operands(text)
        except StimulusError as error:
            problems.append(document.problem(place, *told(error, "operands")))
    return found


def _config(
    given: str | Mapping[str, Any],
    at: Path_,
    document: Document,
    problems: list[Problem],
    inputs: dict[str, str],
) -> AcceleratorConfig | None:
    """Return a configuration that keeps its array busy in each cycle; else add problems."""
    try:
        if isinstance(given, Mapping):
            config = AcceleratorConfig.from_mapping(dict(given))
        elif given in shipped_configurations():
            config = read_configuration(given)
            inputs[given] = fingerprint(shipped_configurations()[given])
        elif "/" in given or given.endswith((".yaml", ".yml")):
            file = document.folder(at) / given
            config = read_configuration(str(file))
            inputs[given] = fingerprint(file)
        else:
            problems.append(document.problem(at, *unknown_name("accelerator", given, shipped_configurations())))
            return None
    except ConfigError as error:
        known = list(AcceleratorConfig.__dataclass_fields__)
        for fault in error.faults:
            hint = suggestion(fault.key, known) if fault.key not in known else ""
            problems.append(document.problem((*at, fault.key), fault.wrong + hint, fault.expected))
        return None
    except InputError as error:
        problems.extend(error.problems)
        return None
    if config.tile_beats > config.tokens:
        wrong = f"a weight tile of {config.tile_bits} bits on a bus of {config.weight_bus_bits}: the array would wait"
        expected = f"weight_bus_bits: {config.tile_bits}, or tokens of at least {config.tile_beats}"
        problems.append(document.problem(at, wrong, expected))
    return config


def _files(names: Sequence[str], at: Path_, document: Document, problems: list[Problem]) -> list[str]:
    """Return a library's files, or its name."""
    if len(names) == 1 and names[0] in named_libraries():
        return list(names)
    folder = document.folder(at)
    files: list[str] = []
    for name in names:
        path = folder / name
        try:
            found = sorted(path.parent.glob(path.name)) if set("*?[") & set(name) else [path] * path.is_file()
        except (OSError, ValueError):
            found = []
        if not found:
            problems.append(document.problem(at, f"{brief(name)} is no file", LIBERTY))
        files += [str(file.absolute()) for file in found]
    return files
