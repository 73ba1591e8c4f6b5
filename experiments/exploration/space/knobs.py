"""Knobs of an exploration: the values at keys of platform, accelerator, scheme, workload, and the space they span."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, model_validator

from bitjoule.energy_models.inputs.amounts import MAX_PRICE
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.inputs.validation import Strict, wrong_value

MAX_SETTINGS = 10_000  # of one knob
MAX_DESIGNS = 10**15  # of a space: numbers of designs stay exact in int64, and in JSON
BYTES, SIZES = "_bytes", ((1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))
FACTOR = "factor"  # the key of a value that multiplies
DIGITS = 12  # to which steps of a range that are not whole are rounded: 0.1 + 0.2 is 0.3
ENTRIES = ("platform", "scheme", "technology")  # whole entries that a knob may choose by name
SECTIONS = ("platform", "accelerator", "scheme", "workload")  # in which a dotted key may lie

Assignment = Mapping[str, Any]


class NumberRange(Strict):
    """Evenly or geometrically spaced numbers, both ends included."""

    start: float
    stop: float
    step: float | None = Field(default=None, gt=0, description="difference between consecutive values")
    factor: float | None = Field(default=None, gt=1, description="ratio of consecutive values")

    @model_validator(mode="after")
    def _one_spacing(self) -> Self:
        if (self.step is None) == (self.factor is None):
            raise wrong_value("a range requires one of step and factor", "exactly one of them")
        if not all(map(math.isfinite, (self.start, self.stop, self.step or self.factor or 1))):
            raise wrong_value("a range without an end", "finite numbers")
        if self.stop < self.start:
            raise wrong_value(f"stop {self.stop:g} is below start {self.start:g}: an empty range", "stop >= start")
        if self.factor is not None and self.start <= 0:
            raise wrong_value(f"a range with a factor starts at {self.start:g}", "start above 0")
        if len(self.values) > MAX_SETTINGS:
            raise wrong_value("the range has too many values", f"at most {MAX_SETTINGS}")
        return self

    @property
    def values(self) -> list[int | float]:
        """The numbers; whole ones as integers, as keys of whole numbers require."""
        values: list[float] = []
        while len(values) <= MAX_SETTINGS:
            i = len(values)
            try:
                value = self.start + i * self.step if self.step else self.start * (self.factor or 1) ** i
            except OverflowError:  # beyond any `stop`
                break
            value = round(value, DIGITS)
            if value > self.stop:
                break
            values.append(value)
        return [int(value) if value.is_integer() else value for value in values]


class Group(Strict):
    """Keys that vary together (`zip`), or in all combinations (`product`), as one knob."""

    zip: "dict[str, Values] | None" = Field(default=None, min_length=1)
    product: "dict[str, Values] | None" = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.zip is None) == (self.product is None):
            raise wrong_value("requires one of zip and product", "exactly one of them")
        return self


def _kind(value: Any) -> str:
    if isinstance(value, Group) or (isinstance(value, dict) and not {"start", "stop"} & set(value)):
        return "group"
    return "range" if isinstance(value, NumberRange | dict) else "list"


Values = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("list")]
    | Annotated[NumberRange, Tag("range")]
    | Annotated[Group, Tag("group")],
    Discriminator(_kind),
]
Group.model_rebuild()


class KnobError(ValueError):
    """A knob cannot be expanded; the message says why.

    Parameters
    ----------
    at
        Keys that lead from the knobs to the fault.
    wrong, expected
        As for `bitjoule.energy_models.inputs.errors.Problem`.
    """

    def __init__(self, at: tuple[str, ...], wrong: str, expected: str) -> None:
        self.at, self.wrong, self.expected = at, wrong, expected
        super().__init__(wrong)


def settings(name: str, values: Any, at: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return what each setting of a knob assigns: values by key.

    Parameters
    ----------
    name, values
        A dotted key with a list or a range; or any name, with a group.
    at
        Keys that lead to the knob, for messages.

    Raises
    ------
    KnobError
        Lists of a `zip` differ in length, a key is assigned twice, there are too many combinations, or a factor is not
        one.
    """
    at = (*at, name)
    if isinstance(values, NumberRange):
        return [{name: value} for value in values.values]
    if not isinstance(values, Group):
        for value in values:
            if isinstance(value, dict) and set(value) == {FACTOR} and not is_factor(value):
                raise KnobError(at, f"got {brief(value[FACTOR])}", f"a factor from 0 to {MAX_PRICE:g}")
        return [{name: value} for value in values]
    members, way = (values.zip, "zip") if values.zip is not None else (values.product or {}, "product")
    parts = [settings(key, member, (*at, way)) for key, member in members.items()]
    keys = [key for part in parts for key in part[0]]
    repeated = next((key for key in keys if keys.count(key) > 1), None)
    if repeated is not None:
        raise KnobError((*at, way), f"duplicate key {repeated}", "each key once")
    if way == "zip":
        lengths = {key: len(part) for key, part in zip(members, parts, strict=True)}
        if len(set(lengths.values())) > 1:
            wrong = "lists of different lengths: " + ", ".join(f"{key} {n}" for key, n in lengths.items())
            raise KnobError((*at, way), wrong, "as many values of each key")
        combinations: Any = zip(*parts, strict=True)
    else:
        if math.prod(map(len, parts)) > MAX_SETTINGS:
            raise KnobError((*at, way), "too many combinations", f"at most {MAX_SETTINGS}, or knobs of their own")
        combinations = product(*parts)
    return [{key: value for part in chosen for key, value in part.items()} for chosen in combinations]


@dataclass(frozen=True)
class Knob:
    """One dimension of a space.

    Parameters
    ----------
    name
        As written: a dotted key, or the name of a group.
    settings
        What each setting assigns.
    """

    name: str
    settings: tuple[Assignment, ...]

    def __len__(self) -> int:
        return len(self.settings)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that it assigns."""
        return tuple(self.settings[0])

    @property
    def ordered(self) -> bool:
        """Whether the settings have an order: numbers that never fall, or never rise, from one to the next."""
        return any(_monotonic([_number(setting[key]) for setting in self.settings]) for key in self.keys)

    def label(self, setting: int) -> str:
        """Return the text of a setting, for tables and axes; keys that always have one value show it once.

        Parameters
        ----------
        setting
            Its index.
        """
        texts = [size_text(value_text(value)) if key.endswith(BYTES) else value_text(value)
                 for key, value in self.settings[setting].items()]  # fmt: skip
        alike = all(len(set(map(value_text, each.values()))) == 1 for each in self.settings)
        return texts[0] if alike else ", ".join(texts)


def _number(value: Any) -> Any:
    return value[FACTOR] if is_factor(value) else value


def _monotonic(values: Sequence[Any]) -> bool:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return False
    return list(values) in (sorted(values), sorted(values, reverse=True))


def size_text(text: str) -> str:
    """Return a number of bytes with a binary prefix if it is a multiple of one, e.g. ``512 KiB``.

    Parameters
    ----------
    text
        A setting; other texts stay as they are.
    """
    if text.isdigit():
        for factor, prefix in SIZES:
            if int(text) and int(text) % factor == 0:
                return f"{int(text) // factor} {prefix}B"
    return text


def is_factor(value: Any) -> bool:
    """Return whether a value of a knob multiplies what it changes: ``{factor: 2}``.

    Parameters
    ----------
    value
        As in YAML.
    """
    number = value.get(FACTOR) if isinstance(value, dict) and set(value) == {FACTOR} else None
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= MAX_PRICE


def value_text(value: Any) -> str:
    """Return a value of a knob as text: what it is called, if it has a name.

    Parameters
    ----------
    value
        As in YAML.
    """
    if is_factor(value):
        return f"x{value[FACTOR]:g}"
    if isinstance(value, dict):
        return str(value.get("name", json.dumps(value, sort_keys=True)))
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Space:
    """The product of knobs: designs, numbered with the last knob fastest.

    Parameters
    ----------
    knobs
        Its dimensions.
    """

    knobs: tuple[Knob, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Settings of each knob."""
        return tuple(map(len, self.knobs))

    def __len__(self) -> int:
        return math.prod(self.shape)

    def indices(self, designs: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the setting of each knob.

        Parameters
        ----------
        designs
            Numbers, shape (designs,).

        Returns
        -------
        ndarray
            Shape (designs, knobs).
        """
        return np.stack(np.unravel_index(np.asarray(designs, dtype=np.int64), self.shape), axis=1)

    def number(self, indices: Sequence[int]) -> int:
        """Return the number of a design.

        Parameters
        ----------
        indices
            Setting of each knob.
        """
        return int(np.ravel_multi_index(tuple(indices), self.shape))

    def assignment(self, design: int) -> dict[str, Any]:
        """Return the value at each key.

        Parameters
        ----------
        design
            Its number.
        """
        chosen = zip(self.knobs, self.indices([design])[0], strict=True)
        return {key: value for knob, index in chosen for key, value in knob.settings[index].items()}

    def variations(self, design: int) -> list[tuple[int, int, int]]:
        """Return the knob, the setting and the number of each design that differs in one knob, and of the design.

        Parameters
        ----------
        design
            Its number.
        """
        own = self.indices([design])[0].tolist()
        return [
            (k, setting, self.number([*own[:k], setting, *own[k + 1 :]]))
            for k, knob in enumerate(self.knobs)
            for setting in range(len(knob))
        ]

    def neighbours(self, design: int) -> list[int]:
        """Return the designs one step away: of a knob with an order the settings beside it, of another any other one.

        Parameters
        ----------
        design
            Its number.
        """
        own = self.indices([design])[0].tolist()
        return [
            number
            for k, setting, number in self.variations(design)
            if setting != own[k] and (not self.knobs[k].ordered or abs(setting - own[k]) == 1)
        ]

    @property
    def digest(self) -> str:
        """SHA-256 of the knobs with their settings."""
        data = [[knob.name, list(map(dict, knob.settings))] for knob in self.knobs]
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def space_of(knobs: Mapping[str, Any]) -> Space:
    """Return the space of an experiment's knobs.

    Parameters
    ----------
    knobs
        By name, as validated.

    Raises
    ------
    KnobError
        See `settings`; or two knobs assign one key, or there are too many designs.
    """
    made = tuple(Knob(name, tuple(settings(name, values))) for name, values in knobs.items())
    for knob in made:
        texts = [json.dumps(setting, sort_keys=True) for setting in knob.settings]
        seen: set[str] = set()
        for i, text in enumerate(texts):
            if text in seen:
                raise KnobError((knob.name,), f"duplicate value {knob.label(i)}", "each value once")
            seen.add(text)
        if len(texts) > MAX_SETTINGS:
            raise KnobError((knob.name,), f"{len(texts)} values", f"at most {MAX_SETTINGS}")
    keys = [key for knob in made for key in knob.keys]
    for knob in made:
        repeated = next((key for key in knob.keys if keys.count(key) > 1), None)
        if repeated is not None:
            raise KnobError((knob.name,), f"duplicate key {repeated}", "each key in one knob")
    space = Space(made)
    if math.prod(space.shape) > MAX_DESIGNS:
        raise KnobError((), f"{math.prod(space.shape)} designs", f"at most {MAX_DESIGNS}")
    return space
