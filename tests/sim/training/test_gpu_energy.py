"""The prepared measurement of a GPU: its dry run goes all the way, and predicts what an experiment says."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sampling import seldom

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu_energy.py"


@pytest.mark.slow
@pytest.mark.parametrize("platform", seldom(["h100"], 10, "the dry run of the measurement of a GPU"))
def test_the_dry_run_has_a_row_of_each_format(tmp_path, platform):
    for package in ("torch", "transformers", "accelerate"):
        pytest.importorskip(package)
    out = tmp_path / "gpu.csv"
    command = [sys.executable, str(SCRIPT), "--dry-run", "--platform", platform, "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["format"] for row in rows] == ["fp16", "ternary", "binary"]
    for row in rows:
        assert (row["device"], row["j_per_token"], row["idle_w"]) == ("cpu", "", "")  # without a meter
        assert 4 < float(row["held_out_nats_per_byte"]) < 5.6  # a few steps from a guess, ln 256
        assert int(row["generated_tokens"]) == int(row["batch"]) * int(row["new_tokens"])
        low, nominal, high = (float(row[f"predicted_{end}j_per_token"]) for end in ("low_", "", "high_"))
        assert 0 < low <= nominal <= high
        seconds = float(row["predicted_s_per_token"])
        assert 70 < nominal / seconds < 700  # watts of an H100, from idle to its limit
