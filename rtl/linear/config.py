"""The parameters of a whole BitLinear, checked, and the widths that follow."""

from dataclasses import dataclass, fields
from typing import Any

from bitjoule.rtl.arithmetic.formats import FLOATS, Format
from bitjoule.rtl.config import AcceleratorConfig, ConfigError
from bitjoule.rtl.faults import Fault, brief, one_of

KEY = "linear"
NORMS = ("none", "rms_norm")
LANES = range(1, 65)
SCALE_BITS = 32  # a weight scale, and the norm's epsilon: FP32


@dataclass(frozen=True)
class LinearConfig:
    """A BitLinear: an array of trits, and what quantises its activations and rescales its sums.

    Parameters
    ----------
    array
        The array: trits, exact sums, activations of 2 to 8 bits.
    format
        Of activations, gains and outputs: ``fp16``, ``bf16`` or ``fp32``.
    lanes
        Activations quantised, and outputs rescaled, per cycle: a divisor of the array's lanes, at most 64.
    norm
        ``none``, or ``rms_norm`` in front of the quantisation.

    Raises
    ------
    ConfigError
        A value is not allowed.
    """

    array: AcceleratorConfig
    format: str = "fp16"
    lanes: int = 4
    norm: str = "none"

    def __post_init__(self) -> None:
        faults = [
            Fault(f"{KEY}.{key}", f"got {brief(getattr(self, key))}", one_of(allowed))
            for key, allowed in (("format", tuple(FLOATS)), ("norm", NORMS))
            if not isinstance(getattr(self, key), str) or getattr(self, key) not in allowed
        ]
        faults += self._lanes_faults()
        array = self.array
        if array.accumulation != "exact":
            faults.append(Fault(KEY, f"is given with accumulation {array.accumulation}", "trits with exact sums"))
        elif array.activation_bits < 2:
            faults.append(Fault(KEY, "is given with activation_bits 1", "activation_bits from 2 to 8"))
        if faults:
            raise ConfigError(tuple(faults))

    def _lanes_faults(self) -> list[Fault]:
        lanes, whole = self.lanes, self.array.lanes
        if isinstance(lanes, int) and not isinstance(lanes, bool) and lanes in LANES and whole % lanes == 0:
            return []
        allowed = ", ".join(str(value) for value in LANES if whole % value == 0)
        return [Fault(f"{KEY}.lanes", f"got {brief(lanes)}", f"a divisor of lanes ({whole}): {allowed}")]

    @classmethod
    def from_mapping(cls, mapping: dict[str, Any]) -> "LinearConfig":
        """Return a configuration from keys and values, as a YAML file holds them.

        Parameters
        ----------
        mapping
            Keys of the array, and `KEY` with a mapping of the others; values that are missing are the defaults.

        Raises
        ------
        ConfigError
            A key is unknown or missing, or a value is not allowed.
        """
        array = AcceleratorConfig.from_mapping({key: value for key, value in mapping.items() if key != KEY})
        own = mapping.get(KEY)
        if not isinstance(own, dict):
            raise ConfigError((Fault(KEY, f"got {brief(own)}", "a mapping, such as {format: fp16, lanes: 4}"),))
        keys = [field.name for field in fields(cls) if field.name != "array"]
        faults = [Fault(f"{KEY}.{key}", "unknown key", one_of(keys)) for key in own if key not in keys]
        if faults:
            raise ConfigError(tuple(faults))
        return cls(array, **own)

    def as_mapping(self) -> dict[str, Any]:
        """Return keys and values, every default written out."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "array"}
        return self.array.as_mapping() | {KEY: own}

    @property
    def in_words(self) -> str:
        """Format, lanes and norm, to be printed."""
        lanes = f"{self.lanes} lane" + "s" * (self.lanes != 1)
        return f"{self.format}, {lanes}" + (", RMSNorm" if self.normed else "")

    @property
    def form(self) -> Format:
        """Format of activations, gains and outputs."""
        return FLOATS[self.format]

    @property
    def normed(self) -> bool:
        """Whether an RMSNorm runs first."""
        return self.norm == "rms_norm"

    @property
    def steps(self) -> int:
        """The code of a token's largest magnitude: 127 with eight bits, of ±1 weights 128 before the clip to 127."""
        largest = 1 << (self.array.activation_bits - 1)
        return largest if self.array.weight_encoding == "binary1" else largest - 1

    @property
    def beats(self) -> int:
        """Most beats of a token's activations."""
        return -(-self.array.max_k // self.lanes)

    @property
    def tiles(self) -> int:
        """Most tiles along K."""
        return -(-self.array.max_k // self.array.lanes)

    @property
    def groups(self) -> int:
        """Beats of activations in a tile of the array."""
        return self.array.lanes // self.lanes

    @property
    def result_beats(self) -> int:
        """Beats of outputs for one token and tile of `columns` outputs; the last may be padded."""
        return -(-self.array.columns // self.lanes)

    @property
    def holds_results(self) -> bool:
        """Whether the sums of a block are held until they are rescaled: a token's take several cycles."""
        return self.result_beats > 1 and self.array.tokens > 1

    @property
    def bus_bits(self) -> int:
        """Width of the streams of activations, gains and outputs."""
        return self.lanes * self.form.bits
