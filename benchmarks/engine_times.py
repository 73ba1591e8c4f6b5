"""Times of serving engines that others measured, against the fitted machines; gains of narrow weights on an A100.

Run: ``python benchmarks/engine_times.py [FILE]`` (a minute; needs ``pip install 'bitjoule[engines]'``), then
``make docs-numbers``. Writes engine_times.csv, which docs/measured-machines.md quotes: errors alone, no measurement.
``python benchmarks/engine_times.py --fit`` prints the two fixed times of each engine that its H100 rows give; nothing
else is fitted to these rows.
"""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Cases, Floats, Indices
from bitjoule.energy_models.machines.engine_rows import EngineRow, by_case, engine_rows, installed
from bitjoule.energy_models.machines.engines import Chips, Engine, EngineTimes, Requests, engine_times, engines
from bitjoule.energy_models.machines.names import measured_schemes
from bitjoule.energy_models.machines.predict import TECHNOLOGY
from bitjoule.energy_models.papers.arithmetic import Matmul
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.serving.links import links
from bitjoule.energy_models.system.platform.platforms import Platform, platforms
from bitjoule.energy_models.system.system import System

FILE = Path(__file__).with_suffix(".csv")
HEADER = ("quantity", "by", "group", "rows", "bias", "median", "ninetieth")
HOST_BOUND = 0.5  # share of a token's time that is fixed
TEACHER = "h100"
A100, KERNELS = "a100", "systems/data/a100_sxm/gemm/trtllm/1.0.0/gemm_perf.parquet"
NARROW = {"int4_wo": "w4a16", "int8_wo": "w8-g32"}
LARGE = 30e6  # weights of a matrix
GAIN_ROWS = (1, 16, 64, 128, 256, 1024)


class Compared(NamedTuple):
    """Predictions of rows, shape (rows,) each; nan where a machine or a scheme is unknown.

    Parameters
    ----------
    times
        Predicted.
    token_error, first_error
        Relative errors of the times per token, and to the first one.
    """

    times: EngineTimes
    token_error: Floats
    first_error: Floats


def compared(rows: Sequence[EngineRow], of: Mapping[str, Engine], machines: Mapping[str, Platform]) -> Compared:
    """Return the predictions of rows.

    Parameters
    ----------
    rows, of, machines
        The rows, and engines and platforms by name.
    """
    found = np.full((len(EngineTimes._fields), len(rows)), np.nan)
    for (machine, model, scheme, engine, chips), at in by_case(rows).items():
        platform = machines.get(machine)
        cards = getattr(platform, "cards", None)
        if platform is None or scheme not in measured_schemes() or (chips > 1 and cards is None):
            continue
        link = links()[cards.link if cards else "nvlink-c2c"]
        on = Chips(platform, machine, model, measured_schemes()[scheme], chips, link)
        sizes = np.array([(rows[i].batch, rows[i].prompt_tokens, rows[i].new_tokens) for i in at]).T
        found[:, at] = np.stack(engine_times(on, of[engine], Requests(*sizes)))
    times = EngineTimes(*found)
    token, first = (np.array([getattr(row, name) for row in rows]) for name in ("token_s", "first_token_s"))
    return Compared(times, times.token_s / token - 1, times.first_token_s / first - 1)


def error_lines(rows: Sequence[EngineRow], found: Compared) -> Iterator[tuple[object, ...]]:
    """Yield the errors of rows that are not host-bound, by several groups, and those that are as a group apart.

    Parameters
    ----------
    rows, found
        The rows and their predictions.
    """
    times = found.times
    priced = np.isfinite(times.token_s)
    host = times.fixed_s > HOST_BOUND * times.token_s
    waiting = times.running < [row.batch for row in rows]
    groups: dict[str, list[str]] = {
        "all": ["all"] * len(rows),
        "machine": [row.machine for row in rows],
        "format": [f"{row.machine} {row.scheme}" for row in rows],
        "engine": [f"{row.machine} {row.engine}" for row in rows],
        "batch": [f"{row.batch:g}" if np.log2(row.batch) % 1 == 0 else "others" for row in rows],
        "cards": [f"{row.chips}" for row in rows],
    }
    for quantity, errors, left in (
        ("token_s", found.token_error, priced & ~host),
        ("first_token_s", found.first_error, priced & ~host & ~waiting),
    ):
        for by, names in groups.items():
            for name in sorted(set(names), key=lambda text: (len(text), text)):
                own = left & (np.array(names) == name)
                if own.any():
                    yield (quantity, by, name, *_summary(errors[own]))
        for by, own in (("host-bound", priced & host), ("without room", priced & waiting)):
            if own.any():
                yield (quantity, by, "all", *_summary(errors[own]))


def _summary(errors: Floats) -> tuple[object, ...]:
    ends = (np.median(errors), np.median(np.abs(errors)), np.percentile(np.abs(errors), 90))
    return (len(errors), *(f"{end:.4f}" for end in ends))


def fitted(rows: Sequence[EngineRow], machines: Mapping[str, Platform]) -> Iterator[tuple[str, float, float, int]]:
    """Yield the fixed times of a step and of a request that the rows of the card that taught the others give.

    Parameters
    ----------
    rows, machines
        As for `compared`.

    Yields
    ------
    tuple
        Engine, microseconds of a step and of each request in it, rows.
    """
    from scipy import optimize

    bare = {name: each.model_copy(update={"step_us": 0.0, "request_us": 0.0}) for name, each in engines().items()}
    own = [row for row in rows if row.machine == TEACHER]
    found = compared(own, bare, machines)
    measured = np.array([row.token_s for row in own])
    for name in bare:
        of = np.flatnonzero(np.array([row.engine == name for row in own]) & np.isfinite(found.times.token_s))
        if not len(of):
            continue

        def logs(values: Floats, of: Indices = of) -> Floats:
            added_us = 1e3 * values[0] + 10 * values[1] * found.times.running[of]
            return np.asarray(np.log((found.times.token_s[of] + added_us * 1e-6) / measured[of]))

        best = optimize.least_squares(logs, [0.5, 1.0], bounds=([0, 0], [50, 50]), loss="soft_l1").x
        yield name, 1e3 * float(best[0]), 10 * float(best[1]), len(of)


def gain_lines(machines: Mapping[str, Platform]) -> Iterator[tuple[object, ...]]:
    """Yield the errors of the gains of narrow weights over BF16 on an A100, by the rows of the other operand.

    Parameters
    ----------
    machines
        Platforms by name.
    """
    if A100 not in machines:
        return
    import pandas as pd

    table = pd.read_parquet(installed(KERNELS), columns=["gemm_dtype", "m", "n", "k", "latency"])
    table = table[(table["n"] * table["k"] > LARGE) & table["m"].isin(GAIN_ROWS)]
    times = table.pivot_table(index=["m", "k", "n"], columns="gemm_dtype", values="latency", aggfunc="min")
    platform = kernels_of(machines[A100])
    for narrow, scheme in NARROW.items():
        chosen = times[["bfloat16", narrow]].dropna()
        sizes = chosen.index.to_frame().to_numpy(dtype=float)
        ours = _matmul_s("bf16", sizes, platform) / _matmul_s(scheme, sizes, platform)
        measured = (chosen["bfloat16"] / chosen[narrow]).to_numpy()
        for m in GAIN_ROWS:
            of = sizes[:, 0] == m
            if of.any():
                yield (f"gain_{scheme}", "rows", m, *_summary(ours[of] / measured[of] - 1))


def kernels_of(platform: Platform) -> Platform:
    """Return a card for single matrices: without the time of steps, and with the unpacking that others taught it.

    INT4 and INT8 are unpacked as fast as ternary weights, by the units that also compute.

    Parameters
    ----------
    platform
        The card.
    """
    if platform.overheads is None:
        return platform
    rate = platform.overheads.unpack_weights_per_s["ternary"]
    changes: dict[str, Any] = {"step_us": 0.0, "request_us": 0.0, "unpack_overlap": None, "unpack_in_turn": True}
    changes["unpack_weights_per_s"] = {"int4": rate, "int8": rate}
    return platform.model_copy(update={"overheads": platform.overheads.model_copy(update=changes)})


def _matmul_s(scheme: str, sizes: Floats, platform: Platform) -> Floats:
    seconds = np.zeros(len(sizes))
    for k, n in np.unique(sizes[:, 1:], axis=0).tolist():
        own = (sizes[:, 1:] == (k, n)).all(axis=1)
        of, technology = measured_schemes()[scheme], technologies()[TECHNOLOGY]
        system = System([Matmul(1, int(k), int(n))], [of], [technology], [[(A100, platform)]])
        zeros, ones = np.zeros(own.sum(), dtype=np.intp), np.ones(own.sum())
        cases = Cases(zeros, zeros, ones, sizes[own, 0], 0 * ones)
        seconds[own] = system.evaluate(cases, zeros, zeros).latency_s[:, 0]
    return seconds


def main(arguments: Sequence[str] = ()) -> None:
    """Write the errors, or print fixed times.

    Parameters
    ----------
    arguments
        The file, or ``--fit``.
    """
    rows, machines = engine_rows(), platforms()
    if "--fit" in arguments:
        for name, step_us, request_us, count in fitted(rows, machines):
            print(f"{name}: step_us {step_us:.0f}, request_us {request_us:.1f} ({count} rows of {TEACHER})")
        return
    path = Path(arguments[0]) if arguments else FILE
    errors = error_lines(rows, compared(rows, engines(), machines))
    lines: Iterable[tuple[object, ...]] = [*errors, *gain_lines(machines)]
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(lines)
    print(path.read_text())


if __name__ == "__main__":
    main(sys.argv[1:])
