"""A model on several cards of a machine: the part of each, and what crosses the links in the phases of a request."""

from collections.abc import Sequence

import numpy as np
from pydantic_core import PydanticCustomError

from bitjoule.energy_models.architecture.phases import Floats
from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.formats.formats import width_bits
from bitjoule.energy_models.formats.schemes import Scheme
from bitjoule.energy_models.inputs.amounts import price_of
from bitjoule.energy_models.inputs.errors import suggestion
from bitjoule.energy_models.serving.links import links
from bitjoule.energy_models.serving.parallel import shard, statistics, tensor_traffic
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import Platform

J_PER_PJ = 1e-12


def check_cards(platform: Platform, name: str, cards: int) -> None:
    """Raise an error if a machine does not have so many cards.

    Parameters
    ----------
    platform, name, cards
        The machine, its name, and how many.

    Raises
    ------
    UnpricedError
        It has fewer, or its link is unknown.
    """
    if cards == 1:
        return
    if platform.cards is None:
        raise UnpricedError(f"platform {name} has one card, not {cards}", "a key cards in the platform's file")
    if cards > platform.cards.most:
        raise UnpricedError(f"{cards} cards of platform {name}", f"at most {platform.cards.most}")
    if platform.cards.link not in links():
        link = platform.cards.link
        raise UnpricedError(f"unknown link {link!r}{suggestion(link, links())} of {name}", ", ".join(links()))


def part_of(model: ModelShape, name: str, cards: int) -> ModelShape:
    """Return the part of a model that each card has.

    Parameters
    ----------
    model, name, cards
        The model, its name, and over how many cards its matrices are split.

    Raises
    ------
    UnpricedError
        They do not divide.
    """
    try:
        return shard(model, cards)
    except PydanticCustomError as error:
        wrong = (error.context or {}).get("wrong", str(error))
        expected = str((error.context or {}).get("expected", ""))
        raise UnpricedError(f"{name} on {cards} cards: {wrong}", expected) from error


def traffic(
    models: Sequence[ModelShape], schemes: Sequence[Scheme], platform: Platform, cards: int, batch: Floats,
    prompt: Floats, new: Floats,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the energy of the links in joules, of one card, and their seconds; shape (rows, prefill and decode) each.

    Parameters
    ----------
    models, schemes
        The whole model and the scheme of each row.
    platform, cards
        The card, and how many.
    batch, prompt, new
        Of each row, shape (rows,).
    """
    joules, seconds = np.zeros((len(batch), 2)), np.zeros((len(batch), 2))
    if cards == 1 or platform.cards is None:
        return joules, seconds
    link = links()[platform.cards.link]
    energy_pj = price_of(link.energy_pj_per_bit).nominal_pj
    for i, (model, scheme) in enumerate(zip(models, schemes, strict=True)):
        rows = np.array([batch[i] * prompt[i], batch[i]])
        outputs = batch[i] * (rows > 0)
        bits, shared = width_bits(scheme.residual), statistics(scheme, model)
        moved = tensor_traffic(model, link, cards, rows, outputs, bits, shared)
        repeats = np.array([1.0, new[i]])
        joules[i], seconds[i] = moved.bits * energy_pj * J_PER_PJ / cards * repeats, moved.seconds * repeats
    return joules, seconds
