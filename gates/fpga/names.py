r"""Names of wires without an index in them, which Yosys takes for bits of other wires.

Amaranth names the parts of an array ``\x[0]``, ``\x[1]``, beside ``x`` itself. To ABC9, Yosys hands a bit under its
wire's name and its index: bit 1 of ``x`` and bit 0 of ``\x[1]`` are both ``x[1]``. Where both are inputs or outputs of
logic, Yosys 0.70 takes them for one, so that the netlist computes something else, or stops in a check of widths.
"""

import re

_ESCAPED = re.compile(r"\\\S+")  # a name that may hold any character, up to a space
_INDEX = re.compile(r"\[(\d+)\]")


def plain_names(verilog: str) -> str:
    r"""Return a design with ``\x<1>`` in place of ``\x[1]``: Amaranth makes no names like that.

    Parameters
    ----------
    verilog
        Its text. Selections, as in ``x[1]``, stay.
    """
    return _ESCAPED.sub(lambda name: _INDEX.sub(r"<\1>", name[0]), verilog)
