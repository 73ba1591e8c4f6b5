"""Schemes: which operations a number format needs."""

import pytest

from bitjoule.energy_models.documents import parse_document
from bitjoule.energy_models.errors import InputError
from bitjoule.energy_models.schemes import Scheme, schemes
from bitjoule.energy_models.sources import keys, sources
from bitjoule.energy_models.validation import validate


def scheme(text: str) -> Scheme:
    return validate(Scheme, parse_document(text, "f.yaml"))


def test_the_papers_schemes_ship():
    assert list(schemes()) == ["fp32", "fp16", "bf16", "int8", "bitnet", "bitnet-b1.58"]
    assert all(key in sources() for s in schemes().values() for key in keys(s.source))


@pytest.mark.parametrize("name", ["bitnet", "bitnet-b1.58"])
def test_binary_and_ternary_weights_need_no_int8_product(name):
    assert schemes()[name].priced == {("add", "int8"), ("add", "fp16"), ("mul", "fp16")}


def test_int8_weights_need_int8_products():
    assert ("mul", "int8") in schemes()["int8"].priced


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{weights: ternary, activations: int8, attention: fp16}", "ternary weights without rescale"),
        ("{weights: fp16, activations: fp16, attention: fp16, rescale: fp16}", "rescale with fp16 weights"),
        ("{weights: fp16, activations: int8, attention: fp16}", "fp16 weights with int8 activations"),
        ("{weights: ternery, activations: int8, attention: fp16}", "did you mean 'ternary'?"),
    ],
)
def test_an_impossible_scheme_is_refused(text, message):
    with pytest.raises(InputError) as error:
        scheme(text)
    assert message in str(error.value)
