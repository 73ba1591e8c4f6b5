"""Tables of a built design: its figures as predicted and as synthesised, and the parts of its netlist."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from bitjoule.energy_models.system.hardware.silicon import W_PER_NW
from bitjoule.experiments.exploration.building.build import Built, Synthesis
from bitjoule.experiments.exploration.building.prediction import Prediction

SIDES = ("predicted", "predicted_low", "predicted_high", "synthesised", "synthesised_low", "synthesised_high")
PJ_PER_FJ, NW_PER_UW, MHZ_PER_GHZ = 1e-3, 1e3, 1e3
Row = tuple[str, str, Sequence[float], Sequence[float]]


def figures(synthesis: Synthesis) -> pd.DataFrame:
    """Return the figures of one accelerator on both sides.

    Parameters
    ----------
    synthesis
        From `bitjoule.experiments.exploration.building.build.synthesise`.

    Returns
    -------
    DataFrame
        A row a figure: its name, its unit, nominal, low and high of each side, and `difference`, the predicted value
        relative to the synthesised one less 1. What is not known is NaN.
    """
    rows = []
    for name, unit, ours, netlist in _rows(synthesis):
        ends = [*_ends(ours), *_ends(netlist)]
        rows.append({"figure": name, "unit": unit, **dict(zip(SIDES, ends, strict=True))})
    table = pd.DataFrame(rows)
    return table.assign(difference=table["predicted"] / table["synthesised"] - 1.0)


def _ends(values: Sequence[float]) -> tuple[float, float, float]:
    """Return nominal, low and high; a figure without a band has its value three times."""
    low, nominal, high = values if len(values) > 1 else [values[0]] * 3
    return nominal, low, high


def _rows(synthesis: Synthesis) -> Iterator[Row]:
    """Yield name, unit, and low, nominal and high as predicted and as synthesised."""
    measured, said = synthesis.measurement, synthesis.prediction
    energy_pj = [end * PJ_PER_FJ / measured.macs for end in measured.band_fj]
    yield "area", "um2", _area_um2(said), [measured.area_um2]
    yield "clock", "MHz", _clock_mhz(said), [MHZ_PER_GHZ / measured.period_ns]
    yield "energy of a MAC", "pJ", said.energy_pj if said else [np.nan], energy_pj
    yield "leakage", "uW", _leakage_uw(said), [measured.leakage_nw / NW_PER_UW]


def _area_um2(said: Prediction | None) -> list[float]:
    return [said.array.area_um2 + said.store.area_um2 if said else np.nan]


def _clock_mhz(said: Prediction | None) -> list[float]:
    return [np.nan if said is None or said.clock_mhz is None else said.clock_mhz]


def _leakage_uw(said: Prediction | None) -> list[float]:
    if said is None:
        return [np.nan]
    ends = zip(said.array.leakage_w, said.store.leakage_w, strict=True)
    return [sum(watts) / W_PER_NW / NW_PER_UW for watts in ends]


def shares(said: Prediction) -> pd.DataFrame:
    """Return what the predicted area and energy consist of.

    Parameters
    ----------
    said
        The prediction.

    Returns
    -------
    DataFrame
        A row a part: area in um2 and energy in pJ a MAC, NaN for what has none of its own.
    """
    rows = [
        ("MACs", said.array.area_um2, said.mac_pj.nominal_pj),
        ("loading of weights", np.nan, said.load_pj.nominal_pj),
        ("accumulators", said.store.area_um2, said.store_pj.nominal_pj),
    ]
    return pd.DataFrame(rows, columns=["part", "area_um2", "energy_pj"])


def parts(synthesis: Synthesis) -> pd.DataFrame:
    """Return the parts of the netlist.

    Parameters
    ----------
    synthesis
        As for `figures`.

    Returns
    -------
    DataFrame
        A row a part (`bitjoule.gates.power.parts`): area in um2 and energy in pJ a MAC; wires and primary inputs have
        no area.
    """
    measured = synthesis.measurement
    rows = [
        (part, measured.parts_um2.get(part, 0.0), energy_fj * PJ_PER_FJ / measured.macs)
        for part, energy_fj in measured.parts_fj.items()
    ]
    return pd.DataFrame(rows, columns=["part", "area_um2", "energy_pj"])


def verification(built: Built) -> pd.DataFrame:
    """Return what was verified, in one row.

    Parameters
    ----------
    built
        The hardware of a design.
    """
    report = built.report
    row = (built.cases, report.cases, report.matmuls, report.exact_cycles, report.cycles)
    return pd.DataFrame([row], columns=["cases", "passed", "matmuls", "exact_cycles", "cycles"])
