"""ZigZag's accelerators: `memories` with ports around an `operational_array`.

Format as in zigzag-dse 3.9: sizes and bandwidths in bits, costs in pJ of an access of the port's largest bandwidth.
"""

from typing import Any

from bitjoule.energy_models.inputs.documents import Document, KeyPath, dotted
from bitjoule.energy_models.inputs.errors import brief
from bitjoule.energy_models.interchange.levels import Hardware, Level
from bitjoule.energy_models.interchange.platform import INTEGER
from bitjoule.energy_models.interchange.values import child, error, number

LINKS = {"I1": "inputs", "I2": "weights", "O": "outputs"}  # of ZigZag's own mappings
ROLES = {"I": "inputs", "W": "weights", "O": "outputs"}
OUTPUT_DIMENSION, TERM_DIMENSIONS = "K", frozenset({"C", "FX", "FY"})
ARRAY = "operational_array"


def is_zigzag(document: Document) -> bool:
    """Return whether a document is an accelerator of ZigZag.

    Parameters
    ----------
    document
        Any YAML.
    """
    return isinstance(document.data, dict) and {ARRAY, "memories"} <= set(document.data)


def read_zigzag(document: Document, mapping: Document | None = None) -> Hardware:
    """Read an accelerator.

    Parameters
    ----------
    document
        The accelerator.
    mapping
        ZigZag's mapping, which says what the dimensions of the array are and which operand is which.

    Raises
    ------
    InputError
        A key is missing or wrong, the array computes in memory or has more than two dimensions.
    """
    array = child(document, (ARRAY,), dict, document.data)
    if array.get("is_imc") or "imc_type" in array:
        raise error(
            document, (ARRAY,), "computes in memory", "an array of multipliers; platforms have no analogue MACs"
        )
    names = [str(name) for name in child(document, (ARRAY, "dimensions"), list, array)]
    sizes = [
        int(number(document, (ARRAY, "sizes", i), size))
        for i, size in enumerate(child(document, (ARRAY, "sizes"), list, array))
    ]
    if len(names) != len(sizes) or not names:
        raise error(document, (ARRAY, "sizes"), f"{len(sizes)} sizes of {len(names)} dimensions", "one for each")
    left_out = [f"{dotted(path)}: written twice; the last counts, as in ZigZag" for path in document.repeated]
    links, spatial = LINKS, dict[str, str]()
    if mapping is not None:
        links, spatial = _mapped(mapping, left_out)
    memories = child(document, ("memories",), dict, document.data)
    levels = [_level(document, name, links, set(names), left_out) for name in memories]
    lanes, columns = _shape(document, dict(zip(names, sizes, strict=True)), spatial, memories, levels, left_out)
    if levels[-1].inside:
        raise error(document, ("memories",), f"{levels[-1].name}, the last, does not serve the whole array",
                    "the outermost memory last, with all dimensions in served_dimensions")  # fmt: skip
    systolic = [
        name for name in child(document, (ARRAY, "systolic_dimensions"), list, array, default=[]) if name in names
    ]
    energy = array.get("unit_energy", array.get("multiplier_energy"))
    bits = _bits(document, array)
    return Hardware(
        "ZigZag",
        str(document.data.get("name") or document.file),
        lanes,
        columns,
        None if energy is None else number(document, (ARRAY, "unit_energy"), energy),
        bits,
        tuple(reversed(levels)),
        pipeline_cycles=sum(sizes[names.index(name)] for name in systolic),
        left_out=tuple(left_out),
    )


def _bits(document: Document, array: dict[str, Any]) -> int:
    """Return the width of an operand: as written, else 8, ZigZag's usual."""
    written = array.get("input_precision")
    if written is None:
        return 8
    found = {int(number(document, (ARRAY, "input_precision", i), bits)) for i, bits in enumerate(written)}
    if len(found) != 1 or not found <= set(INTEGER):
        expected = f"one width for both operands, of {', '.join(map(str, INTEGER))}"
        raise error(document, (ARRAY, "input_precision"), f"got {brief(written)}", expected)
    return found.pop()


def _level(document: Document, name: str, links: dict[str, str], dimensions: set[str], left_out: list[str]) -> Level:
    at: KeyPath = ("memories", name)
    memory = child(document, at, dict, document.data["memories"])
    operands = child(document, (*at, "operands"), list, memory)
    unknown = [operand for operand in operands if operand not in links]
    if unknown:
        raise error(document, (*at, "operands"), f"got {brief(unknown[0])}", f"operands of {', '.join(links)}")
    served = child(document, (*at, "served_dimensions"), list, memory, default=[])
    ports = child(document, (*at, "ports"), list, memory)
    widths = {"read": 0.0, "write": 0.0}
    for i, port in enumerate(ports):
        place = (*at, "ports", i)
        kind = child(document, (*place, "type"), str, port)
        if kind not in ("read", "write", "read_write"):
            raise error(document, (*place, "type"), f"got {brief(kind)}", "one of read, write, read_write")
        for each in widths:
            if each in kind:
                bits = number(document, (*place, "bandwidth_max"), port.get("bandwidth_max", "missing"))
                widths[each] = max(widths[each], bits)
    if not all(widths.values()):
        raise error(document, (*at, "ports"), "none reads, or none writes", "a port of type read, and one of write")
    if len(ports) > 2 + (operands == ["O"]) * 2:
        left_out.append(f"{name}: {len(ports)} ports; all of its traffic shares one read and one write port here")
    costs: list[float | None] = [
        number(document, (*at, key), memory.get(key, "missing")) / widths[each]
        for key, each in (("r_cost", "read"), ("w_cost", "write"))
    ]
    if memory.get("auto_cost_extraction"):
        left_out.append(f"{name}: ZigZag has CACTI compute its energies (auto_cost_extraction)")
        costs = [None, None]
    return Level(
        name,
        frozenset(links[operand] for operand in operands),
        number(document, (*at, "size"), memory.get("size", "missing")),
        inside=not dimensions <= set(served),
        read_pj_per_bit=costs[0],
        write_pj_per_bit=costs[1],
        read_bits=widths["read"],
        write_bits=widths["write"],
    )


def _shape(
    document: Document,
    sizes: dict[str, int],
    spatial: dict[str, str],
    memories: dict[str, Any],
    levels: list[Level],
    left_out: list[str],
) -> tuple[int, int]:
    """Return lanes and columns: by the mapping, else by who shares a memory of outputs, else in the file's order."""
    if spatial:
        roles = {name: spatial.get(name, "") for name in sizes}
    else:
        sharing = {
            str(name)
            for level in levels
            if level.inside and level.holds == {"outputs"}
            for name in memories[level.name].get("served_dimensions") or ()
        }
        order = list(sizes)
        if len(order) > 2:
            wrong = f"{len(order)} dimensions without the mapping that says what they are"
            raise error(document, (ARRAY, "dimensions"), wrong, "ZigZag's mapping beside it: --mapping FILE")
        roles = {name: "C" if name in sharing or (not sharing and name != order[0]) else "K" for name in order}
        if len(order) > 1:
            left_out.append(
                "which dimension is which is written in ZigZag's mapping (--mapping); assumed: "
                + ", ".join(f"{name} {'terms of a sum' if role == 'C' else 'outputs'}" for name, role in roles.items())
            )
    counts = {"lanes": 1, "columns": 1}
    for name, size in sizes.items():
        if roles[name] == OUTPUT_DIMENSION:
            counts["columns"] *= size
        elif roles[name] in TERM_DIMENSIONS:
            counts["lanes"] *= size
        elif size > 1:
            wrong = f"{name} is unrolled over {roles[name] or 'nothing that the mapping names'}"
            expected = "dimensions over outputs (K) and terms of a sum (C, FX, FY): PEs here share no tokens"
            raise error(document, (ARRAY, "dimensions"), wrong, expected)
    return counts["lanes"], counts["columns"]


def _mapped(mapping: Document, left_out: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the operand that each name links to, and the loop that each dimension of the array unrolls."""
    entries = mapping.data if isinstance(mapping.data, list) else []
    index = next(
        (i for i, entry in enumerate(entries) if isinstance(entry, dict) and entry.get("name") == "default"), None
    )
    if index is None:
        raise error(mapping, (), "no entry named default", "a mapping of ZigZag with a default")
    entry = entries[index]
    links = child(mapping, (index, "memory_operand_links"), dict, entry)
    if set(links) != set(ROLES):
        raise error(
            mapping, (index, "memory_operand_links"), f"got {brief(links)}", "an operand for each of O, W and I"
        )
    spatial: dict[str, str] = {}
    for name, loops in child(mapping, (index, "spatial_mapping"), dict, entry, default={}).items():
        parts = [str(loop).split(",")[0].strip() for loop in loops]
        spatial[name] = parts[0] if parts else ""
        if len(parts) > 1:
            left_out.append(f"{name}: unrolls {', '.join(parts)}; counted as {parts[0]} alone")
    if any(isinstance(each, dict) and each.get("temporal_ordering") for each in entries):
        left_out.append("temporal_ordering: mappings are searched here for each matmul")
    return {str(links[role]): ROLES[role] for role in ROLES}, spatial
