"""A board and a GPU that were measured: their joules by hand, and what is missing to the measured ones."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from bitjoule.energy_models.inputs.facts import read_facts
from bitjoule.energy_models.inputs.sources import DATA, keys, sources
from bitjoule.experiments.energy.resolve import resolve
from bitjoule.experiments.energy.runner import run
from bitjoule.experiments.files import open_experiment

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
LINEAR, HEAD = 2_084_044_800, 328_335_360  # Ma et al. 2025, model card
SPEED, MEASURED_J, IDLE_W = 18.57, 0.368, 4.10  # docs/measurements.md of bitnet-kv260 at 128c580c


@pytest.fixture(scope="module")
def parts() -> pd.Series:
    table = pd.read_csv(BENCHMARKS / "boards.csv")
    return table.set_index(["machine", "part"])["value"]


def test_the_table_of_machines_is_what_its_benchmark_gives(tmp_path):
    subprocess.run([sys.executable, BENCHMARKS / "boards.py", tmp_path / "new.csv"], check=True)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new.csv"), pd.read_csv(BENCHMARKS / "boards.csv"), rtol=1e-5)


def test_the_board_is_within_a_fifth_of_the_meter_by_its_idle_watts_and_its_memory():
    """Five trits a byte, FP16 keys and values, 1300 pJ for 64 bits of DDR4; arithmetic in silicon adds little."""
    result = run(resolve(open_experiment("kv260_bitnet", {"plots": []})))
    decode = result.summary.query("phase == 'decode'").set_index("technology")
    bits = 1.6 * (LINEAR + HEAD) + 2 * 16 * 30 * 5 * 128 * (250 + 33 / 2)
    memory_j, idle_j = bits * 1300e-12 / 64, IDLE_W / SPEED
    for node, row in decode.iterrows():
        assert row["tokens_per_s"] == pytest.approx(SPEED, rel=0.005)
        ours = row["energy_per_token_j"]
        assert memory_j + idle_j < ours < 1.02 * (memory_j + idle_j)
        assert ours == pytest.approx(MEASURED_J, rel=0.2)
        assert 0.5 < (ours - idle_j) / (MEASURED_J - idle_j) < 1, node


def test_what_the_board_takes_above_idle_is_named_as_missing(parts):
    """Not within 30 percent: docs/platforms.md says with what price of the fabric it would be."""
    board = parts["board"]
    above = MEASURED_J - IDLE_W / SPEED
    assert board["measured above idle"] == pytest.approx(above)
    assert board["missing"] == pytest.approx(above - board["ours above idle"])
    assert board["missing, pJ per MAC"] * 1e-12 * (LINEAR + HEAD) == pytest.approx(board["missing"])
    assert board["missing, W"] / SPEED == pytest.approx(board["missing"])


def test_the_parts_of_the_gpu_sum_up_to_the_meter(parts):
    gpu = parts["gpu"]
    named = ["ours", "prefill", "memory at the price measured on a GPU", "idle", "missing"]
    assert gpu[named].sum() == pytest.approx(0.4548)
    weights_bits = 16 * (8_030_261_248 - 128256 * 4096) / 8  # per token of eight sequences, without the embedding
    dearer = 13.1e-12 - 350e-12 / 64
    assert weights_bits * dearer < gpu["memory at the price measured on a GPU"] < 1.15 * weights_bits * dearer
    assert gpu["idle"] == pytest.approx(80.3 / 1070)
    assert 0 < gpu["missing, share"] < 0.5


def test_measured_machines_cite_their_sources():
    columns = ("machine", "model", "format", "batch", "prompt_tokens", "tokens_per_s", "energy_per_token_j", "idle_w",
               "metered", "source", "where", "note")  # fmt: skip
    rows = [cells for _, cells in read_facts(DATA / "measured_boards.csv", columns)]
    assert [cells["machine"] for cells in rows] == ["Kria KV260 with bitnet-kv260", "H100 SXM"]
    assert all(cells["where"] and set(keys(cells["source"])) <= set(sources()) for cells in rows)
    assert (float(rows[0]["tokens_per_s"]), float(rows[0]["energy_per_token_j"])) == (SPEED, MEASURED_J)
    assert float(rows[0]["idle_w"]) == IDLE_W
