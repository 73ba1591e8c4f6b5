"""A line of a UART as a test sees it: 8N1 after its definition, cycle by cycle, independent of the hardware's."""

from collections import deque

import numpy as np


class Host:
    """Drives and reads a line, one call a cycle.

    Parameters
    ----------
    clocks_per_bit
        Cycles of a bit; need not be whole: a host's clock is never the device's.
    """

    def __init__(self, clocks_per_bit):
        self.clocks_per_bit = clocks_per_bit
        self.received = bytearray()
        self._levels = deque()
        self._drift = 0.0
        self._samples = deque()
        self._age = None

    @property
    def idle(self):
        return not self._levels

    def level(self, value, bits):
        """Hold the line for some bits."""
        self._drift += bits * self.clocks_per_bit
        cycles, self._drift = int(self._drift), self._drift % 1
        self._levels.extend([value] * cycles)

    def send(self, data):
        for byte in data:
            for bit in (0, *np.unpackbits(np.uint8(byte), bitorder="little").tolist(), 1):
                self.level(bit, 1)

    def cycle(self, tx):
        """Return the level to drive, given the level of the device's line."""
        if self._age is None and not tx:
            self._age, self._samples = 0, deque()
        if self._age is not None:
            self._age += 1
            if self._age >= (len(self._samples) + 0.5) * self.clocks_per_bit:
                self._samples.append(tx)
            if len(self._samples) == 10:
                start, *bits, stop = self._samples
                assert (start, stop) == (0, 1), "no byte of 8N1"
                self.received += np.packbits(bits, bitorder="little").tobytes()
                self._age = None
        return self._levels.popleft() if self._levels else 1
