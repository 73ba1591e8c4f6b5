"""A measured technology made up by hand, as a file."""

from pathlib import Path

import yaml

TERMS = {"nonzero_pj": 0.4, "zero_pj": 0.1, "load_pj": 0.2, "column_pj": 1.6, "lane_pj": 3.2, "cycle_pj": 6.4}
OPERATIONS = {
    ("add", "int8"): 0.06, ("mul", "int8"): 0.5, ("add", "int16"): 0.12, ("add", "int32"): 0.25, ("mul", "int32"): 6.0,
    ("add", "fp16"): 0.9, ("mul", "fp16"): 1.0, ("add", "fp32"): 2.0, ("mul", "fp32"): 4.5, ("add", "bf16"): 0.7,
    ("mul", "bf16"): 0.6,
}  # fmt: skip
ZERO_SHARE = 0.25
LANES, COLUMNS = 16, 4
MACS = {("ternary", "int8", "int32"): 1.0, ("binary", "int8", "int32"): 0.75, ("int8", "int8", "int32"): 2.0,
        ("fp16", "fp16", "fp32"): 6.0, ("fp16", "fp16", "fp16"): 5.0}  # fmt: skip


def band(nominal: float) -> dict[str, float]:
    """Return a band from half to twice."""
    return {"low": nominal / 2, "nominal": nominal, "high": nominal * 2}


def mac_pj(weights: str, activations: str, accumulation: str) -> float:
    """Return what a MAC of the measured array takes when its weight stays."""
    zeros = ZERO_SHARE if weights == "ternary" else 0.0
    of_mac = (1 - zeros) * TERMS["nonzero_pj"] + zeros * TERMS["zero_pj"]
    shared = TERMS["column_pj"] / LANES + TERMS["lane_pj"] / COLUMNS + TERMS["cycle_pj"] / (LANES * COLUMNS)
    return MACS[weights, activations, accumulation] * (of_mac + shared)


def write_technology(path: Path, node_nm: float = 45.0, scale: float = 1.0) -> Path:
    """Write the technology, every price times `scale`, and return its file."""
    macs = [
        {
            "weights": weights, "activations": activations, "accumulation": accumulation,
            **{name: band(value * factor * scale) for name, value in TERMS.items()},
            "lanes": LANES, "columns": COLUMNS, "area_um2": 50.0, "leakage_nw": 900.0, "period_ns": 1.5,
            "worst_fit": 0.01,
        }
        for (weights, activations, accumulation), factor in MACS.items()
    ]  # fmt: skip
    whole = {
        "description": "made up", "node_nm": node_nm, "zero_share": ZERO_SHARE, "zero_share_source": "made up",
        "measured": {
            "command": "bitjoule calibrate", "library": "made_up", "liberty": [{"file": "a.lib", "sha256": "00"}],
            "voltage_v": 1.1, "stimulus": "uniform", "wires": "none", "missing": "everything", "versions": {},
        },
        "operations": [
            {"operation": operation, "format": name, "energy_pj": band(value * scale), "area_um2": 1.0,
             "leakage_nw": 1.0}
            for (operation, name), value in OPERATIONS.items()
        ],
        "macs": macs, "lanes": LANES, "columns": COLUMNS,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(whole))
    return path
