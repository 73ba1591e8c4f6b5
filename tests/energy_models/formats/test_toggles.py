"""Toggle rates of stored values, against closed forms and against simulated streams of words."""

import numpy as np
import pytest

from bitjoule.energy_models.formats.toggles import DEVIATION, RANDOM, SPAN, TRIT_BITS, toggle_rate
from bitjoule.rtl.encodings import ENCODINGS

WORDS = 200_000


def measured(words, bits):
    """Return the share of transfers at which a bit of a stream of words changes."""
    words = np.asarray(words, dtype=np.uint64)
    changed = words[1:] ^ words[:-1]
    return float(np.mean([(changed >> np.uint64(bit)) & np.uint64(1) for bit in range(bits)]))


@pytest.mark.parametrize("zero", [1 / 3, 0.5, 0.9])
def test_two_bits_a_trit_toggle_as_their_probabilities_say(zero):
    line = (1 - zero) / 2  # of a select line to be 1
    assert toggle_rate("ternary2", zero) == pytest.approx(2 * line * (1 - line))


def test_two_bits_a_trit_are_those_of_the_hardware():
    assert {(trit,): bits for trit, bits in TRIT_BITS.items()} == ENCODINGS["ternary2"].encoded


def test_all_zeros_never_toggle():
    assert toggle_rate("ternary2", 1.0) == 0.0


def test_five_trits_a_byte_toggle_as_a_simulated_stream():
    random = np.random.default_rng(0)
    trits = random.choice([0, 1, 2], size=(WORDS, 5))  # a third each
    assert toggle_rate("ternary5") == pytest.approx(measured(trits @ 3 ** np.arange(5), 8), abs=0.005)


@pytest.mark.parametrize("zero", [0.2, 0.6])
def test_three_trits_in_five_bits_toggle_as_a_simulated_stream(zero):
    """Of -1, 0 and +1 the middle one is likelier, or less likely, than the others."""
    share = [(1 - zero) / 2, zero, (1 - zero) / 2]
    trits = np.random.default_rng(0).choice([0, 1, 2], size=(WORDS, 3), p=share)
    assert toggle_rate("ternary3", zero) == pytest.approx(measured(trits @ 3 ** np.arange(3), 5), abs=0.005)


@pytest.mark.parametrize(("stored", "bits"), [("int8", 8), ("int3", 3)])
def test_integers_toggle_as_a_simulated_stream(stored, bits):
    largest = 2 ** (bits - 1) - 1
    values = np.random.default_rng(0).normal(size=WORDS) / SPAN * largest
    words = np.clip(np.rint(values), -largest, largest).astype(np.int64) & (2**bits - 1)
    scales = 16 / 128 / (bits + 16 / 128) if stored == "int3" else 0.0  # groups of 128 with an FP16 scale
    expected = (1 - scales) * measured(words, bits) + scales * RANDOM
    assert toggle_rate(stored) == pytest.approx(expected, abs=0.005)


def test_floats_toggle_as_a_simulated_stream():
    values = (np.random.default_rng(0).normal(size=WORDS) * DEVIATION).astype(np.float16)
    assert toggle_rate("fp16") == pytest.approx(measured(values.view(np.uint16), 16), abs=0.005)


@pytest.mark.parametrize(("stored", "bits"), [("fp32", 32), ("bf16", 16)])
def test_wider_floats_toggle_as_a_simulated_stream_of_as_many_of_their_upper_bits(stored, bits):
    values = (np.random.default_rng(0).normal(size=WORDS) * DEVIATION).astype(np.float32)
    words = values.view(np.uint32) >> np.uint32(32 - bits)
    assert toggle_rate(stored) == pytest.approx(measured(words, bits), abs=0.005)


def test_values_of_two_bits_and_their_scales_are_random():
    assert [toggle_rate(stored) for stored in ("int2", "int1")] == [pytest.approx(RANDOM)] * 2


def test_signs_and_what_is_no_number_are_random():
    assert toggle_rate("binary") == toggle_rate("binary1") == toggle_rate("a table") == RANDOM
