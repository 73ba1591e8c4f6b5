"""The registers of the accelerator behind AXI4-Lite: one table, of which hardware, pages and header are made."""

from dataclasses import dataclass
from enum import StrEnum

from bitjoule.rtl.config import COMMAND_K_BITS, COMMAND_M_BITS, COMMAND_N_BITS, AcceleratorConfig, ConfigError
from bitjoule.rtl.faults import Fault
from bitjoule.rtl.linear.bitlinear import input_bits
from bitjoule.rtl.linear.config import SCALE_BITS, LinearConfig

Config = AcceleratorConfig | LinearConfig

ADDRESS_BITS, DATA_BITS = 12, 32  # the smallest range that Vivado maps is 4 KiB
BYTES = DATA_BITS // 8
COMMANDS_BEGIN = 0x40
IDENTITY = 0x626A0001  # "bj", and the version of this map
START, RESET = 1, 2  # values of `control`
BUSY, FULL = 1, 2  # bits of `status`
DMA_BITS = range(8, 1025)  # data of a stream that an AXI DMA carries, powers of two


class Access(StrEnum):
    """What a host may do with a register."""

    READ = "read"
    WRITE = "write"
    BOTH = "read, write"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Register:
    """One register.

    Parameters
    ----------
    name
        Its name.
    offset
        Its address in bytes, a multiple of four.
    access
        What a host may do with it.
    meaning
        What it holds, in a sentence.
    bits
        Its width; a value that is wider is refused.
    value
        Of a constant, what is read.
    """

    name: str
    offset: int
    access: Access
    meaning: str
    bits: int = DATA_BITS
    value: int = 0

    @property
    def writable(self) -> bool:
        """Whether a host may write it."""
        return self.access in (Access.WRITE, Access.BOTH)

    @property
    def readable(self) -> bool:
        """Whether a host may read it."""
        return self.access is not Access.WRITE


def stream_bits(config: Config) -> dict[str, int]:
    """Return the width of the data of each stream to the array, and of the results.

    Parameters
    ----------
    config
        The configuration.

    Raises
    ------
    ConfigError
        A stream is wider than a DMA carries.
    """
    if isinstance(config, LinearConfig):
        streams = input_bits(config) | {"results": config.bus_bits}
        del streams["command"]
    else:
        streams = {
            "weights": config.weight_bus_bits,
            "activations": config.activation_bus_bits,
            "results": config.result_bus_bits,
        }
    widest = DMA_BITS[-1]
    faults = tuple(
        Fault("weight_bus_bits" if name == "weights" else "lanes" if name != "results" else "columns",
              f"the stream of {name} has {bits} bits", f"at most {widest}, which an AXI DMA carries")
        for name, bits in streams.items()
        if bits > widest
    )  # fmt: skip
    if faults:
        raise ConfigError(faults)
    return streams


def stream_prefix(name: str) -> str:
    """Return how the ports of a stream begin.

    Parameters
    ----------
    name
        One of `stream_bits`.
    """
    return f"{'m' if name == 'results' else 's'}_axis_{name}"


def padded_bits(bits: int) -> int:
    """Return the width of a stream as a DMA carries it: the next power of two; what is above is padding.

    Parameters
    ----------
    bits
        The width without padding.
    """
    return max(DMA_BITS[0], 1 << (bits - 1).bit_length())


def command_fields(config: Config) -> dict[str, int]:
    """Return the fields of a command and their widths, the lowest bits first.

    Parameters
    ----------
    config
        The configuration.
    """
    fields = {"m": COMMAND_M_BITS, "k": COMMAND_K_BITS, "n": COMMAND_N_BITS}
    if isinstance(config, LinearConfig):
        fields |= {"scale": SCALE_BITS} | ({"epsilon": SCALE_BITS} if config.normed else {})
    return fields


_FIELDS = {
    "m": "M: tokens",
    "k": "K",
    "n": "N",
    "scale": "scale of the weights, FP32",
    "epsilon": "epsilon of the norm, FP32",
}


def register_map(config: Config) -> tuple[Register, ...]:
    """Return the registers by address.

    Parameters
    ----------
    config
        The configuration.

    Raises
    ------
    ConfigError
        A stream is wider than a DMA carries.
    """
    array = config.array if isinstance(config, LinearConfig) else config
    states = [
        ("control", Access.WRITE, f"`{START}` starts a command of the fields below, `{RESET}` resets the array"),
        ("status", Access.READ, "bit 0: busy, an answer is to come; bit 1: full, a start would be refused"),
        ("cycles", Access.BOTH, "clock cycles in which the array was busy; a write sets the count"),
        ("started", Access.READ, "commands started since the last reset"),
        ("answered", Access.READ, "commands whose last beat of results was taken"),
        ("malformed", Access.READ, "those of them that were malformed"),
    ]
    constants = [
        ("lanes", array.lanes, "lanes of the array"),
        ("columns", array.columns, "its columns"),
        ("tokens", array.tokens, "tokens that reuse a tile of weights"),
        ("max_k", array.max_k, "the largest K"),
        *(
            (f"{name}_bytes", padded_bits(bits) // 8, f"bytes of a beat of {name} in memory")
            for name, bits in stream_bits(config).items()
        ),
    ]
    first = [Register("identity", 0, Access.CONSTANT, "says that this is bitjoule's map", value=IDENTITY)]
    first += [Register(name, BYTES * i, access, text) for i, (name, access, text) in enumerate(states, len(first))]
    first += [
        Register(name, BYTES * i, Access.CONSTANT, text, value=value)
        for i, (name, value, text) in enumerate(constants, len(first))
    ]
    fields = command_fields(config).items()
    return (
        *first,
        *(
            Register(f"command_{name}", COMMANDS_BEGIN + BYTES * i, Access.BOTH, _FIELDS[name], bits)
            for i, (name, bits) in enumerate(fields)
        ),
    )


def as_rows(registers: tuple[Register, ...]) -> list[dict[str, object]]:
    """Return the registers for a table or JSON.

    Parameters
    ----------
    registers
        The registers.
    """
    rows: list[dict[str, object]] = []
    for each in registers:
        rows.append(
            {"offset": f"0x{each.offset:02x}", "register": each.name, "access": each.access.value, "bits": each.bits}
        )
        if each.access is Access.CONSTANT:
            rows[-1]["value"] = each.value
        rows[-1]["meaning"] = each.meaning
    return rows


def c_header(registers: tuple[Register, ...]) -> str:
    """Return the registers as a C header.

    Parameters
    ----------
    registers
        The registers.
    """
    names = {
        **{f"BITJOULE_{each.name.upper()}": (each.offset, each.meaning) for each in registers},
        "BITJOULE_IDENTITY_VALUE": (IDENTITY, "what identity holds"),
        "BITJOULE_CONTROL_START": (START, "value of control"),
        "BITJOULE_CONTROL_RESET": (RESET, "value of control"),
        "BITJOULE_STATUS_BUSY": (BUSY, "bit of status"),
        "BITJOULE_STATUS_FULL": (FULL, "bit of status"),
    }
    lines = [f"#define {name} 0x{value:x}u /* {text} */" for name, (value, text) in names.items()]
    return "\n".join(
        ["/* Registers of bitjoule's accelerator: offsets in bytes, 32 bits each. */", "#pragma once", *lines, ""]
    )
