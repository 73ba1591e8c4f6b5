"""The work of a request: sizes of every matmul, elements of element-wise work, values that must be stored."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.block import At
from bitjoule.energy_models.architecture.layout import LaidOut, Layout
from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices, Steps
from bitjoule.energy_models.prices.functions import functions
from bitjoule.energy_models.system.work.units import InUnits, Units

WRITTEN = -1  # among an element's mul, add, read and write


class Experts(StrEnum):
    """How many experts of a mixture have tokens in a step of b tokens, each of which uses k of E.

    ``expected``: E (1 - (1 - k / E)^b), the mean of a router that picks any k experts for each token. ``bound``:
    min(E, k b), which no router exceeds.
    """

    EXPECTED = "expected"
    BOUND = "bound"


class SlotSizes(NamedTuple):
    """Matmuls of cases, shape (cases, phases, slots) each; see `Layout`.

    Parameters
    ----------
    m, k, n
        Tokens, in_features, out_features; zeros where a model or phase has none.
    times
        How often it is run.
    bias
        1 where its outputs get a bias.
    """

    m: Floats
    k: Floats
    n: Floats
    times: Floats
    bias: Floats


class RequestWork(NamedTuple):
    """The work of cases.

    Parameters
    ----------
    sizes
        Their matmuls.
    parts
        Operations and values of their element-wise components: mul, add, read and write, shape (cases, phases,
        components, 4).
    queries_written
        Values of queries and probabilities that are written, shape (cases, phases); `parts` includes them.
    embedded
        Values of embedding rows that are read, shape (cases, phases).
    cached, kept
        Keys and values written, shape (cases, phases); those that are in the cache at the end, shape (cases,).
    states_read, states_written, states
        Values of recurrent states that are read and written, shape (cases, phases); those that are kept, shape
        (cases,).
    activations_read, residual_written, inputs_written
        Values that cross the chip's edge between the linears if activations do not stay on chip, shape (cases, phases,
        places), see `LaidOut.live`: the residual stream and the outputs that are read for norms and activation
        functions, the residual stream that is written, and the inputs of the next linears that are written.
    live
        Values between the matmuls that must be stored at the same time, shape (cases, phases, places).
    live_at
        The same at each matmul, shape (cases, phases, slots).
    logits
        Values of the LM head's output, shape (cases,).
    distinct
        Of each matmul's inputs, the share that are not copies, shape (cases, phases, slots); none where all are 1.
    in_units
        Elements that pass units in place of operations, which `parts` then does not hold, shape (cases, phases,
        `Layout.in_units`); none where no case has any.
    """

    sizes: SlotSizes
    parts: Floats
    queries_written: Floats
    embedded: Floats
    cached: Floats
    kept: Floats
    states_read: Floats
    states_written: Floats
    states: Floats
    activations_read: Floats
    residual_written: Floats
    inputs_written: Floats
    live: Floats
    live_at: Floats
    logits: Floats
    distinct: Floats | None
    in_units: Floats | None = None


class Switches(NamedTuple):
    """Properties of schemes and platforms, shape (cases,) each; those of scales (cases, slots) or (cases, 1).

    Parameters
    ----------
    skips_masked
        1 where attention leaves out what the causal mask hides.
    quantises, queries
        1 where the linears' inputs, and where queries and probabilities, are scaled to integers.
    rescales
        Products with scales for each output, or for each sum of a group.
    scale_group
        Values of a sum that share a scale, where partial sums are scaled; 0 for one scale an output.
    units
        What is paid in units; none where nothing is.
    """

    skips_masked: Floats
    quantises: Floats
    queries: Floats
    rescales: Floats
    scale_group: Floats
    units: Units | None = None


def held_tokens(steps: Steps) -> Floats:
    """Return the tokens of each sequence that are kept at the end of requests, shape (cases,).

    Parameters
    ----------
    steps
        Of all phases, shape (cases, phases).
    """
    return np.asarray((steps.tokens * steps.repeats).sum(axis=1))


def workload(
    layout: Layout, cases: Cases, steps: Steps, switches: Switches, experts: Experts = Experts.EXPECTED,
    held: Floats | None = None,
) -> RequestWork:  # fmt: skip
    """Return the work of cases.

    Parameters
    ----------
    layout
        Of the models that `cases` indexes.
    cases
        Arrays of shape (cases,).
    steps
        Of their phases, shape (cases, phases).
    switches
        Properties of their schemes and platforms.
    experts
        How many experts have tokens.
    held
        Tokens that are kept at the end of requests, where `steps` are not of all their phases, shape (cases,).
    """
    points = points_of(cases, steps, switches)
    shape = points.rows.shape
    sizes = SlotSizes(*np.zeros((5, *shape, len(layout.component))))
    parts = np.zeros((*shape, len(layout.elementwise), 4))
    embedded, cached = np.zeros((2, *shape))
    between = np.zeros((3, *shape, layout.places))
    live, live_at = np.zeros(between.shape[1:]), np.zeros(sizes.m.shape)
    distinct = np.ones(sizes.m.shape) if layout.overlaps else None
    queries = np.zeros(shape)
    logits, kept, states = np.zeros((3, len(cases.model)))
    states_read, states_written = np.zeros((2, *shape))
    held = held_tokens(steps) if held is None else held
    in_units = None if switches.units is None else InUnits(layout, switches.units, shape)
    for model, chosen in layout.groups(cases.model):
        at = At(*(values[chosen] for values in points))
        _add_linears(sizes, model, chosen, at, experts)
        if distinct is not None:
            distinct[np.arange(len(distinct))[chosen][:, None, None], _phases(sizes.m), model.slot] = model.distinct
        for slot, product, repeats in model.products:
            m, k, n, times = product.sizes(at)
            for values, size in zip(sizes, (m, k, n, times * repeats), strict=False):
                values[chosen, :, slot] = size
        for component, per_element, work, repeats in model.elementwise:
            elements = np.asarray(work.elements(at) * repeats)
            left = per_element
            if in_units is not None:
                writer = "queries" if work.of_queries else "model"
                left = in_units.take(work.component, functions()[work.function], elements, writer, chosen)
            counts = elements[..., None] * left
            parts[chosen, :, component] += counts
            if work.of_queries:
                queries[chosen] += counts[..., WRITTEN]
        embedded[chosen] = at.tokens * sum(part.embedded * repeats for part, repeats in model.parts)
        cached[chosen] = at.tokens * sum(part.cached * repeats for part, repeats in model.parts)
        widths: list[list[Floats | float]] = [[0.0] * len(model.live) for _ in between]
        for (part, repeats), place in zip(model.parts, model.place, strict=True):
            for form, width in zip(
                (part.activations_read, part.residual_written, part.inputs_written), widths, strict=True
            ):
                width[place] = width[place] + form(at) * repeats
        for values, width in zip(between, widths, strict=True):
            for place, each in enumerate(width):
                values[chosen, :, place] = at.tokens * each
        for part, repeats in model.parts:
            if not part.keeps:
                continue
            in_window = np.minimum(held[chosen], part.window) if part.window else held[chosen]
            kept[chosen] += cases.batch[chosen] * in_window * (part.cached * repeats)
            if part.state:
                each = at.batch * (part.state * repeats) * (at.rows > 0)
                states[chosen] += cases.batch[chosen] * (part.state * repeats) * (held[chosen] > 0)
                states_written[chosen] += each * at.repeats
                states_read[chosen] += each * at.repeats * (at.context * at.batch > at.rows)  # the first begins at 0
        live[chosen, :, : len(model.live)] = at.rows[..., None] * model.live
        live_at[chosen] = at.rows[..., None] * model.live[model.slot_place]
        logits[chosen] = at.outputs.max(axis=1) * model.logits
    present = sizes.m > 0
    sizes = SlotSizes(sizes.m, *(values * present for values in sizes[1:]))
    rescales, at_rescale = switches.rescales, layout.elementwise.index("output_rescale")
    if in_units is not None and switches.units is not None:
        of_units = _scales(sizes, switches.scale_group, switches.units.rescales)
        parts[:, :, at_rescale] += of_units[..., None] * in_units.rescale(of_units)
        rescales = rescales - switches.units.rescales
        in_units.cache(cached)
    scaled = _scales(sizes, switches.scale_group, rescales)
    parts[:, :, at_rescale] += scaled[..., None] * functions()["rescale"].per_element
    return RequestWork(
        sizes,
        parts,
        queries,
        embedded,
        cached,
        kept,
        states_read,
        states_written,
        states,
        between[0],
        between[1],
        between[2],
        live,
        live_at,
        logits,
        distinct,
        None if in_units is None else in_units.elements,
    )


def points_of(cases: Cases, steps: Steps, switches: Switches) -> At:
    """Return where the closed forms of cases are taken.

    Parameters
    ----------
    cases, steps, switches
        As for `workload`.
    """
    batch = cases.batch[:, None]
    rows = batch * steps.tokens
    return At(
        batch=batch,
        rows=rows,
        context=steps.context,
        queries=np.where(switches.skips_masked[:, None] > 0, steps.queries, steps.tokens),
        repeats=steps.repeats,
        tokens=rows * steps.repeats,
        outputs=batch * steps.outputs,
        quantises=switches.quantises[:, None],
        quantises_queries=switches.queries[:, None],
        windows=np.ones_like(batch),
    )


def experts_with_tokens(copies: Floats, uses: Floats, tokens: Floats, experts: Experts) -> Floats:
    """Return the experts that have tokens, and whose weights a step therefore reads.

    Parameters
    ----------
    copies, uses
        Experts, and how many of them a token uses; 1 each where there is one matrix.
    tokens
        Of a step; the arrays must broadcast.
    experts
        The rule.
    """
    pairs = np.maximum(uses * tokens, 1)
    bound = np.minimum(copies, pairs)
    if experts is Experts.BOUND:
        return bound
    # at least `uses`, at most the bound: a rounding error would leave an expert less than a token
    return np.clip(copies * (1 - (1 - uses / copies) ** tokens), np.minimum(uses, bound), bound)


def _add_linears(sizes: SlotSizes, model: LaidOut, chosen: Indices | slice, at: At, experts: Experts) -> None:
    """Fill in a model's linears: constant matrices, a row for each token or for each output of the model."""
    m = np.where(model.on_outputs, at.outputs[..., None], at.rows[..., None]) * model.rows
    times = at.repeats[..., None] * model.repeats
    if model.mixes:  # each expert with tokens runs once, for all of them; these have equal shares
        experts_run = experts_with_tokens(model.copies, model.uses, m, experts)
        m = np.where(model.copies > 1, m * model.uses / experts_run, m)
        times = times * np.where(model.copies > 1, experts_run, 1.0)
    for values, size in zip(sizes, (m, model.k, model.n, times, model.bias), strict=True):
        if isinstance(chosen, slice):
            values[chosen][:, :, model.slot] = size
        else:
            values[chosen[:, None, None], _phases(values), model.slot] = size


def _phases(values: Floats) -> Indices:
    """Return the index of each phase of values of shape (cases, phases, ...), for use beside that of slots."""
    return np.arange(values.shape[1])[:, None]


def _scales(sizes: SlotSizes, group: Floats, products: Floats) -> Floats:
    """Return the products with scales that outputs take, shape (cases, phases)."""
    group, products = (values.reshape(len(values), 1, -1) for values in (group, products))
    groups = np.where(group > 0, np.ceil(sizes.k / np.maximum(group, 1)), 1.0)
    return np.asarray((sizes.m * sizes.n * sizes.times * groups * products).sum(axis=2))
