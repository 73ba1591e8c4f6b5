"""Tensors by part and type, and in what they differ from a shape, of made-up files."""

from itertools import permutations

import pytest

from bitjoule.energy_models.architecture.shape import ModelShape
from bitjoule.energy_models.model_files.safetensors_folder import difference
from bitjoule.energy_models.model_files.stored import StoredValues, by_type, parameters, scheme_as_stored

SHAPE = ModelShape(layers=2, hidden=8, heads=2, ffn=12, ffn_gated=True, activation="silu", vocabulary=20)
LINEARS = {"q": 64, "k": 64, "v": 64, "o": 64, "gate": 96, "up": 96, "down": 96}


def tensor(name, part, values, kind="F16", size=None, holds="fp16"):
    return StoredValues(name, kind, part, values, 2 * values if size is None else size, holds)


MATRICES = [tensor(f"layers.{i}.{name}.weight", "weights", size) for i in range(2) for name, size in LINEARS.items()]
TABLES = [tensor("embed.weight", "embedding", 160), tensor("head.weight", "lm_head", 160)]
NORMS = tensor("norms", "other", 5 * 8)  # two of a layer, and the last
BUFFER = tensor("inv_freq", "not counted", 99)
WHOLE = [*MATRICES, *TABLES, NORMS, BUFFER]


def test_a_file_of_the_shape_differs_in_nothing_in_any_order():
    assert sum(parameters(WHOLE).values()) - 99 == SHAPE.parameters
    assert difference(SHAPE, WHOLE) == difference(SHAPE, WHOLE[::-1]) == ""


@pytest.mark.parametrize(
    ("kinds", "named", "more"),
    [(1, 1, ""), (4, 4, ""), (5, 4, " and 1 more kind"), (6, 4, " and 2 more kinds")],
)
def test_matrices_that_a_shape_does_not_have_are_named_by_kind(kinds, named, more):
    further = [tensor(f"layers.{i}.extra{k}.weight", "weights", 1000 + k) for i in range(2) for k in range(kinds)]
    surplus = sum(each.values for each in further)
    names = ", ".join(f"layers.N.extra{k}.weight" for k in range(named))
    told = f"its tensors hold {surplus} parameters more than config.json describes: {names}{more}"
    assert difference(SHAPE, [*further, *WHOLE]) == told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ([*MATRICES[1:], *TABLES, NORMS], "64 parameters fewer than config.json describes (weights -64)"),
        ([*MATRICES, TABLES[0], NORMS], "160 parameters fewer than config.json describes (lm head -160)"),
        ([*WHOLE, tensor("bias", "other", 1)], "1 parameter more than config.json describes (other +1)"),
        ([*WHOLE, tensor("bias", "other", 7)], "7 parameters more than config.json describes (other +7)"),
        ([*MATRICES[1:], *TABLES, NORMS, tensor("bias", "other", 70)],
         "6 parameters more than config.json describes (weights -64, other +70)"),
    ],
)  # fmt: skip
def test_other_differences_are_told_by_part_with_their_signs(changed, told):
    assert difference(SHAPE, changed) == f"its tensors hold {told}"


ROWS = [
    tensor("a", "other", 5, "F32", 20), tensor("b", "weights", 100, "Q4_0", 60, "int4"),
    tensor("c", "weights", 300, "Q4_0", 180, "int4"), tensor("d", "weights", 200, "Q8_0", 250, "int8"),
]  # fmt: skip


@pytest.mark.parametrize("order", [*permutations(range(4))][::5])
def test_types_are_summed_by_part_and_the_largest_of_a_part_is_first(order):
    assert by_type(ROWS[i] for i in order) == [
        ("weights", "Q8_0", 1, 200, 250), ("weights", "Q4_0", 2, 400, 240), ("other", "F32", 1, 5, 20),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [*permutations(range(4))][::5])
def test_the_format_that_holds_most_values_is_that_of_the_scheme_whose_weights_take_all_bytes(order):
    """Most values are of four bits, most bytes are of eight."""
    scheme = scheme_as_stored([ROWS[i] for i in order], "m")
    assert scheme.weights == "int4"
    assert scheme.stored("weight_storage").bits == pytest.approx(8 * (60 + 180 + 250) / 600)
    assert scheme_as_stored(ROWS[:1], "m") is None
