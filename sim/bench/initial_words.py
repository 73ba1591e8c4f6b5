"""Memories' initial zeros, which Yosys writes as a statement for each word, left to Verilator to set."""

import re

# Documented: whatever has no initial value of its own begins as zero. Verilator writes a loop for each memory.
ZERO_INITIAL = ("--x-initial", "0")
_ZERO = r"\[\d+\] = \d+'h0+;\n"
_ZEROS = re.compile(rf"^  initial begin\n    (\S+ ?){_ZERO}(?:    \1{_ZERO})*  end\n", re.MULTILINE)


def without_zero_words(verilog: str) -> str:
    """Return a text without the statements that set a memory's words to zero, if they set none to another value.

    It means the same to Verilator with the options `ZERO_INITIAL`. Tens of thousands of such statements take it and the
    C++ compiler longer than a large array.

    Parameters
    ----------
    verilog
        As Yosys writes it.
    """
    return _ZEROS.sub("", verilog)
