from itertools import product

import pytest

from bitjoule.rtl.encodings import ENCODINGS


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_every_group_of_trits_has_a_code_word_that_decodes_to_it(encoding):
    values = (-1, 0, 1) if encoding.zero else (-1, 1)
    groups = list(product(values, repeat=encoding.trits))
    assert len({encoding.encoded[trits] for trits in groups}) == len(groups)
    assert all(encoding.decoded[encoding.encoded[trits]] == trits for trits in groups)
    assert len(encoding.decoded) == 1 << encoding.bits


def test_ternary5_is_the_documented_code():
    # Worked by hand from the bit fields: h = 1 says +1 last; l = 0 and m = 7 are the pairs (+1, +1) and (0, -1).
    assert ENCODINGS["ternary5"].decoded[0b01_000_111] == (1, 1, 0, -1, 1)
    assert ENCODINGS["ternary5"].decoded[0b11_111_010] == (0, 0, 0, 0, -1)
    assert ENCODINGS["ternary5"].decoded[0b11_101_100] == (1, 0, 0, 0, 1)
    assert ENCODINGS["ternary5"].decoded[0b11_010_011] == (0, 0, -1, -1, -1)


def test_zero_is_written_as_no_bits_where_the_select_lines_are_the_code():
    assert ENCODINGS["ternary2"].encoded == {(0,): 0, (1,): 1, (-1,): 2}


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("columns", [1, 2, 4, 5, 6, 16])
def test_rows_of_any_length_survive_encoding(encoding, columns):
    row = [(-1, 1, 1, -1, 1, -1)[i % 6] if not encoding.zero else (i % 3) - 1 for i in range(columns)]
    assert list(encoding.decode_row(encoding.encode_row(row), columns)) == row


def test_a_value_without_a_code_is_refused():
    with pytest.raises(ValueError, match="binary1 cannot encode"):
        ENCODINGS["binary1"].encode_row([1, 0])
    with pytest.raises(ValueError, match="ternary5 cannot encode"):
        ENCODINGS["ternary5"].encode_row([2, 0, 0, 0, 0])
