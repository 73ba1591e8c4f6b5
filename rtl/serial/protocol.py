"""What a host and the accelerator behind a UART say to each other, in plain Python.

A frame to the device is a header and one beat of a stream, byte 0 of its tdata first. The device confirms each beat
once the array has taken it, and sends each beat of results behind a header of its own. A host has at most one
unconfirmed beat per stream on the way: no beat has to wait behind another, and no flow control is needed beside this.

A break on the line (at least ten bits low) resets the array and all that it holds; the device answers `READY`, as it
does after power-up. After a `FAILED` it ignores everything until a break.
"""

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.sequencer import COMMAND

STREAMS = ("command", "weights", "activations")  # a frame's header is the stream's place

# Headers of the device.
TAKEN = 0x00  # + the stream's place: its beat was taken
RESULT = 0x10  # + END, + MALFORMED: a beat of results follows
END, MALFORMED = 0x01, 0x02
READY = 0x20
FAILED = 0x30  # + one of these:
UNKNOWN_HEADER, FRAMING, UNCONFIRMED = 0x00, 0x01, 0x02
REASONS = {
    UNKNOWN_HEADER: "unknown header",
    FRAMING: "no stop bit behind a byte",
    UNCONFIRMED: "a beat before the one before it was confirmed",
}


def beat_bytes(config: AcceleratorConfig) -> dict[str, int]:
    """Return the bytes of a beat of each stream to the device.

    Parameters
    ----------
    config
        The configuration.
    """
    bits = (COMMAND.size, config.weight_bus_bits, config.activation_bus_bits)
    return {name: count // 8 for name, count in zip(STREAMS, bits, strict=True)}


def result_bytes(config: AcceleratorConfig) -> int:
    """Return the bytes of a beat of results.

    Parameters
    ----------
    config
        The configuration.
    """
    return config.result_bus_bits // 8


def frame(stream: str, beat: bytes) -> bytes:
    """Return the bytes that send a beat.

    Parameters
    ----------
    stream
        One of `STREAMS`.
    beat
        Its bytes, as `beat_bytes` counts them.
    """
    return bytes([STREAMS.index(stream)]) + beat
