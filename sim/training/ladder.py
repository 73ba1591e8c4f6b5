"""A ladder of trainings: sizes times formats times seeds, each at the same number of tokens per parameter.

Its results are rows of one CSV file. What has a row is not trained again, and a row is added as soon as its training
ends, so a ladder can be stopped at any time, and processes started beside each other share it.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import InputError, Problem, choices, csv_errors, reason
from bitjoule.energy_models.inputs.validation import Strict, validate
from bitjoule.sim.locks import locked
from bitjoule.sim.training.config import TrainConfig, TrainingFile

KEY = "rungs"
MAX_TRAININGS = 10_000
COLUMNS = (
    "rung", "format", "seed", "activations", "parameters", "linear_parameters", "tokens", "steps",
    "learning_rate", "held_out_nats_per_byte", "held_out_standard_error", "held_out_float_inputs_nats_per_byte",
    "train_nats_per_byte", "zero_share", "processor_s", "tokens_per_s", "diverged_at_step", "corpus_sha256",
    "config_sha256", "commit", "torch", "device",
)  # fmt: skip


class Ladder(Strict):
    """A ladder file."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", max_length=100)
    description: str = ""
    tokens_per_parameter: Annotated[float, Field(gt=0, le=1e6)]
    seeds: list[Annotated[int, Field(ge=0, le=2**31)]] = Field(min_length=1)
    common: dict[str, Any] = Field(description="keys of a training file that all have")
    rungs: dict[str, dict[str, Any]] = Field(min_length=1, description="keys of a training file, by name of the size")
    formats: dict[str, dict[str, Any]] = Field(min_length=1, description="the same, by name of the format")


@dataclass(frozen=True)
class Rung:
    """One training of a ladder.

    Parameters
    ----------
    rung, format_name, seed
        Its place.
    training
        Its file.
    """

    rung: str
    format_name: str
    seed: int
    training: TrainingFile

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells its row from others."""
        return self.rung, self.format_name, str(self.seed)

    @property
    def config_sha256(self) -> str:
        """Of everything in its file that decides the result; keys at their defaults are left out."""
        left_out = {"name", "description", "checkpoint_seconds"}
        stated = self.training.config.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
        return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def is_ladder(document: Document) -> bool:
    """Return whether a training file is a ladder.

    Parameters
    ----------
    document
        The file.
    """
    return isinstance(document.data, dict) and KEY in document.data


def read_ladder(document: Document) -> list[Rung]:
    """Return the trainings of a ladder: the smallest first, and of these all formats, before the next seed.

    Parameters
    ----------
    document
        The file.

    Raises
    ------
    InputError
        With one problem for each thing wrong.
    """
    ladder = validate(Ladder, document)
    for place in (
        ("common",),
        *((KEY, name) for name in ladder.rungs),
        *(("formats", name) for name in ladder.formats),
    ):
        _refuse_tokens(document, place)
    count = len(ladder.rungs) * len(ladder.formats) * len(ladder.seeds)
    if count > MAX_TRAININGS:
        raise InputError([document.problem((KEY,), f"{count} trainings", f"at most {MAX_TRAININGS}")])
    return [
        _rung(document, ladder, rung, format_name, seed)
        for rung in ladder.rungs
        for seed in ladder.seeds
        for format_name in ladder.formats
    ]


def _rung(document: Document, ladder: Ladder, rung: str, format_name: str, seed: int) -> Rung:
    places: tuple[KeyPath, ...] = (("common",), (KEY, rung), ("formats", format_name))
    merged: dict[str, Any] = {}
    lines: dict[KeyPath, int] = {(): document.line((KEY, rung))}
    for place in places:
        data = document.data
        for key in place:
            data = data[key]
        _merge(merged, lines, data, document, place, ())
    merged |= {"name": f"{ladder.name}-{rung}-{format_name}-{seed}", "seed": seed}
    schedule = merged.setdefault("training", {})
    if isinstance(schedule, dict):
        schedule["tokens"] = 1  # replaced below, once the parameters are counted
    part = Document(document.file, merged, lines, path=document.path)
    config = validate(TrainConfig, part)
    tokens = max(1, round(ladder.tokens_per_parameter * config.model.parameters))
    config = config.model_copy(update={"training": config.training.model_copy(update={"tokens": tokens})})
    return Rung(rung, format_name, seed, TrainingFile(config, document.folder(("common", "corpus")), part))


def _refuse_tokens(document: Document, place: KeyPath) -> None:
    data = document.data
    for key in (*place, "training"):
        data = data.get(key) if isinstance(data, Mapping) else None
    if isinstance(data, Mapping) and "tokens" in data:
        wrong = "follows from tokens_per_parameter in a ladder"
        raise InputError([document.problem((*place, "training", "tokens"), wrong, "no such key here")])


def _merge(
    merged: dict[str, Any], lines: dict[KeyPath, int], data: Mapping[str, Any], document: Document, place: KeyPath,
    path: KeyPath,
) -> None:  # fmt: skip
    """Put data over what is merged already, mapping by mapping, with the lines where it is written."""
    for key, value in data.items():
        here = (*path, key)
        lines[here] = document.line((*place, *here))
        if isinstance(value, Mapping):
            inner = merged.get(key)
            merged[key] = inner if isinstance(inner, dict) else {}
            _merge(merged[key], lines, value, document, place, here)
        else:
            merged[key] = value


def selected(rungs: Iterable[Rung], only: Iterable[str]) -> list[Rung]:
    """Return the trainings of a ladder that are asked for.

    Parameters
    ----------
    rungs
        Of the ladder.
    only
        ``rung=NAME``, ``format=NAME`` or ``seed=N`` each; of one key, any of them. All without any.

    Raises
    ------
    InputError
        A text is something else, or names nothing of the ladder.
    """
    rungs = list(rungs)
    known = {
        "rung": list(dict.fromkeys(rung.rung for rung in rungs)),
        "format": list(dict.fromkeys(rung.format_name for rung in rungs)),
        "seed": list(dict.fromkeys(str(rung.seed) for rung in rungs)),
    }
    wanted: dict[str, set[str]] = {}
    for text in only:
        key, _, name = text.partition("=")
        if key not in known:
            raise InputError([Problem("command line", 1, "--only", f"got {text!r}", "rung=, format= or seed=NAME")])
        if name not in known[key]:
            raise InputError([Problem("command line", 1, "--only", f"{key} {name!r} is unknown", choices(known[key]))])
        wanted.setdefault(key, set()).add(name)
    return [
        rung
        for rung in rungs
        if all(value in wanted.get(key, {value}) for key, value in zip(known, rung.key, strict=True))
    ]


class Table:
    """The CSV file of a ladder's results.

    Parameters
    ----------
    path
        The file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the rows, each with its line.

        Raises
        ------
        InputError
            The file, or a row of it, has other columns.
        """
        if not self.path.exists():
            return
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError([Problem(str(self.path), 1, "file", reason(error), "a CSV file")]) from None
        reader = csv.DictReader(io.StringIO(text))
        with csv_errors(str(self.path), reader.reader):
            names = tuple(reader.fieldnames or ())
            lines = [(reader.line_num, row) for row in reader]
        if names != COLUMNS:
            expected = f"the columns {', '.join(COLUMNS)}"
            raise InputError([Problem(str(self.path), 1, "file", "has other columns", expected)])
        for line, row in lines:
            if None in row or None in row.values():  # more cells than columns, or fewer
                raise InputError(
                    [Problem(str(self.path), line, "row", "does not fit the header", f"{len(COLUMNS)} cells")]
                )
        yield from lines

    def missing(self, rungs: Iterable[Rung]) -> list[Rung]:
        """Return the trainings that have no row.

        Parameters
        ----------
        rungs
            Of the ladder.

        Raises
        ------
        InputError
            A row was made by another configuration of its training.
        """
        done = {(row["rung"], row["format"], row["seed"]): (line, row["config_sha256"]) for line, row in self.rows()}
        missing = []
        for rung in rungs:
            if rung.key not in done:
                missing.append(rung)
                continue
            line, digest = done[rung.key]
            if digest != rung.config_sha256:
                wrong = f"{' '.join(rung.key)} was trained with other settings"
                expected = "a row of this ladder: remove it, or write to another table"
                raise InputError([Problem(str(self.path), line, "config_sha256", wrong, expected)])
        return missing

    def append(self, row: Mapping[str, object]) -> None:
        """Add a row; processes that add rows at once wait for each other.

        Parameters
        ----------
        row
            With all columns.
        """
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            rows: list[Mapping[str, object]] = [each for _, each in self.rows()]
            written = io.StringIO()
            writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows([*rows, row])
            temporary = self.path.with_name(f".{self.path.name}.new")
            temporary.write_text(written.getvalue(), encoding="utf-8")
            temporary.replace(self.path)
