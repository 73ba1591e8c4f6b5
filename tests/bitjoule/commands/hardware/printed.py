"""What tests of the printed tables share: an array, and the rows of a table."""

import re

ARRAY = "lanes: 8\ncolumns: 2\nmax_k: 32\nweight_bus_bits: 32\n"


def rows_of(out):
    """Return what a table without a rule says, by the first column."""
    return dict(re.split(r"  +", line.strip(), maxsplit=1) for line in out.splitlines() if line.strip())
