"""The bench's test cases: directed corner cases and seeded random matmuls, as data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count, cycle, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import COMMAND_K_BITS, COMMAND_M_BITS, COMMAND_N_BITS, GROUP, AcceleratorConfig
from bitjoule.sim.accelerator.cycles import MatmulShape
from bitjoule.sim.bench.float_lanes import LANE_KINDS, lane_operands

STREAMS = ("command", "weights", "activations", "results")
ACTIVATIONS = ("random", "minimum", "maximum", "alternating", "zero")
WEIGHTS = ("random", "plus", "minus", "alternating", "zero")
FLOATS = ("random", "wide", "near", "subnormal", "infinite", "nan")
OPPOSITE = ("opposite", "repeated")  # floats: in each second tile of K, activations negated and weights again


@dataclass(frozen=True)
class Case:
    """Matmuls that follow each other without a pause between their commands.

    Parameters
    ----------
    name
        What is tried.
    shapes
        M, K, N of each; malformed ones are expected to be answered by an error.
    seed
        Of the operands and the random stalls.
    activations, weights
        What the operands are: ``random``, or the same extreme everywhere; of floats also one of `FLOATS`, and of trits
        with scales that is what the scales are; or both of `OPPOSITE`. Activations and weights of FP16 may also be one
        of `LANE_KINDS`, where K is one tile.
    stalls
        By stream: a pattern of 0 and 1 that repeats each cycle (1: idle or busy), or the probability to stall.
    reset_after
        Cycles after which the case is cut off by a reset and its results no longer looked at.
    given
        An ``.npz`` file with the operands of the only shape, ``x`` and ``w``, in place of generated ones.
    """

    name: str
    shapes: tuple[MatmulShape, ...]
    seed: int = 0
    activations: str = "random"
    weights: str = "random"
    stalls: Mapping[str, str | float] = field(default_factory=dict)
    reset_after: int | None = None
    given: str | None = None

    def as_mapping(self) -> dict[str, Any]:
        """Return the case as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Case":
        """Return the case that JSON holds.

        Parameters
        ----------
        mapping
            From `as_mapping`.
        """
        return cls(**{**mapping, "shapes": tuple(MatmulShape(*shape) for shape in mapping["shapes"])})

    @property
    def steady(self) -> bool:
        """Whether every stall is known beforehand."""
        return all(isinstance(stall, str) for stall in self.stalls.values())

    def pauses(self, stream: str) -> Iterator[bool]:
        """Yield for each cycle whether a stream stalls.

        Parameters
        ----------
        stream
            One of `STREAMS`.
        """
        stall = self.stalls.get(stream, "0")
        if isinstance(stall, str):
            yield from cycle(letter == "1" for letter in stall)
        else:
            random = np.random.default_rng([self.seed, STREAMS.index(stream)])
            for _ in count():
                yield from (random.random(256) < stall).tolist()

    def stalls_at(self, stream: str) -> Callable[[int], bool]:
        """Return whether a stream stalls in a cycle; only for known patterns.

        Parameters
        ----------
        stream
            One of `STREAMS`.
        """
        pattern = str(self.stalls.get(stream, "0"))
        return lambda at: pattern[at % len(pattern)] == "1"


def is_malformed(config: AcceleratorConfig, shape: MatmulShape) -> bool:
    """Return whether the hardware must refuse a matmul.

    Parameters
    ----------
    config
        For the largest K.
    shape
        M, K, N.
    """
    return not (shape.m and shape.n and 0 < shape.k <= config.max_k)


def operands(config: AcceleratorConfig, case: Case, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the activations (M, K) and weights (K, N) of one of a case's matmuls, float16 or int8.

    Where trits have scales, a weight is trit times scale; in half the matmuls each tile has scales of its own, in the
    others each group of `GROUP`.

    Parameters
    ----------
    config
        For the operands' ranges and whether weights can be zero.
    case
        The case.
    index
        Which of its shapes.
    """
    if case.given is not None:
        with np.load(case.given) as arrays:
            return arrays["x"], arrays["w"]
    m, k, n = case.shapes[index]
    random = np.random.default_rng([case.seed, len(STREAMS), index])
    if config.floating_point:
        return _float_operands(random, config, case, (m, k, n))
    low, high = -(1 << (config.activation_bits - 1)), (1 << (config.activation_bits - 1)) - 1
    x = _filled((m, k), case.activations, {"minimum": low, "maximum": high, "zero": 0}, (low, high))
    if x is None:
        x = random.integers(low, high, (m, k), endpoint=True, dtype=np.int8)
    bits = config.encoding.bits
    minus, plus = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if config.multiplies else (-1, 1)
    zero = 0 if config.encoding.zero else 1
    w = _filled((k, n), case.weights, {"plus": plus, "minus": minus, "zero": zero}, (plus, minus))
    if w is None:
        trits = [-1, 0, 1] if config.encoding.zero else [-1, 1]
        values = np.array(range(minus, plus + 1) if config.multiplies else trits, np.int8)
        w = random.choice(values, (k, n))
    return x, w


def _float_operands(
    random: np.random.Generator, config: AcceleratorConfig, case: Case, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    m, k, n = shape
    alone = case.activations in LANE_KINDS
    x = lane_operands(random, case.activations, m, k) if alone else _floats(random, (m, k), case.activations)
    if config.scaled:
        w = _scaled(random, config, (k, n), case.weights)
    elif case.weights in LANE_KINDS:
        w = lane_operands(random, case.weights, n, k).T
    else:
        w = _floats(random, (k, n), case.weights)
    if (case.activations, case.weights) == OPPOSITE:
        second = np.arange(k) // config.lanes % 2 == 1
        source = np.arange(k) - config.lanes * second
        x, w = np.where(second, -x[:, source], x[:, source]), w[source]
    return x, w


def _scaled(
    random: np.random.Generator, config: AcceleratorConfig, shape: tuple[int, int], kind: str
) -> NDArray[np.float16]:
    group = int(random.choice([config.lanes, GROUP]))
    scales = np.abs(_floats(random, (-(-shape[0] // group), shape[1]), kind))
    trits = _filled(shape, kind, {"plus": 1, "minus": -1, "zero": 1}, (1, -1)) if kind in WEIGHTS[1:] else None
    if trits is None:
        trits = random.choice(np.array([-1, 0, 1] if config.encoding.zero else [-1, 1], np.int8), shape)
    if kind in ("infinite", "nan"):  # there are fewer scales than weights
        scales = np.where(random.random(scales.shape) < 0.1, np.float16(kind[:3]), scales)
    each = np.repeat(scales, group, axis=0)[: shape[0]]
    return np.where(trits, np.copysign(each, trits), np.float16(0))


def _floats(random: np.random.Generator, shape: tuple[int, int], kind: str) -> NDArray[np.float16]:
    largest = float(np.finfo(np.float16).max)
    constants = {"minimum": -largest, "minus": -largest, "maximum": largest, "plus": largest, "zero": -0.0}
    if kind in constants:
        return np.full(shape, constants[kind], np.float16)
    if kind == "alternating":
        return np.where(np.indices(shape).sum(axis=0) % 2, -largest, largest).astype(np.float16)
    if kind in OPPOSITE:  # small, so that the sums of a tile are finite in FP16
        return (random.integers(-15, 16, shape) * 2.0 ** random.integers(-2, 1, shape)).astype(np.float16)
    if kind == "near":  # few bits, so that sums cancel, and are halfway between two floats
        return (random.integers(-2047, 2048, shape) * 2.0 ** random.integers(-5, 2, shape)).astype(np.float16)
    if kind in ("wide", "subnormal"):  # every finite bit pattern, or those up to twice the least normal
        magnitudes = random.integers(0, 0x7C00 if kind == "wide" else 0x0800, shape)
        return (magnitudes | random.integers(0, 2, shape) << 15).astype(np.uint16).view(np.float16)
    values = random.normal(size=shape).astype(np.float16)
    if kind in ("infinite", "nan"):
        special = np.array([np.inf, -np.inf, 0.0] + [np.nan, -np.nan] * (kind == "nan"), np.float16)
        values = np.where(random.random(shape) < 0.02, random.choice(special, shape), values)
    return values


def _filled(
    shape: tuple[int, int], kind: str, constants: Mapping[str, int], pair: tuple[int, int]
) -> NDArray[np.int8] | None:
    if kind == "random":
        return None
    if kind == "alternating":
        return np.where(np.indices(shape).sum(axis=0) % 2, *pair).astype(np.int8)
    return np.full(shape, constants[kind], np.int8)


def directed_cases(config: AcceleratorConfig) -> list[Case]:
    """Return the corners of a configuration.

    Parameters
    ----------
    config
        The configuration.
    """
    return [*_extremes(config), *_sizes(config), *_sequences(config), *_resets(config)]


def _extremes(config: AcceleratorConfig) -> list[Case]:
    k = min(config.max_k, 2 * config.lanes)
    cases = [
        Case(f"all {x}, all {w}", (MatmulShape(min(config.tokens, 2), k, config.columns),), activations=x, weights=w)
        for x, w in product(ACTIVATIONS[1:], WEIGHTS[1:])
    ]
    cases += [
        Case(
            f"accumulators at their bound, weights {w}",
            (MatmulShape(1, config.max_k, 1),),
            activations="minimum",
            weights=w,
        )
        for w in ("plus", "minus")
    ]
    if config.floating_point:
        shape = MatmulShape(min(config.tokens, 2), k, config.columns)
        cases += [
            Case(f"activations {x}, weights {w}", (shape,) * 4, seed=i, activations=x, weights=w)
            for i, (x, w) in enumerate([*product(FLOATS, FLOATS), ("infinite", "zero"), ("zero", "infinite")])
        ]
        # The sums so far, negative ones among them, are cancelled to zeros, which have no sign then.
        cases.append(Case("tiles that cancel", (shape,) * 4, activations=OPPOSITE[0], weights=OPPOSITE[1]))
    return cases


def _around(size: int, largest: int) -> list[int]:
    return sorted({value for value in (1, size - 1, size, size + 1) if 1 <= value <= largest})


def _sizes(config: AcceleratorConfig) -> list[Case]:
    sizes = product(
        _around(config.tokens, 1 << 16), _around(config.lanes, config.max_k), _around(config.columns, 1 << 24)
    )
    return [Case(f"M {m}, K {k}, N {n}", (MatmulShape(m, k, n),), seed=i) for i, (m, k, n) in enumerate(sizes)]


def _sequences(config: AcceleratorConfig) -> list[Case]:
    small = MatmulShape(1, 1, 1)
    tall = MatmulShape(config.tokens + 1, min(config.max_k, config.lanes + 1), config.columns)
    wide = MatmulShape(1, min(config.max_k, 2 * config.lanes), 3 * config.columns)
    results = MatmulShape(2 * config.tokens, 1, 3 * config.columns)
    good = (small, tall, small, small, wide, results, wide, tall)
    k = config.max_k
    huge = MatmulShape((1 << COMMAND_M_BITS) - 1, (1 << COMMAND_K_BITS) - 1, (1 << COMMAND_N_BITS) - 1)
    wrong = (
        MatmulShape(0, k, 1),
        MatmulShape(1, 0, 1),
        huge,
        MatmulShape(1, k + 1, 1),
        MatmulShape(1, k, 0),
        MatmulShape(0, huge.k, 0),
    )
    mixed = tuple(shape for pair in zip(wrong, good, strict=False) for shape in pair)
    halting = {"command": "011", "weights": "0010111", "activations": "01101", "results": "00111"}
    cases = [
        Case("back-to-back matmuls", good, seed=1),
        Case("back-to-back decode layers", (wide,) * 5, seed=2),
        Case("malformed commands", wrong, seed=3),
        Case("malformed commands among valid ones", mixed, seed=4),
        Case("malformed commands among valid ones, stalled", mixed, seed=5, stalls=halting),
        Case("everything stalls", good, seed=6, stalls=halting),
    ]
    cases += [
        Case(f"{stream} stalls, {pattern}", (tall, wide, small), seed=7, stalls={stream: pattern})
        for stream, pattern in product(STREAMS, ("01", "1110", "0001", "1" * 20 + "0"))
    ]
    return cases


def _resets(config: AcceleratorConfig) -> list[Case]:
    shape = MatmulShape(config.tokens + 1, min(config.max_k, 2 * config.lanes), 2 * config.columns)
    cases = []
    for after in dict.fromkeys((1, 2, 3, 4, 5, 7, config.tokens + 2 * config.tile_beats)):
        stalls = {"results": "1"} if after % 2 else {}
        cases += [
            Case(f"reset after {after} cycles", (shape, shape), seed=after, stalls=stalls, reset_after=after),
            Case(f"after the reset after {after} cycles", (shape,), seed=after),
        ]
    return cases


def random_cases(config: AcceleratorConfig, matmuls: int, seed: int, steps: int = 400) -> list[Case]:
    """Return random cases.

    Parameters
    ----------
    config
        The configuration.
    matmuls
        How many matmuls they hold in all.
    seed
        The same seed gives the same cases.
    steps
        About how many steps of the array a matmul takes at most.
    """
    random = np.random.default_rng(seed)
    cases: list[Case] = []
    while matmuls > 0:
        length = int(min(matmuls, random.choice([1, 1, 2, 4])))
        shapes = tuple(random_shape(config, random, steps) for _ in range(length))
        stalls = random.choice(["none", "known", "random"], p=[0.4, 0.2, 0.4])
        kinds = random.choice(FLOATS, 2) if config.floating_point else ("random", "random")
        cases.append(
            Case(
                f"random {len(cases)}",
                shapes,
                seed=int(random.integers(1 << 31)),
                activations=str(kinds[0]),
                weights=str(kinds[1]),
                stalls={} if stalls == "none" else _random_stalls(random, repeating=stalls == "known"),
            )
        )
        matmuls -= length
    return cases


def random_shape(config: AcceleratorConfig, random: np.random.Generator, steps: int) -> MatmulShape:
    """Return a shape of at most about `steps` steps of the array, small and large ones alike.

    Parameters
    ----------
    config
        The configuration.
    random
        The source of chance.
    steps
        Cycles at full rate.
    """

    def size(largest: int) -> int:
        return int(np.exp(random.uniform(0, np.log(max(1, largest) + 0.999))))

    m = size(min(3 * config.tokens, steps))
    k = size(min(config.max_k, 6 * config.lanes, max(1, steps // m) * config.lanes))
    used = -(-m // config.tokens) * max(config.tile_beats, min(m, config.tokens)) * -(-k // config.lanes)
    n = size(min(6, max(1, steps // used)) * config.columns)
    return MatmulShape(m, k, n)


def _random_stalls(random: np.random.Generator, *, repeating: bool) -> dict[str, str | float]:
    stalls: dict[str, str | float] = {}
    for stream in STREAMS:
        if random.random() < 0.6:
            share = float(random.choice([0.1, 0.5, 0.9]))
            pattern = "".join("1" if stall else "0" for stall in random.random(int(random.integers(2, 40))) < share)
            stalls[stream] = pattern + "0" if repeating else share
    return stalls
