"""Python's collector of cyclic garbage, stopped while much is made that stays.

An array's Amaranth design, or its netlist, is a million objects that live until it is written: the collector walks all
of them again and again and frees nothing: the Verilog of an FP16 array of 16 x 2 takes 8.1 s of processor time with it,
and 5.0 s without.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Stop the collector, and start it again afterwards if it ran before."""
    ran = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if ran:
            gc.enable()
