"""The KV cache of a batch, worked by hand."""

import pytest

from bitjoule.energy_models.formats.schemes import schemes
from bitjoule.energy_models.serving.cache import cache_bytes, table_bits
from tests.energy_models.serving.machines import model, options

SCHEME = schemes()["bitnet-b1.58"]  # keys and values in FP16
TOKEN = 2 * 4 * 32 * 2  # bytes of a layer: keys and values of 4 heads of 32


def test_a_block_of_one_token_wastes_nothing_and_larger_ones_their_ends():
    shape, work = model(), (3, 100, 20)
    exact = cache_bytes(work, options(), shape, SCHEME)
    assert exact == (3 * 120 * 4 * TOKEN, 3 * 120 * 4 * TOKEN)
    assert cache_bytes(work, options(block_tokens=1), shape, SCHEME) == exact
    blocks = cache_bytes(work, options(block_tokens=16), shape, SCHEME)
    assert blocks == (exact.used, 3 * 128 * 4 * TOKEN)
    assert blocks.wasted_share == pytest.approx(8 / 128, rel=1e-12)


def test_a_contiguous_cache_holds_what_was_reserved_or_more():
    shape, work = model(), (3, 100, 20)
    assert cache_bytes(work, options(reserved_tokens=480), shape, SCHEME).wasted_share == pytest.approx(0.75, rel=1e-12)
    assert cache_bytes(work, options(reserved_tokens=50), shape, SCHEME).wasted_share == 0


def test_a_shared_prefix_is_there_once():
    held = cache_bytes((3, 100, 20), options(prefix_hit_share=0.5), model(), SCHEME)
    assert held.used == (50 + 3 * 70) * 4 * TOKEN


def test_windows_keep_their_tokens_and_states_do_not_grow():
    windowed = model(groups=[{"repeats": 3, "window": 32}, {"repeats": 1}])
    assert cache_bytes((1, 100, 20), options(), windowed, SCHEME).used == (3 * 32 + 120) * TOKEN
    blocks = cache_bytes((1, 100, 20), options(block_tokens=50), windowed, SCHEME)
    assert blocks.allocated == (3 * 50 + 150) * TOKEN
    retention = model(mixer={"kind": "retention", "heads": 2, "key_dim": 16, "value_dim": 32})
    for work in ((1, 10, 1), (1, 1000, 1)):
        assert cache_bytes(work, options(), retention, SCHEME).used == 4 * 2 * 16 * 32 * 2


def test_a_window_slides_from_a_shared_prefix_to_the_tokens_of_each_sequence():
    # each sequence fills a window of 32 with its own 70 tokens; of the prefix 32 stay for later requests
    windowed = model(groups=[{"repeats": 3, "window": 32}, {"repeats": 1}])
    held = cache_bytes((3, 100, 20), options(prefix_hit_share=0.5), windowed, SCHEME)
    assert held.used == (3 * (32 + 3 * 32) + 50 + 3 * 70) * TOKEN
    assert held.allocated == held.used
    # a window of 90 is not yet full of the sequence's own 70
    wider = model(groups=[{"repeats": 3, "window": 90}, {"repeats": 1}])
    held = cache_bytes((3, 100, 20), options(prefix_hit_share=0.5, reserved_tokens=125), wider, SCHEME)
    assert held.used == (3 * (50 + 3 * 70) + 50 + 3 * 70) * TOKEN
    assert held.allocated == (4 * (50 + 3 * 75)) * TOKEN


def test_a_step_reads_an_entry_for_each_block_it_meets():
    windowed = model(groups=[{"repeats": 3, "window": 32}, {"repeats": 1}])
    assert table_bits(options(block_tokens=16), windowed, 2, 100.5) == 2 * (3 * 2 + 7) * 32
