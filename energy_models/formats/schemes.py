"""Schemes: the number formats of one way to run a model."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from bitjoule.energy_models.formats.formats import add_only, computed, format_name, formats, scaled, width_bits
from bitjoule.energy_models.formats.linears import InUse, LinearFormats, check_linears, in_use
from bitjoule.energy_models.formats.storage import AS_STORED, NameOrStorage, Storage, plain_storage, storages
from bitjoule.energy_models.formats.transforms import Transform
from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.inputs.errors import choices, suggestion
from bitjoule.energy_models.inputs.plugins import with_contributed
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.inputs.validation import Strict, validate, wrong_value

Computed = Annotated[str, format_name(computed)]
Weights = Annotated[str, format_name(lambda number_format: number_format.in_schemes)]
STORED = ("weight_storage", "kv_cache", "keys", "values", "embedding", "lm_head", "adapter")
Attention = Annotated[str, format_name(lambda number_format: computed(number_format) or number_format.kind == "binary")]


class Scheme(Strict):
    """The number formats of one way to run a model.

    Parameters
    ----------
    description
        One line for a reader.
    weights
        Format of the linears' weights; ``binary`` (±1) and ``ternary`` (−1, 0, +1) need no multiplication.
    activations
        Format of the linears' inputs, in which products and sums are priced.
    attention
        Format of both attention products and of an expert router; ``binary`` means keys and values of ±1 with INT8
        queries and probabilities.
    rescale
        Format of the scales and biases of a quantised linear; none for floating-point weights.
    weight_storage, kv_cache, embedding, lm_head, adapter
        How weights, keys and values, both vocabulary tables and low-rank adapters are stored
        (`bitjoule.energy_models.formats.storage`): a name, or the storage itself. Default: the formats of the weights
        and of the attention; for tables and adapters, the format of the scales, which also is that of the adapters'
        inputs.
    keys, values
        How keys, and how values, are stored; default: as `kv_cache` says.
    router, head
        Formats of the inputs of an expert router and of the LM head; default: those of the queries and of the scales.
    between
        Format of the values between the linears; default: that of the scales.
    activation_group
        Values of a linear's inputs that share a scale; 0 for one scale a token.
    linears
        Linears with formats of their own, by component.
    transforms
        Rotations and channel factors.
    source, where
        Citation key and the place in it.
    """

    description: str = ""
    weights: Weights
    activations: Computed
    attention: Attention
    rescale: Computed | None = None
    weight_storage: NameOrStorage | None = None
    kv_cache: NameOrStorage | None = None
    embedding: NameOrStorage | None = None
    lm_head: NameOrStorage | None = None
    adapter: NameOrStorage | None = None
    keys: NameOrStorage | None = None
    values: NameOrStorage | None = None
    router: Computed | None = None
    head: Computed | None = None
    between: Computed | None = None
    activation_group: int = Field(default=0, ge=0, le=1 << 20)
    linears: dict[str, LinearFormats] = Field(default_factory=dict)
    transforms: list[Transform] = Field(default_factory=list)
    source: str = ""
    where: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.quantised and self.rescale is None:
            raise wrong_value(f"{self.weights} weights without rescale", "`rescale`, the format of the scales")
        if not self.quantised and self.rescale is not None:
            raise wrong_value(f"rescale with {self.weights} weights", "no `rescale`: they have no scales")
        if not self.quantised and scaled(self.activations):
            floats = sorted(
                name
                for name, number_format in formats().items()
                if computed(number_format) and not number_format.scaled
            )
            raise wrong_value(f"{self.weights} weights with {self.activations} activations", choices(floats))
        for key in STORED:
            name = getattr(self, key)
            if isinstance(name, str) and name not in storages():
                raise wrong_value(
                    f"unknown storage {name!r}{suggestion(name, storages())}", choices(storages(), 20), key
                )
        if self.stored("weight_storage").holds != self.weights:
            fitting = [name for name, storage in storages().items() if storage.holds == self.weights]
            raise wrong_value(
                f"{self.storage_name('weight_storage')} cannot store {self.weights} weights",
                choices(fitting),
                "weight_storage",
            )
        for key in ("kv_cache", "keys", "values"):
            if self.stored(key).planes > 1 or self.stored(key).nonzero < 1:
                whole = [name for name, storage in storages().items() if storage.planes == storage.nonzero == 1]
                wrong = f"{self.storage_name(key)} is a packing of weights"
                raise wrong_value(wrong, choices(whole, 20), key if getattr(self, key) else "kv_cache")
        if self.activation_group and not self.quantises_activations:
            wrong = f"activation_group with {self.activations} activations"
            raise wrong_value(wrong, "integer activations, which have scales", "activation_group")
        if self.head is not None and scaled(self.head) and not scaled(self.stored("lm_head").holds):
            wrong = f"{self.head} inputs of an LM head stored as {self.storage_name('lm_head')}"
            fitting = [name for name, storage in storages().items() if scaled(storage.holds)]
            raise wrong_value(wrong, f"lm_head: {choices(fitting, 20)}", "head")
        check_linears(self.linear(), self.linears)
        return self

    @property
    def quantised(self) -> bool:
        """Whether the linears' inputs and outputs are rescaled."""
        return scaled(self.weights)

    @property
    def quantises_activations(self) -> bool:
        """Whether the linears' inputs are scaled to integers first."""
        return scaled(self.activations)

    @property
    def multiplies(self) -> bool:
        """Whether a linear needs multiplications besides its scales."""
        return not add_only(self.weights)

    @property
    def vector(self) -> str:
        """Format of everything but matrix products, and of the values between the linears."""
        return self.rescale or self.between or self.activations

    @property
    def attention_operands(self) -> tuple[str, str]:
        """Formats of keys and values, and of queries and probabilities."""
        return (self.attention, "int8" if add_only(self.attention) else self.attention)

    @property
    def routed(self) -> str:
        """Format of an expert router's product."""
        return self.router or self.attention_operands[1]

    @property
    def head_inputs(self) -> str:
        """Format of the LM head's inputs."""
        return self.head or self.vector

    @property
    def cached_bits(self) -> float:
        """Bits of a key or value in the cache, of which there are equally many."""
        return (self.stored("keys").bits + self.stored("values").bits) / 2

    @property
    def residual(self) -> str:
        """Format of the values between the linears."""
        return self.between or self.vector

    def linear(self, name: str = "") -> InUse:
        """Return the formats of a linear.

        Parameters
        ----------
        name
            A component; default: one without formats of its own.
        """
        stored = self.storage_name("weight_storage"), self.stored("weight_storage")
        default = InUse(self.weights, *stored, self.activations, 1.0)
        return in_use(default, self.linears.get(name))

    def activation_bits(self, name: str = "") -> float:
        """Return the bits of an input of a linear, its share of the scales included.

        Parameters
        ----------
        name
            As for `linear`.
        """
        bits = width_bits(self.linear(name).activations)
        return bits + width_bits(self.vector) / self.activation_group if self.activation_group else bits

    def storage_name(self, part: str) -> str:
        """Return how a part is stored, by name; `AS_STORED` for a storage without one.

        Parameters
        ----------
        part
            ``weight_storage``, ``kv_cache``, ``keys``, ``values``, ``embedding``, ``lm_head`` or ``adapter``.
        """
        storage = self._storage(part)
        return storage if isinstance(storage, str) else AS_STORED

    def stored(self, part: str) -> Storage:
        """Return how a part is stored.

        Parameters
        ----------
        part
            As for `storage_name`.
        """
        storage = self._storage(part)
        return storages()[storage] if isinstance(storage, str) else storage

    def _storage(self, part: str) -> str | Storage:
        if part == "lm_head":
            return self.lm_head or self._storage("embedding")
        if part in ("keys", "values"):
            return getattr(self, part) or self._storage("kv_cache")
        default = {"weight_storage": self.weights, "kv_cache": self.attention}.get(part, self.vector)
        storage: str | Storage | None = getattr(self, part)
        return storage or plain_storage(default)

    @property
    def priced(self) -> frozenset[tuple[str, str]]:
        """The (operation, format) pairs that a technology must price to run this scheme."""
        attention = self.attention_operands[1]
        pairs = {("add", name) for name in (attention, self.vector)} | {("mul", self.vector)}
        pairs |= set() if add_only(self.attention) else {("mul", attention)}
        for linear in (self.linear(), *map(self.linear, self.linears)):
            pairs |= {("add", linear.activations)}
            pairs |= set() if add_only(linear.weights) else {("mul", linear.activations)}
        return frozenset(pairs)


def own_linears(schemes: Iterable[Scheme]) -> frozenset[str]:
    """Return the linears that have formats of their own in any scheme.

    Parameters
    ----------
    schemes
        The schemes.
    """
    return frozenset(name for scheme in schemes for name in scheme.linears)


class _Schemes(Strict):
    """The file data/schemes.yaml."""

    other_names: dict[str, list[str]] = Field(default_factory=dict)
    schemes: dict[str, Scheme]


@cache
def schemes() -> dict[str, Scheme]:
    """Return every scheme that ships or that a package contributes (entry points ``bitjoule.schemes``), by name.

    Raises
    ------
    InputError
        data/schemes.yaml is wrong.
    PluginError
        What a package contributes is wrong.
    """
    return with_contributed("bitjoule.schemes", "scheme", schemes_in(DATA / "schemes.yaml"), schemes_in)


def schemes_in(path: Path) -> dict[str, Scheme]:
    """Return the schemes of a file like data/schemes.yaml, by name.

    Parameters
    ----------
    path
        YAML.

    Raises
    ------
    InputError
        It is wrong.
    """
    return validate(_Schemes, read_document(path)).schemes


@cache
def other_names() -> dict[str, list[str]]:
    """Return names that users may write for a scheme, each with the names of those that are meant.

    Raises
    ------
    InputError
        data/schemes.yaml is wrong.
    """
    return validate(_Schemes, read_document(DATA / "schemes.yaml")).other_names
