"""The bibliography can be read."""

from bitjoule.energy_models.inputs.sources import keys, references, sources


def test_every_entry_has_a_title_and_a_year():
    assert sources()
    for key, reference in sources().items():
        assert len(reference.split(", ")) >= 3, key
        assert any(part.isdigit() and len(part) == 4 for part in reference.split(", ")), key


def test_semicolons_separate_citations():
    assert keys("a; b;c") == ("a", "b", "c")
    assert keys(" a;; b ;") == ("a", "b")
    assert keys("") == keys(" ; ") == ()


def test_references_name_each_source_once():
    lines = references(["wang2023bitnet;jouppi2021ten", "jouppi2021ten"])
    assert [line.split("]")[0] for line in lines] == ["[wang2023bitnet", "[jouppi2021ten"]


def test_a_source_in_words_stands_alone():
    assert references(["Our report on small models"]) == ["Our report on small models"]
