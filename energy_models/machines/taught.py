"""Platforms of cards of which no row was given: their data sheets, and what the fitted cards taught.

What a card reaches (shares of peaks, fixed times, how well loading and unpacking overlap) is taken over. Rates of
unpacking scale with SMs times clock. Watts beyond the idle ones scale with SMs times clock, too; they and the energies
of MACs and unpacked weights with the energy of the process, energies of a bit with that of the memory.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.system.platform.platforms import Platform

CARDS_FILE = DATA / "measured_cards.csv"
COLUMNS = (
    "platform", "description", "taught_by", "sms", "clock_mhz", "boost_mhz", "tensor_tflops", "narrow_tflops",
    "bandwidth_gb_per_s", "capacity_gib", "l2_mib", "limit_w", "idle_w", "energy_scale", "bit_scale", "link", "cards",
    "source", "where",
)  # fmt: skip
COLUMNS_OF_ARRAY = 128
SM_MHZ = {"h100": 132 * 1980.0, "rtx-4090": 128 * 2520.0}  # of the cards that teach, at their boost clocks
WRITTEN_BY = "# Written by: python benchmarks/cards.py, from measured_cards.csv and the fitted platform that taught it"
DIGITS = 6


@cache
def card_rows() -> dict[str, Mapping[str, str]]:
    """Return the rows of measured_cards.csv by platform."""
    return {cells["platform"]: cells for _, cells in read_facts(CARDS_FILE, COLUMNS)}


def taught(cells: Mapping[str, str], teacher: Platform) -> dict[str, Any]:
    """Return the platform of a card as it stands in a file.

    Parameters
    ----------
    cells
        Its row of measured_cards.csv.
    teacher
        The fitted platform that `taught_by` names.
    """

    def number(column: str) -> float:
        return float(cells[column])

    size = number("sms") * number("boost_mhz") / SM_MHZ[cells["taught_by"]]
    energy = number("energy_scale")
    board = price_of(teacher.static.board or 0.0).nominal_pj if teacher.static else 0.0
    static_w = number("idle_w") + (board - teacher.meter.idle_w) * size * energy
    off_chip, overheads = teacher.off_chip, teacher.overheads
    if overheads is None or teacher.power_limit is None:
        raise ValueError(f"platform {cells['taught_by']} has no overheads or no power limit to take over")
    arrays = {}
    for name, column in (("tensor", "tensor_tflops"), ("tensor8", "narrow_tflops")):
        array = teacher.arrays[name]
        arrays[name] = {
            "lanes": round(number(column) * 1e6 / 2 / number("clock_mhz") / number("sms") / COLUMNS_OF_ARRAY),
            "columns": COLUMNS_OF_ARRAY,
            "copies": int(cells["sms"]),
            "macs": [
                {
                    "weights": list(m.weights),
                    "activations": list(m.activations),
                    "energy_pj": _rounded(m.energy_pj, energy),
                }
                for m in array.macs
            ],
            "weight_registers": {"weights": 1, "load_bits_per_cycle": 100000000},
            "accumulators": {"per": "column", "depth": 1024, "bits": 32},
            "achieved_share": array.achieved_share,
        }
    bit_pj = _rounded(off_chip.read_pj_per_bit, number("bit_scale"))
    given = cells["taught_by"]
    cards = {"cards": {"link": cells["link"], "most": int(cells["cards"])}} if cells["link"] else {}
    where = f"{cells['source']}: {cells['where']}"
    return {
        "description": f"GPU {cells['description']}, from its data sheet and what {given} taught",
        "arrays": arrays,
        "vector": {"lanes": int(number("sms") * 128)},
        "buffers": {"l2": {"holds": ["activations"], "size_bytes": int(number("l2_mib") * 2**20), "width_bits": 65536,
                           "read_pj": 0.0, "write_pj": 0.0}},
        "off_chip": {"read_pj_per_bit": bit_pj, "write_pj_per_bit": bit_pj, "achieved_share": off_chip.achieved_share,
                     "bandwidth_gb_per_s": number("bandwidth_gb_per_s"),
                     "capacity_bytes": int(number("capacity_gib") * 2**30)},
        "nodes": {node: {"clock_mhz": number("clock_mhz")} for node in ("45nm", "7nm")},
        "static": {"board": _rounded(static_w)},
        "overheads": {
            "step_us": overheads.step_us, "request_us": overheads.request_us, "matmul_us": overheads.matmul_us,
            "unpack_overlap": overheads.unpack_overlap,
            "unpack_weights_per_s": {key: _rounded(rate, size) for key, rate in overheads.unpack_weights_per_s.items()},
            "unpack_pj_per_weight": {key: _rounded(pj, energy) for key, pj in overheads.unpack_pj_per_weight.items()},
        },
        "meter": {"scope": "board", "idle": "gross", "idle_w": number("idle_w")},
        **cards,
        "power_limit": {"watts": number("limit_w"), "least_volts": teacher.power_limit.least_volts},
        "attention": teacher.attention,
        "sources": {
            "arrays": where,
            "vector.lanes": "assumption: 128 an SM",
            "buffers": "size as for arrays; the width is an assumption, accesses are in the price of a bit",
            "off_chip": f"data sheet as for arrays; share reached: that of {given}; price: that of {given}, scaled",
            "nodes": "as for arrays; prices of 7 nm for the vector unit, assumption",
            "static.board": f"assumption: watts of {given} beyond its idle ones, by SMs, clock, process; with idle_w",
            "overheads": f"assumption: times of {given}; its rates of unpacking by SMs and clock, energies by process",
            "meter": "as for arrays",
            **({"cards": "as for arrays"} if cards else {}),
            "power_limit": f"watts as for arrays; lowest voltage as {given}",
        },
        "references": cells["source"],
    }  # fmt: skip


def _rounded(value: float | None, scale: float = 1.0) -> float:
    return float(f"{(value or 0.0) * scale:.{DIGITS}g}")
