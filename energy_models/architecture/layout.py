"""Positions of the matmuls and the element-wise work of models in arrays over cases."""

from collections.abc import Collection, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitjoule.energy_models.architecture.block import (
    Block,
    Described,
    Elementwise,
    Linear,
    Part,
    Product,
    all_matmuls,
    stored_values,
)
from bitjoule.energy_models.architecture.components import absent, names
from bitjoule.energy_models.architecture.phases import Floats, Indices
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.prices.measured import Unit
from bitjoule.energy_models.system.work.steps import MatmulKind

CACHE_WRITE = "kv_cache_write"
BY_FORMATS = (("activation_quantisation", "quantisation"), ("output_rescale", "rescale"))  # in any model


class LaidOut(NamedTuple):
    """A model's matmuls in their slots, and its parts.

    Parameters
    ----------
    slot, k, n, bias, uses, copies, repeats, on_outputs, rows, distinct
        Of its linears, shape (linears,) each; see `Linear`. `on_outputs`: whether it runs for the model's outputs only.
        `distinct`: share of the inputs of all rows that are not copies.
    mixes
        Whether any has several copies.
    products
        Slot, matmul and repeats of the others.
    parts
        Parts and repeats.
    elementwise
        Component, operations and values of an element, the work, and repeats.
    live
        Values that must be stored for each token, by place: the parts with a residual stream have the first, each size
        of the others one; shape (places,).
    place, slot_place
        The place of each part, and of each slot, shape (slots,).
    logits
        Values that must be stored for each output.
    """

    slot: Indices
    k: Floats
    n: Floats
    bias: Floats
    uses: Floats
    copies: Floats
    repeats: Floats
    on_outputs: NDArray[np.bool_]
    rows: Floats
    distinct: Floats
    mixes: bool
    products: tuple[tuple[int, Product, int], ...]
    parts: tuple[tuple[Part, int], ...]
    elementwise: tuple[tuple[int, Floats, Elementwise, int], ...]
    live: Floats
    place: tuple[int, ...]
    slot_place: Indices
    logits: float


def _own(kind: MatmulKind, component: str) -> MatmulKind:
    """Return the kind of a linear with formats of its own; others have keys of their own in a scheme."""
    return replace(kind, linear=component) if kind.role == "linear" and not kind.standalone else kind


def _stored_in(model: Described, component: str) -> int:
    """Return the values of the matrices of a linear that a model stores."""
    return sum(
        repeats * matmul.copies * matmul.in_features * matmul.out_features
        for matmul, repeats in all_matmuls(model.blocks)
        if matmul.component == component and isinstance(matmul, Linear) and matmul.stored_as == "weights"
    )


class Layout:
    """The components of some models, and the slots of their matmuls.

    Parameters
    ----------
    models
        The models. Matmuls of one component in different blocks have different slots.
    own_formats
        Linears, by component, that have formats of their own in some scheme, and therefore a kind of their own.
    further
        Element-wise components besides the models' own.

    Attributes
    ----------
    matmuls, elementwise
        Components: those of `bitjoule.energy_models.architecture.components`, then the models' own.
    component, kind
        Of each slot: index into `matmuls`, and into `kinds`.
    kinds
        Of the models' matmuls, in the order they run.
    kind_of
        By component.
    in_units
        Components with functions that units of a BitLinear do, and each of the units.
    places
        As of `LaidOut.live`, at most.
    overlaps
        Whether any linear's rows do.
    stored, own_stored
        Values that each model stores, by what stores them, and in each linear of `own_formats`; shape (models,) each.
    """

    def __init__(
        self, models: Sequence[Described], own_formats: Collection[str] = (), further: Collection[str] = ()
    ) -> None:
        self.kind_of: dict[str, MatmulKind] = {}
        blocks = [block for model in models for block in model.blocks]
        present = {matmul.component for matmul, _ in all_matmuls(blocks)}
        present |= {work.component for block in blocks for part in block.parts for work in part.elementwise}
        present |= set(further)
        left_out = absent(present)
        slots = {name: 1 for name in names("matmul") if name not in left_out}
        elementwise = {name: None for name in names("element-wise") if name not in left_out}
        self.standalone = np.zeros(len(models), dtype=np.bool_)
        for i, model in enumerate(models):
            counts: dict[str, int] = {}
            for matmul, _ in all_matmuls(model.blocks):
                counts[matmul.component] = counts.get(matmul.component, 0) + 1
                kind = _own(matmul.kind, matmul.component) if matmul.component in own_formats else matmul.kind
                if self.kind_of.setdefault(matmul.component, kind) != kind:
                    kinds = f"{self.kind_of[matmul.component].name} and {kind.name}"
                    raise ValueError(f"component {matmul.component!r} is of two kinds, {kinds}; expected one")
                self.standalone[i] |= matmul.kind.standalone
            slots |= {name: max(count, slots.get(name, 1)) for name, count in counts.items()}
            for block in model.blocks:
                elementwise |= {work.component: None for part in block.parts for work in part.elementwise}
        self.matmuls, self.elementwise = tuple(slots), tuple(elementwise)
        self.in_units = self._in_units(blocks)
        self.kinds = tuple(dict.fromkeys(self.kind_of.values()))
        slot_keys = [(name, i) for name, count in slots.items() for i in range(count)]
        self.component = np.array([self.matmuls.index(name) for name, _ in slot_keys])
        self.kind = np.array(
            [self.kinds.index(self.kind_of[name]) if name in self.kind_of else 0 for name, _ in slot_keys]
        )
        self._slots = {key: slot for slot, key in enumerate(slot_keys)}
        self._described = tuple(models)
        self._models = [self._compiled(model.blocks) for model in models]
        self.places = max((len(model.live) for model in self._models), default=1)
        self.overlaps = any(bool((model.distinct < 1).any()) for model in self._models)
        values = [stored_values(model.blocks) for model in models]
        self.stored = {key: np.array([float(v[key]) for v in values]) for key in values[0]} if values else {}
        self.own_stored = {
            name: np.array([float(_stored_in(model, name)) for model in models])
            for name in self.kind_of
            if name in own_formats
        }

    def _in_units(self, blocks: Sequence[Block]) -> tuple[tuple[str, Unit], ...]:
        work = {
            (work.component, work.function) for block in blocks for part in block.parts for work in part.elementwise
        }
        found: dict[tuple[str, Unit], None] = {}
        for component in self.elementwise:
            own = [function for name, function in (*sorted(work), *BY_FORMATS) if name == component]
            found |= dict.fromkeys((component, unit) for function in own for unit in functions()[function].units)
        found |= dict.fromkeys((CACHE_WRITE, unit) for unit in functions()["quantisation"].units)
        return tuple(found)

    @property
    def attention_pairs(self) -> tuple[tuple[int, int], ...]:
        """Slots of scores and of values that follow them, whose probabilities never leave the chip."""
        pairs: dict[tuple[int, int], None] = {}
        for model in self._models:
            for (first, scores, _), (second, values, _) in pairwise(model.products):
                ends = (scores.kind.outputs_on_chip, values.kind.inputs_on_chip)
                if all(ends) and (scores.kind.operand, values.kind.operand) == ("keys", "values"):
                    pairs[first, second] = None
        return tuple(pairs)

    def of_kind(self, role: str) -> NDArray[np.bool_]:
        """Return which slots hold matmuls of a role.

        Parameters
        ----------
        role
            As of `MatmulKind`.
        """
        return np.array([self.kinds[i].role == role for i in self.kind], dtype=np.bool_)

    def flag(self, name: str) -> NDArray[np.bool_]:
        """Return which slots hold matmuls whose kind has an attribute that is true.

        Parameters
        ----------
        name
            Of the attribute.
        """
        return np.array([getattr(self.kinds[i], name) for i in self.kind], dtype=np.bool_)

    def of_block(self, model: int, block: int) -> "Layout":
        """Return a layout of the same components and slots in which a model has one of its blocks alone.

        Parameters
        ----------
        model, block
            Indices into the models and into the blocks of this one.
        """
        one = copy(self)
        one._models = list(self._models)
        one._models[model] = self._compiled(self._described[model].blocks, block)
        return one

    def slots_of(self, model: int) -> tuple[int, ...]:
        """Return the slots of a model's matmuls, in ascending order.

        Parameters
        ----------
        model
            Index into the models.
        """
        laid_out = self._models[model]
        return tuple(sorted([*map(int, laid_out.slot), *(slot for slot, *_ in laid_out.products)]))

    def _compiled(self, blocks: Sequence[Block], only: int | None = None) -> LaidOut:
        """Return some blocks, or one of them alone in the slots that it has among them."""
        occurrences: dict[str, int] = {}
        linears: list[tuple[float, ...]] = []
        products: list[tuple[int, Product, int]] = []
        every = [(part, block.repeats, number) for number, block in enumerate(blocks) for part in block.parts]
        shared = max((part.live for part, *_ in every if not part.alone), default=0)
        live = [shared, *dict.fromkeys(part.live for part, *_ in every if part.alone)]
        places = [live.index(part.live, 1) if part.alone else 0 for part, *_ in every]
        slot_place = np.zeros(len(self.component), dtype=np.intp)
        numbered = [(*one, at) for one, at in zip(every, places, strict=True)]
        matmuls = [(m, repeats, number, at) for part, repeats, number, at in numbered for m in part.matmuls]
        for matmul, repeats, number, at in matmuls:
            index = occurrences[matmul.component] = occurrences.get(matmul.component, -1) + 1
            slot = self._slots[matmul.component, index]
            slot_place[slot] = at
            if only not in (None, number):
                continue
            if isinstance(matmul, Linear):
                size = (matmul.in_features, matmul.out_features, matmul.bias, matmul.uses, matmul.copies)
                distinct = matmul.inputs / matmul.taken if matmul.inputs else 1.0
                linears.append((slot, *size, repeats, matmul.kind.role == "head", matmul.rows, distinct))
            else:
                products.append((slot, matmul, repeats))
        table = np.array(linears, dtype=np.float64).reshape(-1, 10).T
        chosen = [only in (None, number) for *_, number in every]
        parts = tuple((part, repeats) for (part, repeats, _), here in zip(every, chosen, strict=True) if here)
        place = tuple(at for at, here in zip(places, chosen, strict=True) if here)
        work = [(part, count, operation) for part, count in parts for operation in part.elementwise]
        return LaidOut(
            slot=table[0].astype(np.intp),
            k=table[1],
            n=table[2],
            bias=table[3],
            uses=table[4],
            copies=table[5],
            repeats=table[6],
            on_outputs=table[7] > 0,
            rows=table[8],
            distinct=table[9],
            mixes=bool((table[5] > 1).any()),
            products=tuple(products),
            parts=parts,
            elementwise=tuple(
                (
                    self.elementwise.index(operation.component),
                    functions()[operation.function].per_element,
                    operation,
                    count,
                )
                for _, count, operation in work
            ),
            live=np.array(live, dtype=np.float64),
            place=place,
            slot_place=slot_place,
            logits=max(table[2] * table[7], default=0.0),
        )

    def groups(self, model: Indices) -> Iterator[tuple[LaidOut, Indices | slice]]:
        """Yield each model of some cases, and which of the cases it has.

        Parameters
        ----------
        model
            Index of each case's, shape (cases,).
        """
        for i in np.unique(model).tolist() if len(model) > 1 else model.tolist():
            cases = np.flatnonzero(model == i)
            first, last = int(cases[0]), int(cases[-1])
            # neighbouring cases of a sweep have one model: views of arrays instead of copies
            yield self._models[i], slice(first, last + 1) if last - first + 1 == len(cases) else cases
