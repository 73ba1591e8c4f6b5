"""Netlists in the cache: synthesising one takes seconds to minutes, and always gives the same."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from bitjoule.gates.code_fingerprint import code_fingerprint
from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import fingerprints
from bitjoule.gates.netlist import Instance, Netlist
from bitjoule.gates.synthesis.flow import Goals, map_design
from bitjoule.gates.synthesis.yosys import Options
from bitjoule.sim.accelerator.build_cache import cached, content_hash

_FILE = "netlist.json"
_FLOW = "bitjoule.gates.synthesis.flow"


def stored_netlist(
    verilog: str, top: str, clock: str | None, library: Library, options: Options, goals: Goals
) -> Netlist:
    """Return a design's netlist, from the cache if it was made before from the same things by the same code.

    Parameters
    ----------
    verilog
        The design.
    top, clock
        Its top module and its clock's port; none for a combinational design.
    library
        The cells.
    options, goals
        How to synthesise.

    Raises
    ------
    RuntimeError
        Yosys failed.
    ValueError
        Something could not be mapped.
    """
    settings = json.dumps([top, clock, asdict(options), asdict(goals)])
    key = content_hash(
        verilog, settings, *fingerprints(library).values(), code_fingerprint("bitjoule.gates.synthesis.flow")
    )

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            source = Path(scratch) / "design.v"
            source.write_text(verilog, encoding="utf-8")
            mapped = map_design(source, top, clock, library, Path(scratch), options, goals)
        write_netlist(mapped.netlist, folder / _FILE)

    return read_stored(cached(f"netlist-{key}", build) / _FILE, library)


def write_netlist(netlist: Netlist, path: Path) -> None:
    """Write a netlist as JSON.

    Parameters
    ----------
    netlist
        The netlist.
    path
        The file.
    """
    instances = [[instance.name, instance.cell.name, instance.nets] for instance in netlist.instances]
    names = {str(net): name for net, name in netlist.net_names.items()}
    document = {
        "top": netlist.top, "inputs": netlist.inputs, "outputs": netlist.outputs, "instances": instances, "names": names
    }  # fmt: skip
    path.write_text(json.dumps(document), encoding="utf-8")


def read_stored(path: Path, library: Library) -> Netlist:
    """Return the netlist of a file of `write_netlist`.

    Parameters
    ----------
    path
        The file.
    library
        Where its cells are.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    instances = [Instance(name, library.cells[cell], nets) for name, cell, nets in document["instances"]]
    names = {int(net): name for net, name in document["names"].items()}
    return Netlist(document["top"], document["inputs"], document["outputs"], instances, names)
