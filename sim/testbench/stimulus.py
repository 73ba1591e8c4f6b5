"""What a testbench sends and expects: the beats of the four streams for a list of cases, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import COMMAND_K_BITS, COMMAND_M_BITS, COMMAND_N_BITS, AcceleratorConfig
from bitjoule.rtl.packing import command_beat
from bitjoule.sim.accelerator.cycles import MatmulShape, cycles_of
from bitjoule.sim.accelerator.product import expected_product
from bitjoule.sim.accelerator.streams import Bytes, activation_stream, result_type, weight_stream
from bitjoule.sim.bench.cases import FLOATS, Case, is_malformed, operands, random_cases
from bitjoule.sim.bench.float_lanes import LEVEL, ONE_SPECIAL, ONE_ZERO, SPECIAL, SPREAD
from bitjoule.sim.reference.float_matmul import canonical_bits

COMMAND_BYTES = (COMMAND_M_BITS + COMMAND_K_BITS + COMMAND_N_BITS) // 8
LARGEST_CORNER_TILES = 64  # tiles of K in a corner case: its operands are written out
LARGEST_TILES = 512  # in the one case of the largest K, whose counter is reloaded and held for several tokens
ROWS_OF_EXPONENTS = 4  # for each lane: as many tokens, or columns, in which its exponent is the largest
RANDOM_STEPS = 100  # about the largest number of steps of a random matmul
FEW_CYCLES = 1000  # until a first result, whatever the pauses
CYCLES_WITH_PAUSES = 300  # cycles that one of the closed form may take with pauses in 240 of 256 cycles


@dataclass(frozen=True)
class Stimulus:
    """The beats of all commands of a testbench, in order; each array has a row a beat, byte 0 first.

    Parameters
    ----------
    commands, weights, activations
        Beats of the three input streams, uint8, (beats, bytes of the stream).
    results, masks
        Beats of the results and the bits of them that are defined, uint8, (beats, bytes of the stream).
    malformed, last
        The marks ``tuser`` and ``tlast`` of each beat of the results, bool, (beats,).
    cycles
        Of each command, the cycle of its last result if no stream pauses, counted from 1 at the first command; 0
        behind a malformed command, where the closed form does not hold. int64, (commands,).
    patience_cycles
        Cycles without a result after which there will be none, even with pauses in 240 of 256 cycles.
    """

    commands: Bytes
    weights: Bytes
    activations: Bytes
    results: Bytes
    masks: Bytes
    malformed: NDArray[np.bool_]
    last: NDArray[np.bool_]
    cycles: NDArray[np.int64]
    patience_cycles: int


def corner_cases(config: AcceleratorConfig, seed: int) -> list[Case]:
    """Return a testbench's own cases: tails, extreme operands and malformed commands among valid ones.

    Parameters
    ----------
    config
        The configuration.
    seed
        Of the operands.
    """
    k = config.max_k
    long = min(k, LARGEST_CORNER_TILES * config.lanes)
    extremes = (("minimum", "plus"), ("minimum", "minus"), ("maximum", "minus"), ("alternating", "alternating"))
    tails = MatmulShape(config.tokens + 1, min(k, config.lanes + 1), config.columns + 1)
    wide = MatmulShape(1, min(k, 2 * config.lanes), 3 * config.columns)
    one = MatmulShape(1, 1, 1)
    two = MatmulShape(min(2, config.tokens), min(k, 3 * config.lanes), config.columns)
    largest = MatmulShape(min(2, config.tokens), min(k, LARGEST_TILES * config.lanes), config.columns + 1)
    wrong = (MatmulShape(1, 0, 1), MatmulShape(0, k, 1), MatmulShape(1, k, 0), MatmulShape(1, k + 1, 1))
    several = MatmulShape(min(2, config.tokens), min(k, 4 * config.lanes), config.columns + 1)
    kinds = FLOATS if config.floating_point else ()
    return [
        Case("tails", (one, tails, wide, two, one), seed=seed),
        *(Case(f"all {x}, all {w}", (MatmulShape(1, long, 1),), activations=x, weights=w) for x, w in extremes),
        *(Case(f"{kind} floats", (several,), seed=seed + 3, activations=kind, weights=kind) for kind in kinds),
        *_lane_cases(config, seed + 4),
        Case("largest K", (largest,), seed=seed + 2),
        Case("malformed", tuple(shape for bad in wrong for shape in (bad, wide)), seed=seed + 1),
    ]


def _lane_cases(config: AcceleratorConfig, seed: int) -> list[Case]:
    """Return cases of one tile of K in which each lane in turn differs; scales are of all lanes."""
    if not config.floating_point:
        return []
    lanes = min(config.lanes, config.max_k)
    once, often = (MatmulShape(rows * lanes, lanes, lanes) for rows in (len(SPECIAL), ROWS_OF_EXPONENTS))
    told = {ONE_SPECIAL: "a lane is special", SPREAD: "a lane has the largest exponent"}
    if config.scaled:
        pairs = [(once, ONE_SPECIAL, "random"), (often, SPREAD, "wide")]
    else:
        pairs = [(once, ONE_SPECIAL, ONE_ZERO), (often, SPREAD, LEVEL)]
    cases = [Case(f"{told[x]}, activations", (shape,), seed=seed, activations=x, weights=w) for shape, x, w in pairs]
    if not config.scaled:
        cases += [
            Case(f"{told[x]}, weights", (MatmulShape(lanes, lanes, shape.m),), seed=seed, activations=w, weights=x)
            for shape, x, w in pairs
        ]
    return cases


def cases_of(config: AcceleratorConfig, random: int, seed: int, shapes: Sequence[MatmulShape] = ()) -> list[Case]:
    """Return the cases of a testbench; those without malformed commands come first, so that their cycles are known.

    Parameters
    ----------
    config
        The configuration.
    random
        Matmuls of random shapes.
    seed
        Of shapes and operands.
    shapes
        Further matmuls.
    """
    corners = corner_cases(config, seed)
    asked = [Case(f"{s.m}x{s.k}x{s.n}", (s,), seed=seed + i) for i, s in enumerate(shapes)]
    return [*corners[:-1], *asked, *random_cases(config, random, seed, RANDOM_STEPS), corners[-1]]


def stimulus_of(config: AcceleratorConfig, cases: Sequence[Case]) -> Stimulus:
    """Return what a testbench sends and expects for some cases; their stalls and resets are not looked at.

    Parameters
    ----------
    config
        The configuration.
    cases
        The cases, at least one with a matmul that is not malformed.
    """
    shapes = [shape for case in cases for shape in case.shapes]
    pairs = [
        None if is_malformed(config, shape) else operands(config, case, i)
        for case in cases
        for i, shape in enumerate(case.shapes)
    ]
    streams: dict[str, list[Any]] = {"weights": [], "activations": [], "results": [], "masks": []}
    malformed: list[bool] = []
    last: list[bool] = []
    width = config.result_bus_bits // 8
    for (m, _, n), pair in zip(shapes, pairs, strict=True):
        if pair is None:
            beats = masks = np.zeros((1, width), np.uint8)
        else:
            x, w = pair
            streams["weights"].append(weight_stream(config, w, m))
            streams["activations"].append(activation_stream(config, x, n))
            beats, masks = result_stream(config, expected_product(config, x, w))
        streams["results"].append(beats)
        streams["masks"].append(masks)
        malformed += [pair is None] * len(beats)
        last += [False] * (len(beats) - 1) + [True]
    valid = [shape for shape, pair in zip(shapes, pairs, strict=True) if pair is not None]
    counted = next((i for i, pair in enumerate(pairs) if pair is None), len(pairs))
    ends = cycles_of(config, valid)
    longest = max(end - begin for begin, end in zip([0, *ends], ends, strict=False))
    commands = b"".join(command_beat(*shape).to_bytes(COMMAND_BYTES, "little") for shape in shapes)
    return Stimulus(
        commands=np.frombuffer(commands, np.uint8).reshape(-1, COMMAND_BYTES),
        malformed=np.array(malformed),
        last=np.array(last),
        cycles=np.array(cycles_of(config, shapes[:counted]) + [0] * (len(shapes) - counted)),
        patience_cycles=FEW_CYCLES + CYCLES_WITH_PAUSES * longest,
        **{name: np.concatenate(parts) for name, parts in streams.items()},
    )


def result_stream(config: AcceleratorConfig, product: NDArray[Any]) -> tuple[Bytes, Bytes]:
    """Return the beats that carry a product, and the bits of them that are defined: columns beyond N are not.

    Parameters
    ----------
    config
        The configuration.
    product
        (M, N): integers or floats, as `expected_product` returns.

    Returns
    -------
    tuple of arrays of uint8
        (beats, result_bus_bits / 8) each; the second has ones where the first is defined.
    """
    m, n = product.shape
    element = result_type(config)
    n_tiles = -(-n // config.columns)
    bits = np.dtype(f"<u{element.itemsize}")
    padded = np.zeros((2, m, n_tiles * config.columns), bits)
    padded[0, :, :n] = canonical_bits(product) if config.floating_point else product.astype(element).view(bits)
    padded[1, :, :n] = np.iinfo(bits).max
    blocks = []
    for first in range(0, m, config.tokens):
        block = padded[:, first : first + config.tokens].reshape(2, -1, n_tiles, config.columns)
        blocks.append(block.transpose(0, 2, 1, 3).reshape(2, -1, config.columns))
    beats, masks = np.concatenate(blocks, axis=1).view(np.uint8)
    return beats, masks
