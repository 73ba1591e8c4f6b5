"""The terms of each array's energy in the shipped technologies of netlists, for the table of docs/measured-prices.md.

Run: ``python benchmarks/terms.py``. Writes benchmarks/terms.csv: fJ, but for the worst fit, which is in per cent.
"""

from pathlib import Path

import pandas as pd

from bitjoule.energy_models.prices.measured import FEATURES
from bitjoule.energy_models.prices.technology import technologies

FILE = Path(__file__).with_suffix(".csv")
LANES, COLUMNS = 64, 16
FJ_PER_PJ = 1e3


def main() -> None:
    """Write the table."""
    rows = []
    for node in ("45nm", "7nm"):
        technology = technologies()[f"{node}-measured"]
        for mac in technology.macs:
            name = f"{mac.weights} x {mac.activations} + {mac.accumulation}, {mac.datapath}, {node}"
            values = {feature: FJ_PER_PJ * getattr(mac, f"{feature}_pj").nominal for feature in FEATURES}
            values["worst fit %"] = 100 * mac.worst_fit
            low, nominal, high = mac.price(LANES, COLUMNS, technology.zero_share if mac.weights == "ternary" else 0.0)
            kept = {f"{LANES} x {COLUMNS}, kept": nominal, "low": low, "high": high}
            values |= {key: FJ_PER_PJ * price_pj for key, price_pj in kept.items()}
            rows += [(name, column, value) for column, value in values.items()]
    pd.DataFrame(rows, columns=["row", "column", "value"]).to_csv(FILE, index=False)


if __name__ == "__main__":
    main()
