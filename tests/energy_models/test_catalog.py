"""What `list` prints, `show` finds."""

import pytest

from bitjoule.energy_models.catalog import KINDS, entry, listing
from bitjoule.energy_models.errors import InputError


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_entry_can_be_shown_with_its_sources(kind):
    table = listing(kind)
    assert table.rows
    for row in table.rows:
        assert len(row) == len(table.headers)
        found = entry(kind, str(row[0]))
        assert found.references
        assert found.fields or found.table


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'llama-7b'"):
        entry("models", "lama-7b")
