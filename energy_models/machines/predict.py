"""Predictions of measurements: tokens a second and joules a token of rows, as their meters see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.names import (
    WHOLE,
    Metered,
    UnknownNameError,
    measured_schemes,
    metered,
    platform_name,
    preset_name,
    scheme_name,
)
from bitjoule.energy_models.machines.rows import MeasuredRow
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.counting.counted import Evaluated
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.channels import PART_ACTIONS
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.platform.static_power import COMPONENT, STATES, state_cycles
from bitjoule.energy_models.system.system import System

J_PER_PJ = 1e-12
US_PER_S = 1e6
TECHNOLOGY = "7nm"  # whose prices the vector unit has; the machines' own prices are in their files
OFF_CHIP = ("off_chip_read", "off_chip_write", *(action for action in PART_ACTIONS if not action.endswith("_phy")))
BESIDE_CHIP = ("dram", "host", "board")


class Lengths(NamedTuple):
    """Tokens of requests where a row does not print them.

    Parameters
    ----------
    prompt_tokens
        Low and high of rows of whole requests; their geometric mean is used. Rows of decode begin with nothing, as
        llama.cpp's test of generation does.
    new_tokens
        That are generated.
    """

    prompt_tokens: tuple[float, float] = (256.0, 900.0)
    new_tokens: float = 128.0

    @property
    def mean_prompt(self) -> float:
        """The prompt length that is used."""
        return float(np.sqrt(self.prompt_tokens[0] * self.prompt_tokens[1]))


class Named(NamedTuple):
    """A row with what its names stand for."""

    row: MeasuredRow
    platform: str
    preset: str
    scheme: str
    meter: Metered


@dataclass(frozen=True)
class Prediction:
    """What a row is predicted to be.

    Parameters
    ----------
    row
        The row.
    platform, scheme, meter
        Their names, and what is metered; empty where a name is unknown.
    tokens_per_s, j_per_token
        None where the row cannot be priced.
    bands
        Low and high of both at the ends of a band of prompt lengths; empty for rows that print theirs.
    why
        Why it cannot be priced.
    """

    row: MeasuredRow
    platform: str = ""
    scheme: str = ""
    meter: str = ""
    tokens_per_s: float | None = None
    j_per_token: float | None = None
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    why: str = ""


def named(row: MeasuredRow) -> Named:
    """Return a row with what its names stand for.

    Parameters
    ----------
    row
        The row.

    Raises
    ------
    UnknownNameError
        One of them stands for nothing of ours.
    """
    cells = row.cells
    return Named(
        row,
        platform_name(cells["device"]),
        preset_name(cells["model"]),
        scheme_name(cells["weights"], cells["activations"]),
        metered(cells["what_is_metered"]),
    )


def predictions(
    rows: Sequence[MeasuredRow], platforms: Mapping[str, Platform], lengths: Lengths, speed_given: bool = False
) -> list[Prediction]:
    """Return the prediction of each row; one that cannot be priced says why.

    Parameters
    ----------
    rows
        The rows.
    platforms
        Every platform, by name.
    lengths
        Where rows do not print them.
    speed_given
        Whether the measured speed is used for the watts that flow over time, and returned.
    """
    found: list[Prediction] = [Prediction(row) for row in rows]
    by_platform: dict[str, list[tuple[int, Named]]] = {}
    for i, row in enumerate(rows):
        try:
            name = named(row)
            if name.platform not in platforms:
                raise UnknownNameError(f"{row.cells['device']}: platform {name.platform} does not ship yet")
            if speed_given and row.tokens_per_s is None:
                raise UnknownNameError("no tokens_per_s is given")
        except UnknownNameError as error:
            found[i] = replace(found[i], why=str(error))
        else:
            by_platform.setdefault(name.platform, []).append((i, name))
    for platform, entries in by_platform.items():
        for i, name in entries:
            seen = seen_by(name.meter, platforms[platform])
            found[i] = replace(found[i], platform=platform, scheme=name.scheme, meter=" ".join(seen))
        try:
            speed, energy = price([name for _, name in entries], platforms[platform], platform, lengths, speed_given)
            ends = [
                price([name for _, name in entries], platforms[platform], platform, replaced, speed_given)
                for replaced in (lengths._replace(prompt_tokens=(end, end)) for end in lengths.prompt_tokens)
            ]
        except UnpricedError as error:
            for i, _ in entries:
                found[i] = replace(found[i], why="; expected ".join(map(str, error.args)))
            continue
        for at, (i, name) in enumerate(entries):
            banded = name.row.phase != "decode" and name.row.prompt_tokens is None
            spans = {
                key: (float(min(e[of][at] for e in ends)), float(max(e[of][at] for e in ends)))
                for of, key in enumerate(("tokens_per_s", "j_per_token"))
            }
            found[i] = replace(
                found[i], tokens_per_s=float(speed[at]), j_per_token=float(energy[at]), bands=spans if banded else {}
            )
    return found


def seen_by(meter: Metered, platform: Platform) -> tuple[str, str]:
    """Return what is metered: scope, and gross or net.

    Parameters
    ----------
    meter, platform
        Of a row; the machine, whose own meter stands in where the row does not say.
    """
    return meter.scope or platform.meter.scope, meter.idle or platform.meter.idle


def price(
    rows: Sequence[Named], platform: Platform, name: str, lengths: Lengths, speed_given: bool = False,
    technology: str = TECHNOLOGY,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return tokens a second and joules a token of rows on one platform, shape (rows,) each.

    Parameters
    ----------
    rows, platform, name
        Rows of one machine, and the machine.
    lengths, speed_given
        As for `predictions`.
    technology
        Whose prices count where the platform has none of its own.

    Raises
    ------
    UnpricedError
        The platform does not compute a scheme of theirs.
    """
    models = list(dict.fromkeys(row.preset for row in rows))
    schemes = list(dict.fromkeys(row.scheme for row in rows))
    system = System(
        [presets()[model] for model in models], [measured_schemes()[scheme] for scheme in schemes],
        [technologies()[technology]],
        [[(name, platform)] * len(schemes)],
    )  # fmt: skip
    batch = np.array([row.row.batch for row in rows])
    prompt = np.array([_prompt(row.row, lengths) for row in rows])
    new = np.array([row.row.new_tokens or lengths.new_tokens for row in rows])
    zeros = np.zeros(len(rows), dtype=np.intp)
    model = np.array([models.index(row.preset) for row in rows], dtype=np.intp)
    scheme = np.array([schemes.index(row.scheme) for row in rows], dtype=np.intp)
    found = system.evaluate(Cases(model, scheme, batch, prompt, new), zeros, zeros)
    phases = np.array([_phases(row.row.phase) for row in rows])
    tokens = batch * np.where([row.row.phase == "prefill" for row in rows], prompt, new)
    latency_s = (found.latency_s * phases).sum(axis=1)
    seconds = tokens / np.array([row.row.tokens_per_s or np.nan for row in rows]) if speed_given else latency_s
    energy_j = _metered_j(system, found, rows, platform, phases, scheme, seconds)
    return tokens / seconds, energy_j / tokens


def _prompt(row: MeasuredRow, lengths: Lengths) -> float:
    if row.prompt_tokens is not None:
        return row.prompt_tokens
    return 0.0 if row.phase == "decode" else lengths.mean_prompt


@cache
def _phases(phase: str) -> tuple[float, float]:
    return {"prefill": (1.0, 0.0), "decode": (0.0, 1.0), "request": (1.0, 1.0)}[phase]


def _metered_j(
    system: System, found: Evaluated, rows: Sequence[Named], platform: Platform, phases: Floats, scheme: Indices,
    seconds: Floats,
) -> Floats:  # fmt: skip
    """Return the energy that the rows' meters see if they take these seconds, shape (rows,)."""
    columns = system.columns
    width = len(columns) // phases.shape[1]
    shape = (len(rows), phases.shape[1], width)
    energies = found.energies.nominal_pj.reshape(shape) * phases[:, :, None]
    counts = found.counts.reshape(shape) * phases[:, :, None]
    first = columns[:width]
    over_time = np.array([column.component in (COMPONENT, "leakage") for column in first])
    at_edge = np.array([column.action in OFF_CHIP for column in first])
    places = {(column.operand, column.action): at for at, column in enumerate(first) if column.component == COMPONENT}
    idle_w = platform.meter.idle_w
    counted_s = (found.latency_s * phases).sum(axis=1)
    joules = np.zeros(len(rows))
    for i, row in enumerate(rows):
        scope, idle = seen_by(row.meter, platform)
        chip_only = scope not in WHOLE
        machine = system.machine(int(scheme[i]), 0, 0)
        spent = energies[i, :, ~over_time & ~(at_edge & chip_only)].sum()
        cycles = seconds[i] * machine.clock_mhz * US_PER_S
        if platform.power is None:
            spent += machine.cycle_pj.nominal_pj * cycles
        for state, line in zip(STATES, machine.static, strict=True):
            if chip_only and state.part in BESIDE_CHIP:
                continue
            working = _working(counts[i].sum(axis=0), places, state.part, counted_s[i] * machine.clock_mhz * US_PER_S)
            spent += line.price.nominal_pj * state_cycles(cycles, working, working)[state.cycles]
        joules[i] = spent * J_PER_PJ - (idle_w * seconds[i] if idle == "net" else 0.0)
    return joules


def _working(counts: Floats, places: Mapping[tuple[str, str], int], part: str, cycles: float) -> float:
    """Return the cycles in which a part works; only states that draw power are counted."""
    if (part, "busy") not in places:
        return 0.0
    busy, idle = (float(counts[places[part, state]]) for state in ("busy", "idle"))
    return busy if busy or not idle else cycles - idle
