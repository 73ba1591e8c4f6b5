"""Changes of checked documents."""

import pytest
from pydantic import Field, ValidationError

from bitjoule.energy_models.inputs.amounts import Amount
from bitjoule.energy_models.inputs.changes import Change, ImpossibleError, changed, named_places, selected
from bitjoule.energy_models.inputs.validation import Strict


class Part(Strict):
    size: int = Field(ge=1)
    watts: Amount = 0.0
    share: float | None = None


class Thing(Strict):
    parts: dict[str, Part]
    named: str = "a"
    on: bool = True


THING = Thing.model_validate(
    {"parts": {"x": {"size": 5, "watts": {"low": 1.0, "nominal": 2.0, "high": 4.0}}, "y.z": {"size": 2, "watts": 3.0}}}
)


def after(**changes):
    """Return the changed document as plain data; keys have double underscores for dots, and `any` for a star."""
    keys = {key.replace("__", ".").replace("any", "*"): Change.model_validate(c) for key, c in changes.items()}
    return changed(THING, keys).model_dump()


def test_a_factor_multiplies_numbers_and_bands_and_rounds_whole_numbers_down():
    parts = after(parts__any__size={"factor": 0.5}, parts__any__watts={"factor": 3})["parts"]
    assert [part["size"] for part in parts.values()] == [2, 1]
    assert parts["x"]["watts"] == {"low": 3.0, "nominal": 6.0, "high": 12.0}
    assert parts["y.z"]["watts"] == 9.0


def test_a_factor_leaves_nothing_and_switches_alone_and_a_text_cannot_be_multiplied():
    document = after(parts__any__share={"factor": 2}, on={"factor": 2})
    assert document == THING.model_dump()
    with pytest.raises(ImpossibleError, match="a is not a number to be multiplied"):
        after(named={"factor": 2})


@pytest.mark.parametrize(("end", "watts"), [("low", 1.0), ("high", 4.0)])
def test_an_end_is_that_of_the_band_and_a_number_without_one_stays(end, watts):
    parts = after(parts__any__watts={"end": end})["parts"]
    assert [part["watts"] for part in parts.values()] == [watts, 3.0]


def test_a_value_replaces_none_included():
    thing = Thing.model_validate({"parts": {"x": {"size": 1, "share": 0.5}}})
    keys = {"parts.*.share": Change.model_validate({"value": None}), "named": Change.model_validate({"value": "b"})}
    result = changed(thing, keys)
    assert (result.parts["x"].share, result.named) == (None, "b")


def test_what_changes_nothing_is_the_same_object():
    assert changed(THING, {}) is THING
    assert changed(THING, {"named": Change(value="a"), "parts.*.size": Change(factor=1)}) is THING


def test_a_change_that_the_schema_does_not_allow_is_impossible():
    with pytest.raises(ImpossibleError, match=r"^parts\.\w+\.size: got 0; expected greater than or equal to 1$"):
        changed(THING, {"parts.*.size": Change(factor=0.1)})


@pytest.mark.parametrize("written", [{}, {"factor": 2, "value": 1}, {"factor": -1}, {"end": "nominal"}])
def test_a_change_is_one_of_three(written):
    with pytest.raises(ValidationError):
        Change.model_validate(written)


@pytest.mark.parametrize(
    ("written", "text"),
    [({"factor": 0.5}, "x0.5"), ({"end": "low"}, "low end"), ({"value": None}, "none"), ({"value": True}, "true"),
     ({"value": "int4"}, "int4"), ({"value": 64}, "64")],
)  # fmt: skip
def test_as_a_cell_of_a_table(written, text):
    assert str(Change.model_validate(written)) == text


def test_only_documents_with_the_values_are_selected():
    assert selected(THING, {})
    assert selected(THING, {"named": ["a", "b"]})
    assert not selected(THING, {"named": ["b"]})
    assert not selected(THING, {"parts.*.size": [5]})  # the other has 2
    assert not selected(THING, {"nothing": ["a"]})


class Listing(Strict):
    things: list[Thing]


def test_an_entry_of_a_list_is_named_by_its_index_or_a_star():
    listing = Listing(things=[THING, THING])
    after_one = changed(listing, {"things.1.parts.x.size": Change(value=9)})
    assert [thing.parts["x"].size for thing in after_one.things] == [5, 9]
    keys = {"things.1.named": 1, "things.*.parts.*": 4, "things.2.named": 0, "named": 0}
    assert {key: named_places(listing, key) for key in keys} == keys
