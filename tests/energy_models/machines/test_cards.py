"""Several cards: the part of each, what crosses the links, and machines that have fewer."""

import dataclasses

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.cards import check_cards, part_of, traffic
from bitjoule.energy_models.machines.names import devices, measured_schemes, models, named
from bitjoule.energy_models.machines.predict import Lengths, predictions, price
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.serving.links import links
from bitjoule.energy_models.system.platform.accesses import UnpricedError
from bitjoule.energy_models.system.platform.platforms import platforms

ROW = next(row for row in read_rows()[1] if row.cells["device"] == "1x H100")
LLAMA = presets()["llama-3.1-8b"]
LENGTHS = Lengths()


def on(device, model="Llama-3.1-70B-Instruct"):
    return dataclasses.replace(ROW, cells={**ROW.cells, "device": device, "model": model})


def test_links_add_up_two_vectors_a_layer_and_one_for_the_embedding_and_gather_logits():
    batch, prompt, new = np.array([4.0]), np.array([10.0]), np.array([3.0])
    scheme = measured_schemes()["bf16"]
    joules, seconds = traffic([LLAMA], [scheme], platforms()["h100"], 4, batch, prompt, new)
    vectors = 2 * LLAMA.layers + 1
    for phase, (tokens, repeats) in enumerate(((40, 1), (4, 3))):
        sums = vectors * 2 * (4 - 1) * tokens * LLAMA.hidden * 16
        logits = (4 - 1) * 4 * LLAMA.vocabulary * 16
        assert joules[0, phase] * 4 == pytest.approx(repeats * (sums + logits) * 5.5e-12, rel=1e-9)
        rounds = vectors * 6 + 3
        link = links()["nvlink-4"]
        moving = (sums + logits) / 4 / (link.bandwidth_gb_per_s * 8e9)
        assert seconds[0, phase] == pytest.approx(repeats * (moving + rounds * link.latency_us * 1e-6), rel=1e-9)


def test_one_card_has_the_whole_model_and_no_traffic():
    one = np.ones(1)
    joules, seconds = traffic([LLAMA], [measured_schemes()["bf16"]], platforms()["h100"], 1, one, one, one)
    assert not joules.any()
    assert not seconds.any()
    assert part_of(LLAMA, "llama-3.1-8b", 1) is LLAMA


def test_more_cards_are_faster_and_each_token_takes_more_energy():
    found = predictions([on("4x H100"), on("8x H100")], platforms(), LENGTHS)
    four, eight = found
    assert four.tokens_per_s < eight.tokens_per_s < 2 * four.tokens_per_s
    assert four.j_per_token < eight.j_per_token


def test_rows_of_one_platform_may_have_different_cards():
    rows = [named(on("4x H100")), named(on("8x H100"))]
    together = price(rows, platforms()["h100"], "h100", LENGTHS)
    for i, row in enumerate(rows):
        alone = price([row], platforms()["h100"], "h100", LENGTHS)
        np.testing.assert_allclose([each[i] for each in together], [each[0] for each in alone])


def test_a_machine_with_fewer_cards_says_so():
    with pytest.raises(UnpricedError) as error:
        check_cards(platforms()["rtx-4090"], "rtx-4090", 2)
    assert error.value.args[0] == "platform rtx-4090 has one card, not 2"
    with pytest.raises(UnpricedError) as error:
        check_cards(platforms()["h100"], "h100", 16)
    assert error.value.args == ("16 cards of platform h100", "at most 8")
    cards = platforms()["h100"].cards
    other = platforms()["h100"].model_copy(update={"cards": cards.model_copy(update={"link": "nvlink-44"})})
    with pytest.raises(UnpricedError, match=r"unknown link 'nvlink-44' \(did you mean 'nvlink-4'\?\) of h100"):
        check_cards(other, "h100", 2)


def test_a_model_that_does_not_divide_says_so():
    with pytest.raises(UnpricedError, match=r"bonsai-27b on 2 cards: layers of .* on 2 chips"):
        part_of(presets()["bonsai-27b"], "bonsai-27b", 2)


@pytest.mark.parametrize("cards", [2, 4, 8])
def test_every_model_that_servers_measured_divides(cards):
    served = [name for (name,) in models() if name.startswith(("Llama-3.", "Qwen3-", "gemma", "gpt-oss"))]
    for name in served:
        shape = presets()[models()[name,]["preset"]]
        assert part_of(shape, name, cards).heads * cards == shape.heads


def test_every_device_of_several_cards_has_a_machine_with_as_many():
    for cells in devices().values():
        if cells["cards"]:
            check_cards(platforms()[cells["platform"]], cells["platform"], int(cells["cards"]))


def test_a_row_that_cannot_be_priced_leaves_the_others_of_its_machine_alone():
    both = [on("8x H100", "Bonsai-27B"), on("8x H100")]
    one, other = predictions(both, platforms(), LENGTHS)
    assert one.why.startswith("bonsai-27b on 8 cards: layers of gated_delta on 8 chips")
    assert one.tokens_per_s is None
    assert (other.why, other.tokens_per_s) == ("", predictions(both[1:], platforms(), LENGTHS)[0].tokens_per_s)
