"""The committed tables come out on processors with other vector instructions, too, to the last digit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitjoule.experiments.files import shipped_experiments
from tests.sampling import sampled

ROOT = Path(__file__).parents[2]
# AVX2 without AVX-512, in numpy and in its BLAS; without effect where neither is there.
OTHER = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
    "OMP_NUM_THREADS": "1",
}
PROGRAM = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore", ImportWarning)
from bitjoule.experiments.output.tables import write_csv
from tests.experiments.shipped import outcome_of
name, folder = sys.argv[1], Path(sys.argv[2])
for table, frames in outcome_of(name).tables.items():
    if table + ".csv" in sys.argv[3:]:
        write_csv(frames, folder / f"{table}.csv")
"""
KINDS = ("designs", "energy", "measured", "prices", "quality", "serving", "training")
NAMES = [name for kind in KINDS for name in shipped_experiments(kind)]


@pytest.mark.slow
@pytest.mark.parametrize("name", sampled(NAMES, 1, "experiments on another processor"))
def test_another_processor_gives_the_committed_tables(tmp_path, name):
    committed = {path.name: path.read_bytes() for path in (ROOT / "reports" / "gallery" / name).glob("*.csv")}
    command = [sys.executable, "-c", PROGRAM, name, str(tmp_path), *committed]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | OTHER, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == committed
