"""Other names for the same design: what a tool makes of it should not depend on them, but does.

Yosys and ABC go through cells and nets in an order that follows their names, and take the first of several equally
good ways. So areas and energies of netlists that differ in names alone lie some percent apart: what is within that
spread is no difference between designs.
"""

import random
from typing import Any


def rename(module: dict[str, Any], seed: int) -> None:
    """Give all cells and nets of a module that only tools named other names, in another order, in place.

    Parameters
    ----------
    module : dict
        A module of Yosys's JSON. The names that its source gives, those of registers among them, stay.
    seed : int
        Other names for each; 0 leaves those that there are.
    """
    if not seed:
        return
    shuffled = random.Random(seed)  # noqa: S311
    for kind in ("cells", "netnames"):
        items = list(module[kind].items())
        shuffled.shuffle(items)
        own = (f"${kind}{number}" for number in shuffled.sample(range(10 * len(items) + 1), len(items)))
        module[kind] = {
            name if not name.startswith("$") else new: item for (name, item), new in zip(items, own, strict=True)
        }
    _renumber(module, shuffled)


def _renumber(module: dict[str, Any], shuffled: random.Random) -> None:
    """Give nets other numbers: Yosys derives names from them where a net has none."""
    bits = {bit for net in module["netnames"].values() for bit in net["bits"]}
    bits |= {bit for cell in module["cells"].values() for port in cell["connections"].values() for bit in port}
    bits |= {bit for port in module["ports"].values() for bit in port["bits"]}
    old = sorted(bit for bit in bits if isinstance(bit, int))
    new = old.copy()
    shuffled.shuffle(new)
    number: dict[int | str, int] = dict(zip(old, new, strict=True))
    for net in (*module["netnames"].values(), *module["ports"].values()):
        net["bits"] = [number.get(bit, bit) for bit in net["bits"]]
    for cell in module["cells"].values():
        cell["connections"] = {
            port: [number.get(bit, bit) for bit in connected] for port, connected in cell["connections"].items()
        }
