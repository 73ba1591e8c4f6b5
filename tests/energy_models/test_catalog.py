"""What `list` prints, `show` finds."""

import pytest

from bitjoule.energy_models.catalog import KINDS, entry, listing
from bitjoule.energy_models.formats.storage import storages
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.platforms import platforms


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_entry_can_be_shown_with_its_sources(kind):
    table = listing(kind)
    assert table.rows
    for row in table.rows:
        assert len(row) == len(table.headers)
        found = entry(kind, str(row[0]))
        assert found.references or plain(kind, str(row[0]))
        assert found.fields or found.table


def plain(kind: str, name: str) -> bool:
    """Return whether an entry is a number in its own width, which needs no source, or our own packing."""
    return kind == "storages" and not storages()[name].source


def test_a_storage_and_a_platform_are_listed_with_what_they_take():
    stored = {row[0]: row[1:4] for row in listing("storages").rows}
    assert stored["ternary5"] == ("ternary", "1.6", "4 add int8")
    assert stored["int4"] == ("int4", "4.125", "")
    built = {row[0]: row[1:5] for row in listing("platforms").rows}
    assert built["ternary-edge"] == ("adders 64 x 16, float 4 x 6", 1024, "lpddr4", 12.8)
    assert built["tpu32"] == ("pes 32 x 32", 2048, "own prices", 8)


def test_a_platform_is_shown_with_the_source_of_each_number():
    shown = entry("platforms", "int8-edge").fields
    lanes = shown["arrays"]["int8"]["lanes"]
    assert lanes == platforms()["int8-edge"].arrays["int8"].lanes
    assert shown["sources"]["arrays.int8.lanes"].startswith(f"{lanes} x ")


def test_a_model_is_shown_with_its_names_on_the_hub():
    assert "Qwen/Qwen3-0.6B" in entry("models", "qwen3-0.6b").fields["hub"]
    assert "hub" not in entry("models", "bitnet-125m").fields


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_entry_leaves_open_is_not_shown(kind):
    for row in listing(kind).rows:
        assert None not in leaves(entry(kind, str(row[0])).fields)


def leaves(value):
    """Return what mappings and lists hold at their ends."""
    if isinstance(value, dict | list | tuple):
        return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]
    return [value]


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'llama-7b'"):
        entry("models", "lama-7b")
