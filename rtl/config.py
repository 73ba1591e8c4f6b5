"""The parameters of an accelerator, checked, and every width that follows."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from bitjoule.rtl.encodings import ENCODINGS, WORDS, Encoding
from bitjoule.rtl.faults import Fault, brief, is_integer, one_of, outside, unknown

# By weight encoding, the default first.
DATAPATHS = {
    **dict.fromkeys(ENCODINGS, ("carry_save", "carry_chain", "multiplexer", "lookup_table")),
    "int8": ("weight_digits", "activation_digits"),
    **dict.fromkeys(("int4", "int2"), ("weight_digits",)),
    "fp16": ("fused", "rounding_tree"),
}
ACCUMULATIONS = {
    **dict.fromkeys(ENCODINGS, ("exact", "fp32")),
    **dict.fromkeys(("int8", "int4", "int2"), ("int32",)),
    "fp16": ("fp32", "fp16"),
}
ACCUMULATORS = ("registers", "memory")
ACCUMULATION_BITS = {"int32": 32, "fp32": 32, "fp16": 16}
LANES = range(8, 257)
TABLE_LANES = range(2, 5)
CHAIN_LANES = range(1, 9)
INVERTED_SUMS = ("none", "before", "after")
COLUMNS = range(1, 65)
TOKENS = range(1, 1025)
ACTIVATION_BITS = range(1, 9)
FP16_BITS = 16
GROUP = 128  # weights along K that share a scale, where trits have scales
MAX_K = range(1, (1 << 20) + 1)
INT8_MAX_K = range(1, 1 << 17)  # 2**17 products of -128 and -128 are one more than INT32 holds
PIPELINE = range(5)
ROUNDING_TREE_PIPELINE = range(10)  # after the multipliers and after each of the eight levels of 256 lanes
MAX_BUS_BITS = 1 << 16

COMMAND_M_BITS, COMMAND_K_BITS, COMMAND_N_BITS = 16, 24, 24


class ConfigError(ValueError):
    """A configuration that no hardware can be built from.

    Parameters
    ----------
    faults
        Every fault found.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__(faults)

    def __str__(self) -> str:
        return "; ".join(f"{fault.key}: {fault.wrong}; expected {fault.expected}" for fault in self.faults)


@dataclass(frozen=True)
class AcceleratorConfig:
    """A configuration of the accelerator.

    Parameters
    ----------
    lanes
        Activations taken per cycle (K direction), 8 to 256; with ``lookup_table`` a multiple of `table_lanes`; where
        trits have scales, a divisor of 128.
    columns
        Outputs computed per cycle (N direction), 1 to 64.
    max_k
        Largest K of a matmul, 1 to 2**20, with ``int8`` to 2**17 - 1; exact accumulators are just wide enough for it.
    weight_bus_bits
        Width of the weight stream: whole bytes; a tile fills whole beats, or less than one.
    tokens
        Tokens that reuse one weight tile (the accumulators' depth), 1 to 1024; 1 is for decode only.
    activation_bits
        Bits of an activation: two's complement, 1 to 8, by default 8; 8 with ``activation_digits``, 16 (FP16) with
        ``fp16`` and where trits have scales.
    weight_encoding
        Code of the trits in the weight stream: ``binary1``, ``ternary2`` or ``ternary5``. Or weights that are
        multiplied, the baselines: ``int8``, ``int4``, ``int2`` or ``fp16``.
    pipeline
        Registers inside the adder tree, 0 to 4; the first lies between the tree and the accumulators' adder. With
        ``rounding_tree`` 0 to 9, also between the multipliers and the tree.
    datapath
        ``carry_save`` (compressors on whole words; least area and energy in cells), ``carry_chain`` (a tree of
        adders with the negations as carries; for FPGAs), ``multiplexer`` (x, 0 or -x into a tree of adders) or
        ``lookup_table`` (sums of a few activations, made once for all columns): those of trits. Of integers:
        ``weight_digits`` (radix-4 digits of the weights select multiples of the activations; they do not toggle while
        weights are held) or, ``int8`` alone, ``activation_digits`` (digits of the activations, recoded once for all
        columns, select multiples of the weights). Of ``fp16``: ``fused`` (products aligned once, added exactly and
        rounded once) or ``rounding_tree`` (every product and sum is rounded). By default the first of the encoding.
    accumulation
        ``exact`` (trits), ``int32`` (integers), ``fp32`` (``fp16``) or, with ``rounding_tree``, ``fp16``. Trits with
        ``fp32`` have scales: activations are FP16, each group of 128 weights along K shares an FP16 scale, which each
        tile brings, and sums are FP32. They have no ``lookup_table``.
    table_lanes
        With ``lookup_table``, lanes whose activations share a table, 2 to 4, by default 2. Each lane more makes it
        three times as large, with ``binary1`` twice.
    chain_lanes
        With ``carry_chain``, lanes added one after the other before the tree of adders, 1 to 8, by default 1: none.
        Cells of some FPGAs select one operand of two. From 2 on the tree's last level lies behind the first register.
    inverted_sums
        With chains of 3 lanes or more, whether each second lane inverts the sum, not itself: ``none``, ``before`` the
        next adder or ``after`` it; see `bitjoule.rtl.arithmetic.inverted_sums`. It depends on adders' cells what pays.
    stored_decoders
        With ``ternary5`` and inverted sums, lanes whose bytes are decoded by a table in memory, block RAM of an FPGA, 0
        to `lanes`, by default 0: those that are added last in their chains, since such a memory is slower than gates.
    accumulators
        ``registers``: running sums in flip-flops. ``memory``: in a memory that is read one cycle early, block RAM of an
        FPGA or a macro; `tokens` is at least 2.

    Raises
    ------
    ConfigError
        A value is outside its range, or the bus and the tile do not fit each other.
    """

    lanes: int
    columns: int
    max_k: int
    weight_bus_bits: int
    tokens: int = 1
    activation_bits: int = None  # type: ignore[assignment]  # the encoding's
    weight_encoding: str = "ternary2"
    pipeline: int = 1
    datapath: str = None  # type: ignore[assignment]  # the encoding's
    accumulation: str = None  # type: ignore[assignment]  # the encoding's
    table_lanes: int | None = None
    accumulators: str = "registers"
    chain_lanes: int = 1
    inverted_sums: str = "none"
    stored_decoders: int = 0

    def __post_init__(self) -> None:
        no_encoding = unknown("weight_encoding", self.weight_encoding, tuple(ACCUMULATIONS))
        name = "ternary2" if no_encoding else self.weight_encoding
        trits = name in ENCODINGS
        if self.datapath is None:
            object.__setattr__(self, "datapath", DATAPATHS[name][0])
        if self.accumulation is None:
            scaled = trits and self.activation_bits == FP16_BITS
            object.__setattr__(self, "accumulation", "fp32" if scaled else ACCUMULATIONS[name][0])
        scaled = trits and self.accumulation == "fp32"
        if self.activation_bits is None:
            object.__setattr__(self, "activation_bits", FP16_BITS if name == "fp16" or scaled else 8)
        if self.table_lanes is None and self.datapath == "lookup_table":
            object.__setattr__(self, "table_lanes", TABLE_LANES[0])
        faults = [
            *(self._scaled_lanes_faults() if scaled else self._lanes_faults()),
            *outside("columns", self.columns, COLUMNS),
            *outside("max_k", self.max_k, INT8_MAX_K if name == "int8" else MAX_K),
            *outside("tokens", self.tokens, TOKENS),
            *self._activation_faults(name, scaled),
            *outside("pipeline", self.pipeline, ROUNDING_TREE_PIPELINE if self.rounding_tree else PIPELINE),
            *no_encoding,
            *unknown("datapath", self.datapath, DATAPATHS[name]),
            *self._accumulation_faults(name),
            *self._accumulators_faults(),
            *self._chain_faults(),
            *self._inversion_faults(),
            *self._decoder_faults(),
        ]
        if not {"lanes", "columns", "weight_encoding"} & {fault.key for fault in faults}:
            faults += self._bus_faults()
        if faults:
            raise ConfigError(tuple(faults))

    def _scaled_lanes_faults(self) -> list[Fault]:
        allowed = [lanes for lanes in LANES if GROUP % lanes == 0]
        if is_integer(self.lanes) and self.lanes in allowed:
            return []
        wrong = f"got {brief(self.lanes)} with accumulation fp32"
        return [Fault("lanes", wrong, f"{one_of(allowed)}: whole tiles fill a group of {GROUP} weights")]

    def _activation_faults(self, encoding: str, scaled: bool) -> list[Fault]:
        bits = self.activation_bits
        if scaled:
            wrong = f"got {brief(bits)} with accumulation fp32"
            fits = is_integer(bits) and bits == FP16_BITS
            return [] if fits else [Fault("activation_bits", wrong, f"{FP16_BITS} (FP16), or accumulation: exact")]
        faults = outside("activation_bits", bits, _activation_bits(encoding, self.datapath))
        if encoding not in ENCODINGS:
            return faults
        return [fault._replace(expected=f"{fault.expected}; 16 (FP16) with accumulation: fp32") for fault in faults]

    def _lanes_faults(self) -> list[Fault]:
        lanes, shared = outside("lanes", self.lanes, LANES), self.table_lanes
        if self.datapath != "lookup_table":
            unused = f"got {brief(shared)} with datapath {brief(self.datapath)}"
            return lanes + ([] if shared is None else [Fault("table_lanes", unused, "datapath: lookup_table")])
        lanes += outside("table_lanes", shared, TABLE_LANES)
        if not lanes and self.lanes % self.group_lanes:
            span = f"a multiple of {shared} (table_lanes) from {LANES[0]} to {LANES[-1]}"
            lanes.append(Fault("lanes", f"got {self.lanes} with datapath lookup_table", span))
        return lanes

    def _accumulation_faults(self, encoding: str) -> list[Fault]:
        if (self.datapath, self.accumulation) == ("fused", "fp16"):
            return [Fault("accumulation", "got 'fp16' with datapath fused", "fp32, or datapath: rounding_tree")]
        if (self.datapath, self.accumulation) == ("lookup_table", "fp32"):
            return [Fault("accumulation", "got 'fp32' with datapath lookup_table", "exact, or another datapath")]
        return unknown("accumulation", self.accumulation, ACCUMULATIONS[encoding])

    def _accumulators_faults(self) -> list[Fault]:
        if self.accumulators == "memory" and self.tokens == 1:
            return [Fault("accumulators", "got 'memory' with tokens 1", "registers, or tokens of 2 or more")]
        return unknown("accumulators", self.accumulators, ACCUMULATORS)

    def _chain_faults(self) -> list[Fault]:
        faults = outside("chain_lanes", self.chain_lanes, CHAIN_LANES)
        if faults or self.chain_lanes == 1 or self.datapath == "carry_chain":
            return faults
        unused = f"got {self.chain_lanes} with datapath {brief(self.datapath)}"
        return [Fault("chain_lanes", unused, "1, or datapath: carry_chain")]

    def _inversion_faults(self) -> list[Fault]:
        faults = unknown("inverted_sums", self.inverted_sums, INVERTED_SUMS)
        if faults or not self.inverts_sums:
            return faults
        got = f"got {brief(self.inverted_sums)} with"
        if self.accumulation == "fp32":
            return [Fault("inverted_sums", f"{got} accumulation fp32", "none, or accumulation: exact")]
        got += f" chain_lanes {brief(self.chain_lanes)}"
        fits = self.chain_lanes in CHAIN_LANES[2:]
        return [] if fits else [Fault("inverted_sums", got, "none, or chain_lanes of 3 or more")]

    def _decoder_faults(self) -> list[Fault]:
        stored = self.stored_decoders
        faults = outside("stored_decoders", stored, range(LANES[-1] + 1))
        if faults or not stored:
            return faults
        got, expected = f"got {stored} with", "0, or weight_encoding: ternary5 and inverted_sums: before or after"
        if self.weight_encoding != "ternary5":
            return [Fault("stored_decoders", f"{got} weight_encoding {brief(self.weight_encoding)}", expected)]
        if not self.inverts_sums:
            return [Fault("stored_decoders", f"{got} inverted_sums {brief(self.inverted_sums)}", expected)]
        if is_integer(self.lanes) and stored > self.lanes:
            return [Fault("stored_decoders", f"{got} {self.lanes} lanes", "at most one for each lane")]
        return []

    def _bus_faults(self) -> list[Fault]:
        bus = self.weight_bus_bits
        tile = self.tile_bits
        if is_integer(bus) and bus > 0 and bus % 8 == 0 and bus <= MAX_BUS_BITS and (bus >= tile or tile % bus == 0):
            return []
        parts = [tile // beats for beats in range(1, tile // 8 + 1) if tile % (8 * beats) == 0]
        allowed = ", ".join(map(str, parts[:6])) + (", ..." if len(parts) > 6 else "")
        return [
            Fault(
                "weight_bus_bits",
                f"got {brief(bus)}",
                f"whole bytes that a tile of {tile} bits fills in whole beats ({allowed}), or a multiple of 8 "
                f"from {tile} to {MAX_BUS_BITS}",
            )
        ]

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> "AcceleratorConfig":
        """Return a configuration from keys and values, as a YAML file holds them.

        Parameters
        ----------
        mapping
            Keys are the parameters of this class.

        Raises
        ------
        ConfigError
            A key is unknown or missing, or a value is not allowed.
        """
        keys = [field.name for field in fields(cls)]
        needed = ("lanes", "columns", "max_k", "weight_bus_bits")
        faults = [Fault(key, "unknown key", one_of(keys)) for key in mapping if key not in keys]
        faults += [Fault(key, "is missing", "a whole number") for key in needed if key not in mapping]
        missing = [fault.key for fault in faults]
        filled = {"lanes": 8, "columns": 1, "max_k": 1, "weight_bus_bits": 8}
        try:
            config = cls(**(filled | {key: value for key, value in mapping.items() if key in keys}))
        except ConfigError as error:
            guessed = {*missing, *(["weight_bus_bits"] if {"lanes", "columns"} & set(missing) else [])}
            faults += [fault for fault in error.faults if fault.key not in guessed]
        if faults:
            raise ConfigError(tuple(faults))
        return config

    def as_mapping(self) -> dict[str, Any]:
        """Return keys and values, defaults written out but for those of the last five keys."""
        usual = {"table_lanes": None, "accumulators": ACCUMULATORS[0], "chain_lanes": 1, "inverted_sums": "none"}
        usual |= {"stored_decoders": 0}
        return {key: value for key, value in asdict(self).items() if key not in usual or value != usual[key]}

    @property
    def encoding(self) -> Encoding:
        """The code of the weights in the weight stream."""
        return (ENCODINGS | WORDS)[self.weight_encoding]

    @property
    def multiplies(self) -> bool:
        """Whether weights are numbers to multiply with, not trits."""
        return self.weight_encoding in WORDS

    @property
    def floating_point(self) -> bool:
        """Whether activations and results are floating-point numbers."""
        return self.weight_encoding == "fp16" or self.scaled

    @property
    def scaled(self) -> bool:
        """Whether weights are trits with a scale for each group, and activations FP16."""
        return self.accumulation == "fp32" and not self.multiplies

    @property
    def rounding_tree(self) -> bool:
        """Whether every floating-point product and sum is rounded by itself."""
        return self.datapath == "rounding_tree"

    @property
    def inverts_sums(self) -> bool:
        """Whether sums are inverted in place of every second lane."""
        return self.inverted_sums != INVERTED_SUMS[0]

    @property
    def sums_in_memory(self) -> bool:
        """Whether running sums are in a memory that is read one cycle early, not in flip-flops."""
        return self.accumulators == "memory"

    @property
    def group_lanes(self) -> int:
        """Lanes whose activations the columns take as one word: those of a look-up table, else one."""
        return (self.table_lanes or TABLE_LANES[0]) if self.datapath == "lookup_table" else 1

    @property
    def tile_bits(self) -> int:
        """Bits of a weight tile, padded to whole bytes; scales follow the lanes."""
        return _whole_bytes(self.scales_begin + (self.columns * FP16_BITS if self.scaled else 0))

    @property
    def scales_begin(self) -> int:
        """The place in a tile of the first column's scale, if there are scales: behind all lanes."""
        return self.lanes * self.encoding.row_bits(self.columns)

    @property
    def tile_beats(self) -> int:
        """Beats of the weight stream that carry one tile."""
        return max(1, self.tile_bits // self.weight_bus_bits)

    @property
    def activation_bus_bits(self) -> int:
        """Width of the activation stream, padded to whole bytes."""
        return _whole_bytes(self.lanes * self.activation_bits)

    @property
    def accumulator_bits(self) -> int:
        """Bits of a sum; of exact ones the fewest that hold -K 2**(b-1) to K 2**(b-1), both included, K = `max_k`."""
        if self.accumulation in ACCUMULATION_BITS:
            return ACCUMULATION_BITS[self.accumulation]
        return (self.max_k << (self.activation_bits - 1)).bit_length() + 1

    @property
    def result_bits(self) -> int:
        """Bits of one element of the result stream: 8, 16 or 32, integers sign-extended."""
        return next(bits for bits in (8, 16, 32) if bits >= self.accumulator_bits)

    @property
    def result_bus_bits(self) -> int:
        """Width of the result stream."""
        return self.columns * self.result_bits

    @property
    def latency_cycles(self) -> int:
        """Cycles from the one that takes a result's last activations to the one that offers the result."""
        return 2 + self.pipeline


def _activation_bits(weight_encoding: str, datapath: str) -> range:
    if weight_encoding == "fp16":
        return range(16, 17)
    return range(8, 9) if datapath == "activation_digits" else ACTIVATION_BITS


def _whole_bytes(bits: int) -> int:
    return -(-bits // 8) * 8
