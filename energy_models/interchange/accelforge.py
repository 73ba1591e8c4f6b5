"""AccelForge's architectures: `arch.nodes`, a list from the outermost memory to the multiply-accumulate unit.

Format as in accelforge 1.0: sizes in bits, energies in joules of a bit (of an operation for a compute unit), throughput
in bits (operations) a second, all of them numbers or arithmetic in Python's syntax.
"""

import math
import re
from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.interchange.levels import OPERANDS, Hardware, Level
from bitjoule.energy_models.interchange.values import child, error, number

PJ = 1e12
NAMES = {"weight": "weights", "input": "inputs", "output": "outputs"}
ALL = frozenset(OPERANDS)
NODES: KeyPath = ("arch", "nodes")
LANES, COLUMNS = {"output"}, {"input"}  # what the PEs of a row of additions, and of a row of outputs, have in common


def is_accelforge(document: Document) -> bool:
    """Return whether a document is an architecture of AccelForge.

    Parameters
    ----------
    document
        Any YAML.
    """
    arch = document.data.get("arch") if isinstance(document.data, dict) else None
    return isinstance(arch, dict) and "nodes" in arch


def read_accelforge(document: Document, operand_bits: int = 8) -> Hardware:
    """Read an architecture.

    Parameters
    ----------
    document
        The architecture, a template rendered.
    operand_bits
        Of an input and of a weight, which AccelForge keeps in its workload.

    Raises
    ------
    InputError
        A key is missing or wrong, or the nodes are not one array of PEs under memories.
    """
    nodes = child(document, NODES, list, child(document, ("arch",), dict, document.data))
    reader = _Nodes(document, operand_bits)
    for i, node in enumerate(nodes):
        reader.node((*NODES, i), node)
    if reader.mac is None:
        raise error(document, NODES, "no node computes on three operands", "a node with an action named compute")
    if not reader.levels or reader.levels[0].inside:
        raise error(document, NODES, "no memory around the PEs", "memories first, the outermost at the beginning")
    clock = reader.clock_mhz
    levels = tuple(_in_cycles(level, clock) for level in reader.levels)
    return Hardware(
        "AccelForge", document.file.rsplit("/", 1)[-1].rsplit(".", 1)[0], reader.lanes, reader.columns, reader.mac,
        operand_bits, levels, clock, mac_leakage_w=reader.mac_leakage_w, left_out=tuple(reader.left_out),
    )  # fmt: skip


def _in_cycles(level: Level, clock_mhz: float | None) -> Level:
    """Return a level whose bits a second are bits a cycle."""
    hz = (clock_mhz or math.nan) * 1e6
    bits = [None if b is None else (b if math.isinf(b) else b / hz) for b in (level.read_bits, level.write_bits)]
    return Level(
        level.name, level.holds, level.size_bits, level.inside, level.shared_by_lanes, level.read_pj_per_bit,
        level.write_pj_per_bit, bits[0], bits[1], level.leakage_w,
    )  # fmt: skip


class _Nodes:
    """Walks the nodes from the outermost inwards."""

    def __init__(self, document: Document, operand_bits: int) -> None:
        self.document = document
        self.names = {"weight": 1.0, "input": 1.0, "output": 1.0} | {
            f"{name}.bits_per_value": float(operand_bits) for name in NAMES
        }
        self.lanes = self.columns = self.copies = 1  # copies: of whole arrays, side by side
        self.levels: list[Level] = []
        self.kept: dict[str, frozenset[str]] = {}
        self.mac: float | None = None
        self.mac_leakage_w = 0.0
        self.clock_mhz: float | None = None
        self.left_out: list[str] = []

    def node(self, at: KeyPath, node: Any) -> None:
        if not isinstance(node, dict) or "name" not in node:
            raise error(self.document, at, f"got {brief(node)}", "a node with a name; nodes within nodes are not read")
        name = str(node["name"])
        self.fan_out(at, node, name)
        actions = child(self.document, (*at, "actions"), list, node, default=[])
        if any(isinstance(action, dict) and action.get("name") == "compute" for action in actions):
            self.compute(at, node, name, actions)
        elif "tensors" in node or "size" in node:
            self.memory(at, node, name, actions)
        for key in set(node) & {"total_latency", "component_class", "enabled"}:
            if key != "component_class" or node[key] != "Dummy":
                self.left_out.append(f"{name}: {key} ({brief(node[key], 80)})")

    def fan_out(self, at: KeyPath, node: dict[str, Any], name: str) -> None:
        for i, dimension in enumerate(child(self.document, (*at, "spatial"), list, node, default=[])):
            place = (*at, "spatial", i)
            fanout = int(self.number((*place, "fanout"), dimension.get("fanout", "missing")))
            reuse = set(re.findall(r"\w+", str(dimension.get("reuse", dimension.get("may_reuse", ""))))) & set(NAMES)
            if reuse == LANES:
                self.lanes *= fanout
            elif reuse == COLUMNS:
                self.columns *= fanout
            elif fanout > 1 and not any(level.inside for level in self.levels) and not reuse:
                self.columns *= fanout
                self.copies *= fanout
                self.left_out.append(f"{name}: {fanout} copies that share nothing; counted as columns")
            elif fanout > 1:
                wrong = f"{fanout} copies that share {' and '.join(sorted(reuse))}"
                raise error(self.document, place, wrong, "copies that share the input (columns) or the output (lanes)")

    def compute(self, at: KeyPath, node: dict[str, Any], name: str, actions: list[Any]) -> None:
        enabled = str(node.get("enabled", "")).replace(" ", "")
        if self.mac is not None or (enabled and "==3" not in enabled):
            self.left_out.append(f"{name}: a second unit that computes")
            return
        i, action = next((i, a) for i, a in enumerate(actions) if a.get("name") == "compute")
        place = (*at, "actions", i)
        self.mac = self.number((*place, "energy"), action.get("energy", 0)) * PJ
        speed = self.number((*place, "throughput"), action.get("throughput", math.inf))
        self.mac_leakage_w = self.number((*at, "leak_power"), node.get("leak_power", 0)) * self.lanes * self.columns
        if 1e3 <= speed < math.inf:
            self.clock_mhz = speed / 1e6
        else:
            self.left_out.append(f"{name}: throughput {brief(action.get('throughput', 'missing'))} is no clock")

    def memory(self, at: KeyPath, node: dict[str, Any], name: str, actions: list[Any]) -> None:
        tensors = child(self.document, (*at, "tensors"), dict, node, default={})
        keep = self.tensors((*at, "tensors", "keep"), str(tensors.get("keep", "Nothing")))
        may = self.tensors((*at, "tensors", "may_keep"), str(tensors.get("may_keep", "Nothing")))
        self.kept[name] = keep
        if may - keep:
            self.left_out.append(f"{name}: may keep {', '.join(sorted(may - keep))} or not; it always does here")
        by_name = {a.get("name"): (i, a) for i, a in enumerate(actions) if isinstance(a, dict)}
        energy: dict[str, float | None] = {}
        speed: dict[str, float | None] = {}
        for action in ("read", "write"):
            i, given = by_name.get(action, (0, {}))
            place = (*at, "actions", i)
            written = given.get("energy", 0 if node.get("component_class") == "Dummy" else None)
            bits = self.number((*place, "bits_per_action"), given.get("bits_per_action", 1))
            energy[action] = None if written is None else self.number((*place, "energy"), written) * PJ / bits
            reached = given.get("throughput")
            speed[action] = math.inf if reached is None else self.number((*place, "throughput"), reached) * bits
        inside = self.lanes * self.columns > self.copies
        copies = self.lanes * self.columns if inside else self.copies
        within = 1 if inside else self.copies  # those of several arrays count as one memory
        self.levels.append(
            Level(
                name,
                keep | may,
                self.number((*at, "size"), node.get("size", math.inf)) * within,
                inside,
                False,
                energy["read"],
                energy["write"],
                None if speed["read"] is None else speed["read"] * within,
                None if speed["write"] is None else speed["write"] * within,
                self.number((*at, "leak_power"), node.get("leak_power", 0)) * copies,
            )
        )

    def number(self, at: KeyPath, value: Any) -> float:
        return number(self.document, at, value, self.names)

    def tensors(self, at: KeyPath, text: str) -> frozenset[str]:
        """Return the operands of a set expression: names, ``All``, ``Nothing``, memories, ``~``, ``|``, ``&``."""
        known = {name: frozenset({operand}) for name, operand in NAMES.items()}
        known |= {"All": ALL, "Nothing": frozenset(), "Intermediates": frozenset()}
        known |= self.kept | {f"{name}.tensors": kept for name, kept in self.kept.items()}
        result: frozenset[str] = frozenset()
        for i, union in enumerate(text.split("|")):
            part = ALL
            for factor in union.split("&"):
                word = factor.strip().strip("()").strip()
                negated, word = word.startswith("~"), word.lstrip("~").strip()
                if word not in known:
                    expected = f"sets of {', '.join(known)} with ~, | and &"
                    raise error(self.document, at, f"got {brief(text)}", expected)
                part &= ALL - known[word] if negated else known[word]
            result = result | part if i else part
        return result
