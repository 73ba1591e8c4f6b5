"""What the clock does to the headline: chips at an assumed one, at what all arrays meet, or each array at its own.

Run: ``python benchmarks/clocks.py [FOLDER]`` (half a minute), then ``make docs-numbers``. Writes clocks.csv, which
docs/headline.md shows: for Llama-3 8B at a context of 4096 tokens the gain of ternary weights over each rival, in both
phases and at both static powers, at

* ``500 MHz``, whether or not an array meets it;
* ``one clock`` for the whole chip, what its slowest array meets as synthesised, as the platforms ship;
* ``own clocks``, what each array meets. The chip runs at that of its fastest array; a slower one reaches the share of
  its peak that its own clock is of it.

And clocks_met.csv: the clock that each array of the edge platforms meets, by node.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.silicon import clocks_mhz
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.resolve import resolve
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import open_experiment

ASSUMED_MHZ = 500.0  # of the edge platforms before it followed from their arrays
NODE, TERNARY = "7nm", "bitnet-b1.58"
ARRAYS = (("FP16", "fp16-edge", "fp16"), ("INT8", "int8-edge", "int8"), ("INT4", "int4-edge", "int4"),
          ("ternary", "ternary-edge", "adders"))  # fmt: skip
RIVALS = {"fp16": "FP16", "int8": "INT8", "w4a8": "INT4"}
SCHEMES = [*RIVALS, TERNARY]
SMALL = {"models": ["llama-3-8b"], "schemes": SCHEMES, "workload.prompt_tokens": 4096, "plots": []}
WATTS = {"static-0.1w": "0.1 W", "static-1w": "1 W"}


def met(name: str, node: str = NODE) -> Mapping[str, float]:
    """Return the clock in MHz that each array of a shipped platform meets, by name.

    Parameters
    ----------
    name
        Of the platform.
    node
        A technology.
    """
    return clocks_mhz(platforms()[name], technologies()[node])


def at_assumed(name: str) -> dict[str, Any]:
    """Return a shipped platform at the assumed clock.

    Parameters
    ----------
    name
        Of the platform.
    """
    return {"name": name, "like": name, "nodes": {NODE: {"clock_mhz": ASSUMED_MHZ}}}


def at_own(name: str) -> dict[str, Any]:
    """Return a shipped platform in which each array has the clock that it meets.

    Parameters
    ----------
    name
        Of the platform.
    """
    clocks = met(name)
    fastest = max(clocks.values())
    arrays = {array: {"achieved_share": clock / fastest} for array, clock in clocks.items() if clock < fastest}
    return {"name": name, "like": name, "arrays": arrays, "nodes": {NODE: {"clock_mhz": fastest}}}


WAYS: dict[str, Callable[[str], Any]] = {"500 MHz": at_assumed, "one clock": str, "own clocks": at_own}


def gains() -> pd.DataFrame:
    """Return the gain over each rival by way, phase and static power."""
    rows = []
    for way, machine in WAYS.items():
        document = open_experiment("headline", SMALL)
        for entry in document.data["platforms"]:
            entry["by_scheme"] = {scheme: machine(entry["by_scheme"][scheme]) for scheme in SCHEMES}
        summary = run(resolve(document)).summary
        energy = summary.set_index(["phase", "platform", "scheme"])["energy_j"].sort_index()
        for phase in ("prefill", "decode"):
            for platform, watts in WATTS.items():
                joules = energy.loc[phase, platform]
                for scheme, rival in RIVALS.items():
                    rows.append((f"{phase}, {watts}", rival, way, joules[scheme] / joules[TERNARY]))
    table = pd.DataFrame(rows, columns=["case", "rival", "clock", "gain"])
    return table.sort_values("rival", key=lambda rival: rival.map([*RIVALS.values()].index), kind="stable")


def clocks() -> pd.DataFrame:
    """Return the clock in MHz that each array of the edge platforms meets, by node."""
    rows = [(node, kind, met(name, node)[array]) for node in ("45nm", NODE) for kind, name, array in ARRAYS]
    return pd.DataFrame(rows, columns=["node", "array", "clock_mhz"])


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, table in (("clocks", gains()), ("clocks_met", clocks())):
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n")
