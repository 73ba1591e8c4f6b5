"""The types of Hugging Face's models as data/huggingface.yaml describes them: what each key of a config means."""

from functools import cache
from typing import Any

from pydantic import Field

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate


class Switch(Strict):
    """What else one value of a key decides: our keys and their values, or the config's keys that hold these."""

    key: str
    equals: Any
    then: dict[str, Any]


class Windows(Strict):
    """Which layers attend within a window.

    Parameters
    ----------
    width, default
        Key of the window's width, and what it is where the config leaves it out.
    every, every_key
        Of so many layers the last attends to all tokens; keys that say so. Without both all layers have windows.
    where, after, after_default, before
        Key that has to be true; key of the number of layers before the first with a window, and of those behind which
        there is none.
    without_positions
        Whether layers without rotary positions are those with windows.
    listed, runs
        Keys of the layers' kinds, one each, and of lists of kinds with the number of times they follow each other.
    full
        What else is special in a layer that attends to all tokens.
    """

    width: str
    default: int | None = None
    every: int | None = None
    every_key: list[str] = Field(default_factory=list)
    where: str | None = None
    after: str | None = None
    after_default: int = 0
    before: str | None = None
    without_positions: bool = False
    listed: str = "layer_types"
    runs: str | None = None
    full: dict[str, Any] = Field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        named = (self.width, self.where, self.after, self.before, self.listed, self.runs)
        return {key for key in (*named, *self.every_key) if key}


class Kinds(Strict):
    """Layers of several kinds.

    Parameters
    ----------
    listed
        Key of the layers' kinds, one each.
    every, every_key, last, others
        Without it: of so many layers, or of as many as a key says, the last one's kind, and that of the others.
    changes
        What is special in the layers of each kind; a value behind ``=`` is the config's key.
    """

    listed: str
    every: int
    every_key: str
    last: str
    others: str
    changes: dict[str, dict[str, Any]]

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        values = (value for change in self.changes.values() for value in change.values())
        named = {value[1:] for value in values if isinstance(value, str) and value.startswith("=")}
        return {self.listed, self.every_key} | named


class Mixtures(Strict):
    """Which layers of a mixture are dense.

    Parameters
    ----------
    first, first_default
        Key of how many layers at the beginning, and its default.
    step, dense
        Key of a number of layers of which the last is a mixture; key of the numbers of layers that are dense.
    start, start_default, end, interval
        Keys of the first and the last layer that may be a mixture, and of the distance between two.
    """

    first: str | None = None
    first_default: int = 0
    step: str | None = None
    dense: str | None = None
    start: str | None = None
    start_default: int = 0
    end: str | None = None
    interval: str | None = None

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        return {key for key in (self.first, self.step, self.dense, self.start, self.end, self.interval) if key}


class Positions(Strict):
    """Which layers have no rotary positions.

    Parameters
    ----------
    rotated
        Key of a list with 1 for each layer that has them.
    except_every, except_default
        Without it, of so many layers the last has none: key and default.
    """

    rotated: str
    except_every: str
    except_default: int

    @property
    def keys(self) -> set[str]:
        """Keys of a config that it applies."""
        return {self.rotated, self.except_every}


class ModelType(Strict):
    """How one ``model_type`` writes its shape; data/huggingface.yaml explains the keys."""

    like: str | None = None
    keys: dict[str, str | list[str] | None] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    shape: dict[str, Any] = Field(default_factory=dict)
    products: dict[str, list[str | int] | None] = Field(default_factory=dict)
    switches: list[Switch] = Field(default_factory=list)
    windows: Windows | None = None
    kinds: Kinds | None = None
    mixtures: Mixtures | None = None
    positions: Positions | None = None
    also: list[str] = Field(default_factory=list)
    nulls: dict[str, Any] = Field(default_factory=dict)
    only: dict[str, list[Any]] = Field(default_factory=dict)
    without_effect: list[str] = Field(default_factory=list)
    extra_positions: int = 0

    def names(self, field: str) -> tuple[str, ...]:
        """Return the config's keys for one of ours, the first that is there counts.

        Parameters
        ----------
        field
            Our key.
        """
        names = self.keys.get(field)
        return (names,) if isinstance(names, str) else tuple(names or ())

    @property
    def applied(self) -> set[str]:
        """Keys of a config that decide the shape."""
        names = {name for field in self.keys for name in self.names(field)}
        names |= {
            f for factors in self.products.values() for f in factors or () if isinstance(f, str) and f not in self.keys
        }
        names |= {switch.key for switch in self.switches} | {*self.also, *self.nulls, *self.only, *self.defaults}
        for rule in (self.windows, self.kinds, self.mixtures, self.positions):
            names |= rule.keys if rule else set()
        return {name.partition(".")[0] for name in names}


class Wrapped(Strict):
    """A type whose text model stands in a key of its own."""

    text: str
    type: str
    leaves_out: str


class ModelTypes(Strict):
    """The file data/huggingface.yaml."""

    source: str
    where: str
    without_effect: dict[str, list[str]]
    wrapped: dict[str, Wrapped]
    switches: list[Switch]
    types: dict[str, ModelType]


@cache
def model_types() -> ModelTypes:
    """Return all types, each complete.

    Raises
    ------
    InputError
        data/huggingface.yaml is wrong.
    """
    written = validate(ModelTypes, read_document(DATA / "huggingface.yaml"))
    complete: dict[str, ModelType] = {}
    for name, model_type in written.types.items():  # a type stands behind the one that it is like
        complete[name] = _merged(complete[model_type.like], model_type) if model_type.like else model_type
    return written.model_copy(update={"types": complete})


def _merged(base: ModelType, changed: ModelType) -> ModelType:
    """Return a type with what another adds; an entry that is null is taken away."""
    update: dict[str, Any] = {}
    for name in changed.model_fields_set - {"like"}:
        mine, other = getattr(changed, name), getattr(base, name)
        if isinstance(mine, dict):
            mine = {key: value for key, value in {**other, **mine}.items() if value is not None or name == "nulls"}
        update[name] = mine
    return base.model_copy(update=update)
