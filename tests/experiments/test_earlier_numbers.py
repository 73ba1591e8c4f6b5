"""With every new key at its old value, earlier numbers come out as before.

The tables in ``earlier`` are those of commit c91180c. `OLD` undoes what became the default after it: whoever changes a
default, of the code or of a shipped file, adds the key with its old value here, and no table changes.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.inputs.documents import Document
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.resolve import resolve
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import open_experiment, overridden

EARLIER = Path(__file__).with_name("earlier")
LEAKAGE = {
    name: {
        f"nodes.{node}.leakage_w": dict(zip(("low", "nominal", "high"), ends, strict=True))
        for node, ends in (("45nm", at_45), ("7nm", at_7))
    }
    for name, at_45, at_7 in (
        ("edge", (0.042, 0.0841, 0.841), (0.000155, 0.000311, 0.00311)),
        ("int8-edge-peak", (0.0448, 0.0895, 0.895), (0.000163, 0.000326, 0.00326)),
        ("fp16-edge-peak", (0.0701, 0.1401, 1.401), (0.000232, 0.000464, 0.00464)),
        ("fp16-hbm", (1.79, 3.57, 35.7), (0.0062, 0.0124, 0.124)),
        ("ternary-hbm", (1.83, 3.66, 36.6), (0.0063, 0.0126, 0.126)),
    )
}
WIDE = {"fp16": ["fp16"], "int8": ["int8", "fp16"], "int4": ["int4", "fp16"], "ternary": ["adders", "float"]}
CLOCKS = {
    "edge": {"nodes.45nm.clock_mhz": 500.0, "nodes.7nm.clock_mhz": 500.0},
    **{
        f"{name}-hbm": {
            "nodes.45nm.clock_mhz": 500.0,
            "nodes.7nm.clock_mhz": 1000.0,
            "buffers.shared.width_bits": 16384,
            **{f"arrays.{array}.weight_registers.load_bits_per_cycle": 16384.0 for array in arrays},
        }
        for name, arrays in WIDE.items()
    },
}
# By section, entry ("*" for all) and dotted key below the entry; an experiment's keys are at its root.
OLD: dict[str, dict[str, dict[str, Any]]] = {
    "experiment": {"*": {"experts": "bound"}},
    "platforms": {
        "*": {
            "attention": "separate",
            "accumulate": "paper",
            "elementwise": "operations",
            "skips_masked_pairs": False,
            "nodes.7nm.accumulators": None,
            "nodes.7nm.weight_registers": None,
            "static": None,
            "regulator": None,
            "nodes.45nm.wire_pj_per_bit_mm": 0.0,
            "nodes.7nm.wire_pj_per_bit_mm": 0.0,
        },
        "ternary-edge": LEAKAGE["edge"] | CLOCKS["edge"],
        "int8-edge": LEAKAGE["edge"] | CLOCKS["edge"] | {"arrays.int8.lanes": 13, "arrays.int8.columns": 16},
        "fp16-edge": LEAKAGE["edge"] | CLOCKS["edge"] | {"arrays.fp16.lanes": 4, "arrays.fp16.columns": 12},
        "int8-edge-peak": LEAKAGE["int8-edge-peak"] | CLOCKS["edge"],
        "fp16-edge-peak": LEAKAGE["fp16-edge-peak"] | CLOCKS["edge"],
        "fp16-hbm": LEAKAGE["fp16-hbm"] | CLOCKS["fp16-hbm"],
        "ternary-hbm": LEAKAGE["ternary-hbm"] | CLOCKS["ternary-hbm"],
    },
    "schemes": {"*": {}},
}
# What keeps a run short: the smallest and the largest size, and one between. The schemes are those of the tables.
FORMATS = ["fp16", "int8", "bitnet", "bitnet-b1.58"]
ATTENTION = [f"bitnet-b1.58-{variant}" for variant in ("kv8", "int8-attention", "binary-attention")]
RUNS = {
    "full_model_vs_size": {"models": ["bitnet-125m", "bitnet-6.7b", "bitnet-70b"], "schemes": FORMATS},
    "context_sweep": {"workload.prompt_tokens": [128, 4096, 131072], "schemes": ["fp16", "bitnet-b1.58", *ATTENTION]},
    "batch_sweep": {"workload.batch": [1, 8, 256], "schemes": ["fp16", "w4a16", "bitnet-b1.58", "bitnet-b1.58-kv4"]},
    "full_model_components": {"schemes": FORMATS},
}
LONG = "full_model_components"  # whose long table is compared too, of two schemes
LONG_COLUMNS = ["scheme", "phase", "component", "operand", "action", "format", "energy_pj", "energy_low_pj",
                "energy_high_pj", "price"]  # fmt: skip
SUM_ERROR = 1e-12  # of bands, which are sums in the order of the columns, and these may grow


def with_old(section: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with its old values."""
    return with_keys(data, {**OLD[section].get("*", {}), **OLD[section].get(name, {})})


def with_keys(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with the values of some dotted keys."""
    texts = [f"{key}={json.dumps(value)}" for key, value in changes.items()]  # a text sets a mapping as a whole
    return overridden(Document("entry", data, {(): 1}), texts).data


def written_out(name: str) -> dict[str, Any]:
    """Return a shipped experiment in which every scheme and platform is written out with its old values."""
    data = open_experiment(name, {**RUNS[name], "plots": []}).data
    shipped = {"platforms": platforms(), "schemes": schemes()}

    def entry(section: str, of_name: str) -> dict[str, Any]:
        whole = shipped[section][of_name].model_dump(mode="json", exclude_none=True)
        if "sources" in whole:
            whole["sources"] = {}  # of keys that the old values take away
        return {"name": of_name, **with_old(section, of_name, whole)}

    data["schemes"] = [entry("schemes", scheme) for scheme in data["schemes"]]
    for machines in data["platforms"]:
        by_scheme = machines["by_scheme"]
        machines["by_scheme"] = {scheme: entry("platforms", by_scheme[scheme]) for scheme in RUNS[name]["schemes"]}
    return with_old("experiment", name, data)


def tables(name: str) -> dict[str, pd.DataFrame]:
    """Return the tables of a run."""
    result = run(resolve(Document(name, written_out(name), {(): 1})))
    found = {"summary": result.summary, "bands": result.bands}
    if name == LONG:
        results = result.results
        found["results"] = results.loc[results["scheme"].isin(["fp16", "bitnet-b1.58"]), LONG_COLUMNS]
    return found


@pytest.mark.parametrize("name", RUNS)
def test_earlier_numbers_come_out_as_before(name, tmp_path):
    for table, frame in tables(name).items():
        frame.to_csv(tmp_path / "now.csv", index=False)
        text = None if table == "bands" else str  # as text, to the last digit
        now, before = (
            pd.read_csv(path, dtype=text) for path in (tmp_path / "now.csv", EARLIER / f"{name}_{table}.csv")
        )
        pd.testing.assert_frame_equal(now[before.columns], before, rtol=SUM_ERROR, atol=0)


SMALL = {  # what keeps a run of today's platforms short
    "headline": {"models": ["llama-3-8b"], "workload.prompt_tokens": 4096},
    "headline_server": {"workload.prompt_tokens": 4096},
}


def derived(name: str) -> dict[str, Any]:
    """Return a platform that derives from a shipped one by `like`, with clock, widths and element-wise work of then."""
    kind, where = name.split("-")[:2]
    clock = CLOCKS[where if where == "edge" else f"{kind}-{where}"]
    return with_keys({"name": name, "like": name}, {**clock, "elementwise": "operations"})


@pytest.mark.parametrize("name", SMALL)
def test_with_the_clocks_that_were_assumed_the_headline_is_that_of_before(name, tmp_path):
    """The tables are of commit 9070df3; after it clocks of edge and server platforms, and units, came."""
    data = open_experiment(name, {**SMALL[name], "plots": []}).data
    for machines in data["platforms"]:
        machines["by_scheme"] = {scheme: derived(of_name) for scheme, of_name in machines["by_scheme"].items()}
    run(resolve(Document(name, data, {(): 1}))).summary.to_csv(tmp_path / "now.csv", index=False)
    now, before = (
        pd.read_csv(path, dtype=str) for path in (tmp_path / "now.csv", EARLIER / f"{name}_clocks_summary.csv")
    )
    pd.testing.assert_frame_equal(now[before.columns], before)
