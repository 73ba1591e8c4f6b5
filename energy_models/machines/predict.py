"""Predictions of measurements: tokens a second and joules a token of rows, as their meters see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from bitjoule.energy_models.architecture.phases import Cases, Floats
from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.cards import check_cards, part_of, traffic
from bitjoule.energy_models.machines.metering import metered_by, running, seen_by
from bitjoule.energy_models.machines.names import Named, UnknownNameError, measured_schemes, named
from bitjoule.energy_models.machines.rows import MeasuredRow
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import Platform
from bitjoule.energy_models.system.system import System

TECHNOLOGY = "7nm"  # whose prices the vector unit has; the machines' own prices are in their files


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
            _predict(entries, platforms[platform], platform, lengths, speed_given, found)
        except UnpricedError:
            priced = _that_are_priced(entries, platforms[platform], platform, found)
            if priced:
                _predict(priced, platforms[platform], platform, lengths, speed_given, found)
    return found


Entries = list[tuple[int, Named]]


def _that_are_priced(entries: Entries, platform: Platform, name: str, found: list[Prediction]) -> Entries:
    """Return the rows that a platform can price; the others say why not."""
    groups: dict[tuple[str, str, int], Entries] = {}
    for entry in entries:
        row = entry[1]
        groups.setdefault((row.scheme, row.preset, row.cards), []).append(entry)
    priced: Entries = []
    for group in groups.values():
        try:
            price([group[0][1]], platform, name, Lengths())
        except UnpricedError as error:
            for i, _ in group:
                found[i] = replace(found[i], why="; expected ".join(map(str, error.args)))
        else:
            priced += group
    return priced


def _predict(
    entries: Entries, platform: Platform, name: str, lengths: Lengths, speed_given: bool, found: list[Prediction]
) -> None:
    rows = [row for _, row in entries]
    speed, energy = price(rows, platform, name, lengths, speed_given)
    ends = [
        price(rows, platform, name, replaced, speed_given)
        for replaced in (lengths._replace(prompt_tokens=(end, end)) for end in lengths.prompt_tokens)
    ]
    for at, (i, row) in enumerate(entries):
        banded = row.row.phase != "decode" and row.row.prompt_tokens is None
        spans = {
            key: (float(min(e[of][at] for e in ends)), float(max(e[of][at] for e in ends)))
            for of, key in enumerate(("tokens_per_s", "j_per_token"))
        }
        found[i] = replace(
            found[i], tokens_per_s=float(speed[at]), j_per_token=float(energy[at]), bands=spans if banded else {}
        )


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
        The platform does not compute a scheme of theirs, or has too few cards.
    """
    speed, energy = np.zeros(len(rows)), np.zeros(len(rows))
    for cards in dict.fromkeys(row.cards for row in rows):
        own = [i for i, row in enumerate(rows) if row.cards == cards]
        check_cards(platform, name, cards)
        chosen = [rows[i] for i in own]
        speed[own], energy[own] = _price(chosen, platform, name, lengths, speed_given, technology, cards)
    return speed, energy


def _price(
    rows: Sequence[Named], platform: Platform, name: str, lengths: Lengths, speed_given: bool, technology: str,
    cards: int,
) -> tuple[Floats, Floats]:  # fmt: skip
    models = list(dict.fromkeys(row.preset for row in rows))
    schemes = list(dict.fromkeys(row.scheme for row in rows))
    system = System(
        [part_of(presets()[model], model, cards) for model in models],
        [measured_schemes()[scheme] for scheme in schemes], [technologies()[technology]],
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
    whole, used = [presets()[row.preset] for row in rows], [measured_schemes()[row.scheme] for row in rows]
    crossed = traffic(whole, used, platform, cards, batch, prompt, new)
    link_j, link_s = ((each * phases).sum(axis=1) for each in crossed)
    each = running(system, found, phases, scheme, platform, link_j, link_s)
    given_s = tokens / np.array([row.row.tokens_per_s or np.nan for row in rows]) if speed_given else None
    seconds, joules = metered_by(rows, each, platform, given_s)
    return tokens / seconds, cards * joules / tokens


def _prompt(row: MeasuredRow, lengths: Lengths) -> float:
    if row.prompt_tokens is not None:
        return row.prompt_tokens
    return 0.0 if row.phase == "decode" else lengths.mean_prompt


@cache
def _phases(phase: str) -> tuple[float, float]:
    return {"prefill": (1.0, 0.0), "decode": (0.0, 1.0), "request": (1.0, 1.0)}[phase]
