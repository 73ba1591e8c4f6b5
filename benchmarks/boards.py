"""Two machines that were measured, part by part: a Kria KV260 board, and an H100.

Run: ``python benchmarks/boards.py [FILE]`` (seconds), then ``make docs-numbers``. Writes boards.csv, which
docs/platforms.md and docs/assumptions.md quote: for each machine the joules per generated token that the accounting
gives, those that idle watts at the measured speed add, the measured ones, and what is missing.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.experiments.energy.resolve import resolve
from bitjoule.experiments.energy.result import Result
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import open_experiment

COLUMNS = (
    "machine", "model", "format", "batch", "prompt_tokens", "tokens_per_s", "energy_per_token_j", "idle_w", "metered",
    "source", "where", "note",
)  # fmt: skip
BOARD, GPU = "Kria KV260 with bitnet-kv260", "H100 SXM"
PROMPT_TOKENS, NEW_TOKENS = 512, 389  # of the GPU: the prompt is an assumption, not printed; new tokens are the mean
Rows = dict[str, float]


def measured(machine: str) -> dict[str, float]:
    """Return the numbers of a row of measured_boards.csv."""
    cells = next(cells for _, cells in read_facts(DATA / "measured_boards.csv", COLUMNS) if cells["machine"] == machine)
    return {key: float(cells[key]) for key in ("tokens_per_s", "energy_per_token_j", "idle_w")}


def board() -> Rows:
    """Return the joules per token of the board; the technology is that of 7 nm."""
    of_7_nm = {"technologies": ["7nm"], "plots": []}
    result, meter = run(resolve(open_experiment("kv260_bitnet", of_7_nm))), measured(BOARD)
    decode = result.summary.query("phase == 'decode'").iloc[0]
    new_tokens = int(decode["new_tokens"])
    static = result.results.query("phase == 'decode' and component == 'static'")["energy_pj"].sum() * 1e-12 / new_tokens
    shape = presets()["bitnet-b1.58-2b-4t"]
    linear = shape.layers * sum(matrix.in_features * matrix.out_features for matrix in shape.linears)
    macs = linear + shape.vocabulary * shape.hidden
    ours, above = decode["energy_per_token_j"], decode["energy_per_token_j"] - static
    above_meter = meter["energy_per_token_j"] - meter["idle_w"] / meter["tokens_per_s"]
    missing = above_meter - above
    return {
        "ours": ours,
        "ours, high end": decode["energy_high_j"] / new_tokens,
        "measured": meter["energy_per_token_j"],
        "ours over measured": ours / meter["energy_per_token_j"],
        "ours above idle": above,
        "measured above idle": above_meter,
        "above idle, ours over measured": above / above_meter,
        "missing": missing,
        "missing, W": missing * meter["tokens_per_s"],
        "missing, pJ per MAC": missing / macs * 1e12,
        "tokens per s": decode["tokens_per_s"],
    }


def gpu() -> Rows:
    """Return the joules per generated token of FP16 at a batch of 8, and what the GPU takes more."""
    meter = measured(GPU)

    def machine(memory: str) -> dict[str, Any]:
        whole = platforms()["fp16-hbm"].model_dump(mode="json", exclude_none=True)
        whole["off_chip"]["memory"] = memory
        left_out = ("static", "regulator", "sources")  # idle watts are added below
        return {"name": memory, **{key: value for key, value in whole.items() if key not in left_out}}

    data = {
        "name": "gpu", "accounting": "system", "models": ["llama-3-8b"], "schemes": ["fp16"], "technologies": ["7nm"],
        "platforms": [machine("hbm2"), machine("a100-hbm")],
        "workload": {"prompt_tokens": PROMPT_TOKENS, "new_tokens": NEW_TOKENS, "batch": 8},
    }  # fmt: skip
    result: Result = run(resolve(open_experiment(data)))
    energy = result.summary.set_index(["platform", "phase"])["energy_j"] / (8 * NEW_TOKENS)
    decode, prefill = energy["hbm2", "decode"], energy["hbm2", "prefill"]
    memory = energy["a100-hbm", "decode"] + energy["a100-hbm", "prefill"] - decode - prefill
    idle = meter["idle_w"] / meter["tokens_per_s"]
    missing = meter["energy_per_token_j"] - decode - prefill - memory - idle
    return {
        "ours": decode,
        "prefill": prefill,
        "memory at the price measured on a GPU": memory,
        "idle": idle,
        "measured": meter["energy_per_token_j"],
        "missing": missing,
        "missing, W": missing * meter["tokens_per_s"],
        "missing, share": missing / meter["energy_per_token_j"],
    }


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".csv")
    found = [(name, part, value) for name, rows in (("board", board()), ("gpu", gpu())) for part, value in rows.items()]
    pd.DataFrame(found, columns=["machine", "part", "value"]).to_csv(target, index=False, lineterminator="\n")
