"""The types of Hugging Face's models as data/huggingface.yaml describes them: what each key of a config means."""

from functools import cache
from typing import Any

from pydantic import Field

from bitjoule.energy_models.architecture.readers.block_configs import KEY
from bitjoule.energy_models.architecture.readers.layer_rules import (
    Indexers,
    Kinds,
    Mixtures,
    Positions,
    Rounded,
    SharedCaches,
    Windows,
)
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate


class Switch(Strict):
    """What else one value of a key decides: our keys and their values, or the config's keys that hold these."""

    key: str
    equals: Any
    then: dict[str, Any]


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
    indexers: Indexers | None = None
    rounded: Rounded | None = None
    shared_caches: SharedCaches | None = None
    layer_keys: dict[str, str] = Field(default_factory=dict)
    rotary_shares: str | None = None
    further_layers: str | None = None
    block_configs: bool = False
    also: list[str] = Field(default_factory=list)
    heads: dict[str, dict[str, Any]] = Field(default_factory=dict)
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
        rules = (
            self.windows,
            self.kinds,
            self.mixtures,
            self.positions,
            self.indexers,
            self.rounded,
            self.shared_caches,
        )
        for rule in rules:
            names |= rule.keys if rule else set()
        names |= {"per_layer_config"} if self.layer_keys else set()
        names |= {KEY} if self.block_configs else set()
        names |= {key for key in (self.rotary_shares, self.further_layers) if key}
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
    not_read: dict[str, str]
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
