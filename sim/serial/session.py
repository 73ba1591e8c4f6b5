"""A matmul through the UART of an accelerator, without any input or output: bytes in, bytes out.

The same session serves a simulation and a serial port:

>>> import serial                                             # doctest: +SKIP
>>> port = serial.Serial("/dev/ttyUSB1", 115200, timeout=1)   # doctest: +SKIP
>>> product = multiply(port, config, x, w)                    # doctest: +SKIP
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.packing import command_beat, tiles
from bitjoule.rtl.serial import protocol
from bitjoule.rtl.serial.protocol import STREAMS
from bitjoule.sim.accelerator.streams import activation_stream, product_of_results, result_beats, weight_stream

BREAK_S = 0.25  # longer than ten bits at any usual rate


class SerialError(RuntimeError):
    """The device reports an error, is silent, or sends what no device does."""


class Port(Protocol):
    """What is needed of a serial port: `serial.Serial` of pyserial has it, opened with a timeout."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, fewer after the timeout."""

    def write(self, data: bytes, /) -> object:
        """Send bytes."""

    def send_break(self, duration: float) -> None:
        """Hold the line low."""

    def reset_input_buffer(self) -> None:
        """Forget what was received."""


class Session:
    """One matmul: which bytes to send when, and what those received mean.

    Parameters
    ----------
    config
        The accelerator's.
    x
        Activations, (M, K).
    w
        Weights, (K, N), as `weight_stream` takes them.
    """

    def __init__(self, config: AcceleratorConfig, x: NDArray[Any], w: NDArray[Any]) -> None:
        self._config = config
        self._shape = len(x), w.shape[1]
        self._frames = deque(_frames(config, x, w))
        self._unconfirmed: set[str] = set()
        self._received = bytearray()
        self._results: list[bytes] = []
        self._expected = result_beats(config, *self._shape)

    @property
    def done(self) -> bool:
        """Whether the last results are here."""
        return len(self._results) == self._expected

    def to_send(self) -> bytes:
        """Return the next frame if it may be sent now, else nothing.

        A frame waits until the beat before it on its stream is confirmed.
        """
        if not self._frames or self._frames[0][0] in self._unconfirmed:
            return b""
        stream, beat = self._frames.popleft()
        self._unconfirmed.add(stream)
        return protocol.frame(stream, beat)

    def receive(self, data: bytes) -> None:
        """Take bytes of the device.

        Parameters
        ----------
        data
            Any number of bytes.

        Raises
        ------
        SerialError
            The device reports an error, or what it sends does not belong to this matmul.
        """
        self._received += data
        while self._received:
            header = self._received[0]
            count = 1 + (protocol.result_bytes(self._config) if header & 0xF0 == protocol.RESULT else 0)
            if len(self._received) < count:
                return
            self._reply(header, bytes(self._received[1:count]))
            del self._received[:count]

    def product(self) -> NDArray[Any]:
        """Return the product, (M, N), as `product_of_results` does; only when `done`."""
        beats = np.frombuffer(b"".join(self._results), np.uint8).reshape(self._expected, -1)
        return product_of_results(self._config, beats, *self._shape)

    def _reply(self, header: int, body: bytes) -> None:
        if header & 0xF0 == protocol.TAKEN and header < len(STREAMS) and STREAMS[header] in self._unconfirmed:
            self._unconfirmed.remove(STREAMS[header])
        elif header & 0xF0 == protocol.RESULT:
            if header & protocol.MALFORMED:
                raise SerialError("the device calls the command malformed; is it made from this configuration?")
            self._results.append(body)
            if bool(header & protocol.END) != self.done or len(self._results) > self._expected:
                raise SerialError(f"the matmul has {self._expected} beats of results; its end is not there")
        elif header & 0xF0 == protocol.FAILED:
            raise SerialError(f"the device reports: {protocol.REASONS.get(header & 0x0F, hex(header))}")
        elif header == protocol.READY:
            raise SerialError("the device was reset")
        else:
            raise SerialError(f"the device sent {header:#04x}, which is no header that belongs here")


def _frames(config: AcceleratorConfig, x: NDArray[Any], w: NDArray[Any]) -> Iterator[tuple[str, bytes]]:
    """Yield stream and beat in the order in which the array can take them."""
    m, (k, n) = len(x), w.shape
    weights, activations = iter(weight_stream(config, w, m)), iter(activation_stream(config, x, n))
    yield "command", command_beat(m, k, n).to_bytes(protocol.beat_bytes(config)["command"], "little")
    for tile in tiles(config, m, k, n):
        yield from (("weights", next(weights).tobytes()) for _ in range(config.tile_beats))
        yield from (("activations", next(activations).tobytes()) for _ in range(tile.tokens))


def reset(port: Port) -> None:
    """Reset the device: whatever it was doing, it begins anew.

    Parameters
    ----------
    port
        Where it is.

    Raises
    ------
    SerialError
        It does not answer.
    """
    port.send_break(BREAK_S)
    time.sleep(BREAK_S)
    answer = port.read(1 << 16)
    port.reset_input_buffer()
    if not answer.endswith(bytes([protocol.READY])):
        raise SerialError("no answer to a reset; is the rate of the port that of the design?")


def multiply(port: Port, config: AcceleratorConfig, x: NDArray[Any], w: NDArray[Any]) -> NDArray[Any]:
    """Return X W, computed by the device.

    Parameters
    ----------
    port
        Where it is; opened with a timeout, and `reset` once.
    config
        What it was made from.
    x
        Activations, (M, K).
    w
        Weights, (K, N).

    Raises
    ------
    SerialError
        It reports an error or is silent for the port's timeout.
    """
    session = Session(config, x, w)
    while not session.done:
        frame = session.to_send()
        if frame:
            port.write(frame)
            continue
        answer = port.read(1)
        if not answer:
            raise SerialError("no answer within the timeout of the port")
        session.receive(answer)
    return session.product()
