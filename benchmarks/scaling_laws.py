"""The scaling laws of the ladder, and how often their intervals hold the truth.

Run: ``python benchmarks/scaling_laws.py`` (some minutes). Writes benchmarks/scaling_laws.csv: the laws of `bitjoule run
scaling_laws`, and for each `coverage_a`, `coverage_exponent` and `coverage_floor`: the share of `REPEATS` ladders,
drawn from the law with its own sizes, seeds and scatter, whose 95 % intervals hold its values.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import bitjoule
from bitjoule.sim.quality.laws import fit

OUT = Path(__file__).with_suffix(".csv")
REPEATS, SEED = 100, 22
KEYS = ("a_nats", "exponent", "floor_nats")


def coverage(law: pd.Series, size: np.ndarray) -> list[float]:
    """Return the share of drawn ladders whose intervals hold a, exponent and floor."""
    random = np.random.default_rng(SEED)
    true = law["floor_nats"] + law["a_nats"] * (size / 1e6) ** -law["exponent"]
    held = np.zeros(3)
    for _ in range(REPEATS):
        drawn = fit(law["form"], size, true * np.exp(random.normal(0, law["deviation"], len(size))), law["exponent"])
        assert drawn is not None
        held += [
            e.low <= law[key] <= e.high for e, key in zip((drawn.a, drawn.exponent, drawn.floor), KEYS, strict=True)
        ]
    return [float(share) for share in (held / REPEATS).round(2)]


def main() -> None:
    """Fit, draw and write."""
    result = bitjoule.run("scaling_laws")
    laws = result.laws.drop(columns="experiment")
    trained = result.models[result.models["trained"]].dropna(subset=["loss_nats_per_byte"])
    rows = []
    for _, law in laws.iterrows():
        size = trained[trained["format"] == law["format"]]["parameters"].to_numpy(float)
        rows.append([np.nan] * 3 if law["form"] == "paper" else coverage(law, size))
    laws[["coverage_a", "coverage_exponent", "coverage_floor"]] = rows
    laws.to_csv(OUT, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
