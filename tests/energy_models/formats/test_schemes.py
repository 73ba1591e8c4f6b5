"""Schemes: which operations a number format needs."""

import pytest

from bitjoule.energy_models.formats.schemes import Scheme, schemes
from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.inputs.sources import keys, sources
from bitjoule.energy_models.inputs.validation import validate
from bitjoule.energy_models.prices.technology import technologies

COMPUTED = "fp32, fp16, bf16, fp8, fp4, int32, int8, int4, int2, int1"


def scheme(text: str) -> Scheme:
    return validate(Scheme, parse_document(text, "f.yaml"))


def test_the_papers_schemes_and_what_may_become_of_them_ship():
    papers = ["fp32", "fp16", "bf16", "int8", "bitnet", "bitnet-b1.58", "w4a16", "w2a16", "w4a8"]
    variants = ["5in8", "3in5", "kv8", "kv4", "kv3", "int8-attention", "binary-attention", "a4", "a2", "a1"]
    later = ["int8-smoothquant", "int8-smoothquant-online", "w4a4", "w4a4-smoothquant", "w2a16-quip"]
    later += ["w2a16-quip-sharp", "w1a8", "w1a8-smoothquant", "bitnet-g128", "bitnet-a4.8", "bitnet-v2", "bonsai"]
    later += ["ternary-bonsai", "bonsai-2", "trilm", "sherry", "bitnet-b1.58-6of8", "trit-planes", "fairy2i"]
    assert list(schemes()) == papers + [f"bitnet-b1.58-{variant}" for variant in variants] + later


def test_every_scheme_cites_a_source_and_a_place_and_describes_itself():
    for s in schemes().values():
        assert s.description
        assert s.where
        assert keys(s.source)
        assert all(key in sources() for key in keys(s.source))


def test_a_scheme_stores_what_its_formats_say_unless_told_otherwise():
    parts = ("weight_storage", "kv_cache", "embedding", "lm_head")
    stored = {name: tuple(s.storage_name(part) for part in parts) for name, s in schemes().items()}
    assert stored["fp16"] == ("fp16",) * 4
    assert stored["bitnet"] == ("binary1", "fp16", "fp16", "fp16")
    assert stored["bitnet-b1.58"] == ("ternary2", "fp16", "fp16", "fp16")
    assert stored["w4a16"] == ("int4", "fp16", "fp16", "fp16")
    assert stored["bitnet-b1.58-5in8"] == ("ternary5", "fp16", "fp16", "fp16")
    assert stored["bitnet-b1.58-3in5"] == ("ternary3", "fp16", "fp16", "fp16")
    assert stored["bitnet-b1.58-kv3"] == ("ternary2", "int3", "fp16", "fp16")
    assert stored["bitnet-b1.58-binary-attention"] == ("ternary2", "binary1", "fp16", "fp16")


def test_every_scheme_stores_its_weights_in_their_own_format():
    for name, s in schemes().items():
        assert s.stored("weight_storage").holds == s.weights, name


def test_the_head_is_stored_as_the_embedding_unless_told_otherwise():
    text = "{weights: fp16, activations: fp16, attention: fp16, embedding: int8%s}"
    assert scheme(text % "").storage_name("lm_head") == "int8"
    assert scheme(text % ", lm_head: int4").storage_name("lm_head") == "int4"
    assert scheme(text % ", lm_head: int4").storage_name("embedding") == "int8"


def test_binary_keys_meet_queries_of_8_bits():
    binary = schemes()["bitnet-b1.58-binary-attention"]
    assert binary.attention_operands == ("binary", "int8")
    assert binary.routed == "int8"
    assert schemes()["fp16"].attention_operands == ("fp16", "fp16")


def test_binary_attention_needs_no_product():
    assert schemes()["bitnet-b1.58-binary-attention"].priced == {("add", "int8"), ("add", "fp16"), ("mul", "fp16")}
    assert ("mul", "int8") in schemes()["bitnet-b1.58-int8-attention"].priced


def test_narrow_activations_need_additions_of_their_width():
    for bits in (4, 2, 1):
        priced = schemes()[f"bitnet-b1.58-a{bits}"].priced
        assert priced == {("add", f"int{bits}"), ("add", "fp16"), ("mul", "fp16")}


def test_weights_of_few_bits_are_multiplied_in_the_format_of_the_activations():
    for name in ("w4a16", "w2a16"):
        assert schemes()[name].priced == schemes()["fp16"].priced
        assert schemes()[name].quantised
        assert not schemes()[name].quantises_activations


@pytest.mark.parametrize("name", schemes())
def test_every_scheme_is_priced_at_7_nm_and_all_but_bf16_at_45_nm(name):
    missing = {node: [pair for pair in schemes()[name].priced if not technologies()[node].has_price(*pair)]
               for node in ("45nm", "7nm")}  # fmt: skip
    assert missing["7nm"] == []
    assert {number_format for _, number_format in missing["45nm"]} == ({"bf16"} if name == "bf16" else set())


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
        ("{weights: fp16, activations: fp16, attention: binray}", "did you mean 'binary'?"),
        ("{weights: fp16, activations: fp16, attention: ternary}", "'ternary' is unknown"),
        (
            "{weights: ternary, activations: int8, attention: fp16, rescale: fp16, weight_storage: int8}",
            "f.yaml:1: weight_storage: int8 cannot store ternary weights; expected one of ternary2, ternary3, ternary5",
        ),
        (
            "{weights: fp16, activations: fp16, attention: fp16, weight_storage: fp32}",
            "f.yaml:1: weight_storage: fp32 cannot store fp16 weights; expected fp16",
        ),
        (
            "{weights: fp16, activations: fp16, attention: fp16, kv_cache: int5}",
            "f.yaml:1: kv_cache: unknown storage 'int5' (did you mean",
        ),
        (
            "{weights: fp16, activations: fp16, attention: fp16, lm_head: ternary}",
            "f.yaml:1: lm_head: unknown storage 'ternary' (did you mean 'ternary",
        ),
        ("{weights: ternery, activations: int8, attention: fp16}", "did you mean 'ternary'?"),
        (
            "{weights: int3, activations: int16, attention: 4}",
            f"f.yaml:1: weights: 'int3' is unknown (did you mean 'int32'?); expected one of {COMPUTED}, "
            "ternary, binary\n"
            f"f.yaml:1: activations: 'int16' is unknown (did you mean 'int1'?); expected one of {COMPUTED}\n"
            f"f.yaml:1: attention: 4 is unknown; expected one of {COMPUTED}, binary",
        ),
    ],
)
def test_an_impossible_scheme_is_refused(text, message):
    with pytest.raises(InputError) as error:
        scheme(text)
    assert message in str(error.value)


NOT_OF_A_CACHE = ("ternary_3of4", "ternary_6of8", "trit_planes", "fairy2i")  # zeros left out, or two planes


@pytest.mark.parametrize("key", ["kv_cache", "keys", "values"])
@pytest.mark.parametrize("storage", storages())
def test_a_cache_takes_every_storage_but_those_of_several_planes_or_without_zeros(storage, key):
    text = f"{{weights: fp16, activations: fp16, attention: fp16, {key}: {storage}}}"
    if storage not in NOT_OF_A_CACHE:
        assert scheme(text).storage_name(key) == storage
        return
    with pytest.raises(InputError) as error:
        scheme(text)
    wrong, offered = str(error.value).split("; expected one of ")
    assert wrong == f"f.yaml:1: {key}: {storage} is a packing of weights"
    assert offered.endswith(f"({len(storages()) - len(NOT_OF_A_CACHE)} in all)")


@pytest.mark.parametrize(("head", "stored"), [("bf16", "fp16"), ("fp8", "int4"), ("int8", "int4"), ("int4", "int8")])
def test_inputs_of_a_head_with_scales_need_a_head_with_scales_and_others_any(head, stored):
    text = "{weights: fp16, activations: fp16, attention: fp16, head: %s, lm_head: %s}"
    assert scheme(text % (head, stored)).head_inputs == head
    with pytest.raises(InputError, match="int8 inputs of an LM head stored as fp32"):
        scheme(text % ("int8", "fp32"))


def test_editors_are_offered_the_formats_of_the_table():
    computed = COMPUTED.split(", ")
    offered = Scheme.model_json_schema()["properties"]
    assert offered["weights"]["enum"] == [*computed, "ternary", "binary"]
    assert offered["activations"]["enum"] == computed
    assert offered["attention"]["enum"] == [*computed, "binary"]
