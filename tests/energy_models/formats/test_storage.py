"""Storage: bits a value takes, against counts and information theory."""

import math
from fractions import Fraction

import pytest

from bitjoule.energy_models.formats.formats import formats
from bitjoule.energy_models.formats.storage import Storage, plain_storage, storages
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import technologies

GROUPED = Fraction(16, 128)  # an FP16 scale for 128 values
BITS = {
    "fp32": 32, "fp16": 16, "bf16": 16, "int32": 32, "int8": 8, "int4": 4 + GROUPED, "int3": 3 + GROUPED,
    "int2": 2 + GROUPED, "int1": 1, "ternary2": 2, "ternary3": Fraction(5, 3), "ternary5": Fraction(8, 5), "binary1": 1,
}  # fmt: skip


def test_a_value_takes_its_share_of_a_word_and_of_a_scale():
    assert {name: storages()[name].bits for name in BITS} == {
        name: pytest.approx(float(bits), rel=1e-15) for name, bits in BITS.items()
    }


def test_no_packing_holds_a_trit_in_fewer_bits_than_its_information():
    packings = [storage for storage in storages().values() if storage.holds == "ternary" and storage.nonzero == 1]
    assert len(packings) == 12
    for storage in packings:
        assert storage.bits >= math.log2(3) * storage.planes
        assert 3 ** (storage.values * storage.planes) <= 2**storage.word_bits  # every pattern has a word of its own


def test_the_densest_packing_of_a_byte_holds_five_trits():
    assert storages()["ternary5"].values == max(n for n in range(9) if 3**n <= 2**8)


def test_every_storage_holds_a_format_with_a_width_and_takes_no_less_without_packing():
    for name, storage in storages().items():
        assert storage.holds in formats(), name
        if storage.values == 1:
            assert storage.word_bits == storage.width_bits * storage.planes, name


def test_every_format_of_a_scheme_has_a_width_and_a_plain_storage_of_that_width():
    for number_format in (name for name, one in formats().items() if one.in_schemes):
        plain = storages()[plain_storage(number_format)]
        assert plain.holds == number_format
        assert plain.word_bits == formats()[number_format].bits
        assert not plain.unpack


def test_the_width_of_a_number_is_in_its_name():
    named = {name: int("".join(c for c in name if c.isdigit())) for name in formats() if name[-1].isdigit()}
    assert named == {name: one.bits for name, one in formats().items() if name in named}
    assert set(formats()) - set(named) == {"ternary", "binary"}


@pytest.mark.parametrize("technology", technologies().values(), ids=lambda technology: technology.name)
def test_every_unpacking_is_priced_by_every_technology(technology):
    unpacked = [text for storage in storages().values() for text in storage.unpack]
    assert unpacked
    for text in unpacked:
        operation, number_format = text.split()
        assert technology.has_price(operation, number_format), text


def test_citations_exist_and_what_cites_nothing_says_what_it_is():
    for name, storage in storages().items():
        assert all(key in sources() for key in keys(storage.source)), name
        assert bool(storage.source) == bool(storage.where), name
        assert storage.source or storage.note or (storage.values == 1 and not storage.group), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{holds: trit, word_bits: 2}", "1: holds: unknown format 'trit'"),
        (
            "{holds: int4, word_bits: 4, group: 128}",
            "1: group: only one of group and scale_bits is set; expected both or neither",
        ),
        (
            "{holds: int4, word_bits: 4, scale_bits: 16}",
            "1: file: only one of group and scale_bits is set; expected both",
        ),
        ("{holds: int4, word_bits: 0}", "1: word_bits: got 0; expected greater than 0"),
        ("{holds: int4, bits: 4}", "1: bits: unknown key (did you mean"),
        ("{holds: ternary, word_bits: 2, nonzero: 0}", "1: nonzero: got 0; expected greater than 0"),
        ("{holds: ternary, word_bits: 2, nonzero: 1.5}", "1: nonzero: got 1.5; expected less than or equal to 1"),
        ("{holds: ternary, word_bits: 2, planes: 0}", "1: planes: got 0; expected greater than or equal to 1"),
    ],
)
def test_an_impossible_storage_is_refused(text, message):
    with pytest.raises(InputError) as error:
        validate(Storage, parse_document(text, "f.yaml"))
    assert str(error.value).startswith("f.yaml:" + message.replace("file:", "group:"))
