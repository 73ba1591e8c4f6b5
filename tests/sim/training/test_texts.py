"""The texts of a training: paragraphs of packages that are written here, and files of a user."""

import hashlib
from types import SimpleNamespace

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.training import texts
from bitjoule.sim.training.corpora import corpora
from bitjoule.sim.training.paragraphs import RECIPES
from bitjoule.sim.training.texts import digest, docstrings, of_packages, read_texts
from tests.sim.training.files import training_file

SOURCE = '''
"""Of the module: {0}.

A second paragraph.
  \t
A third of {0}, naïve."""
class C:
    """Of a class.

    A second paragraph.   """
    async def f(self): "Of an inner function of {0}."
    x = "No docstring."
def g():
    return "Neither."
'''


def is_held_out(name):
    """Return whether a file is, by the hash of its name: one of twenty."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20 == 0


def named(package, held_out, count):
    """Return names of files of a package that are trained on, or held out."""
    names = (f"sub{i % 3}/file{i:03}.py" for i in range(10_000))
    chosen = (name for name in names if is_held_out(f"{package}/{name}") == held_out)
    return sorted(next(chosen) for _ in range(count))


@pytest.fixture
def package(tmp_path):
    """Return the folder of a package with three files to train on, two held out, and what is not read."""
    files = {
        name: SOURCE.format(name.partition("/")[2])
        for held in (False, True)
        for name in named("p", held, 2 + (not held))
    }
    files |= {"tests/a.py": '"""Of a test."""', "sub0/testing/b.py": '"""Of a helper."""', "c.txt": '"""Of a text."""'}
    files |= {"sub1/broken.py": '"""Of no Python."""\n{{ template }} = def'}
    for name, text in files.items():
        (tmp_path / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / name).write_text(text, encoding="utf-8")
    return tmp_path / "p"


def test_paragraphs_are_taken_once_and_files_are_held_out_by_their_names(package):
    """Walks go level by level: those of the module, of its class, then of the function in it."""
    train, held_out = docstrings({"p": package}, RECIPES["blocks"])
    files = [name.partition("/")[2] for name in named("p", False, 3)]
    shared = ["A second paragraph.", "Of a class."]
    first, *others = ([f"Of the module: {name}.", f"Of an inner function of {name}."] for name in files)
    expected = [first[0], *shared, first[1], *(text for pair in others for text in pair)]
    assert train.decode().split("\n\n") == expected
    apart = [name.partition("/")[2] for name in named("p", True, 2)]
    assert held_out.decode().split("\n\n") == [
        text for name in apart for text in (f"Of the module: {name}.", f"Of an inner function of {name}.")
    ]
    assert docstrings({"q": package}, RECIPES["blocks"])[0] != train  # the package is part of the name


def test_packages_give_their_versions_and_licences_and_say_whether_the_text_is_the_stated_one(package, monkeypatch):
    parts = docstrings({"p": package}, RECIPES["blocks"])
    spec = SimpleNamespace(origin=str(package / "__init__.py"))
    monkeypatch.setattr(texts.importlib.util, "find_spec", lambda name: spec if name == "p" else None)
    monkeypatch.setattr(texts.metadata, "version", lambda _: "1.5")
    monkeypatch.setattr(texts, "cached", lambda _, write: write(package.parent) or package.parent)
    packages = {"p": SimpleNamespace(licence="BSD")}
    document = SimpleNamespace(problem=lambda path, wrong, expected: (path, wrong, expected))
    for sha256, stated in ((digest(*parts), True), ("0" * 64, False)):
        corpus = SimpleNamespace(packages=packages, sha256=sha256, command="pip install p==1.5", paragraphs="blocks")
        text = of_packages(corpus, document)
        assert (text.train, text.held_out, text.sources, text.stated) == (*parts, {"p": ("1.5", "BSD")}, stated)
        assert text.sha256 == hashlib.sha256(parts[0] + b"\0" + parts[1]).hexdigest()
    with pytest.raises(InputError) as error:
        of_packages(SimpleNamespace(packages={"q": 0}, sha256="", command="pip install p==1 q==2"), document)
    told = (("corpus",), "needs q, which is not installed", "pip install p==1 q==2")
    assert list(error.value.problems) == [told]


def test_files_are_joined_in_their_order_and_named_with_their_digests(tmp_path):
    corpus = {"train": ["b.txt", "train.txt", "a.txt"], "held_out": ["held_out.txt"], "licence": "CC0"}
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(f"text of {name}\r\n", newline="")
    text = read_texts(training_file(tmp_path, corpus=corpus))
    contents = {name: (tmp_path / name).read_bytes() for part in ("train", "held_out") for name in corpus[part]}
    assert text.train == b"text of b\r\n" + contents["train.txt"] + b"text of a\r\n"
    assert text.held_out == contents["held_out.txt"]
    assert text.sources == {name: (hashlib.sha256(of).hexdigest(), "CC0") for name, of in contents.items()}
    assert text.stated is None


@pytest.mark.parametrize(("size", "fits"), [(64, False), (65, True)])
def test_a_text_has_a_sequence_and_a_byte_more(tmp_path, size, fits):
    training = training_file(tmp_path)  # of 64 bytes
    (tmp_path / "train.txt").write_bytes(b"x" * size)
    if fits:
        assert len(read_texts(training).train) == size
        return
    with pytest.raises(InputError, match=r"corpus\.train: has 64 bytes; expected at least context \+ 1, 65"):
        read_texts(training)


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    training = training_file(tmp_path)
    monkeypatch.setattr(texts, "MAX_TEXT_BYTES", (tmp_path / "train.txt").stat().st_size)
    assert read_texts(training).train
    monkeypatch.setattr(texts, "MAX_TEXT_BYTES", (tmp_path / "train.txt").stat().st_size - 1)
    with pytest.raises(
        InputError, match=r"corpus\.train\[0\]: train\.txt: is larger than \d+ bytes; expected a smaller"
    ):
        read_texts(training)


def test_a_file_of_several_is_told_by_its_place(tmp_path, monkeypatch):
    (tmp_path / "small.txt").write_bytes(b"x" * 99)
    training = training_file(tmp_path, corpus={"train": ["small.txt", "train.txt"], "held_out": ["small.txt"]})
    monkeypatch.setattr(texts, "MAX_TEXT_BYTES", 99)
    with pytest.raises(
        InputError, match=r"tiny\.yaml:\d+: corpus\.train\[1\]: train\.txt: is larger than 99 bytes; ex"
    ):
        read_texts(training)


def test_a_text_of_other_versions_folders_or_paragraphs_is_kept_apart(tmp_path, monkeypatch):
    kept = {}

    def cached(name, write):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        write(folder)
        return kept.setdefault(name, folder)

    def name_of(version="1.5", folder="p", paragraphs="blocks"):
        before = len(kept)
        spec = SimpleNamespace(origin=str(tmp_path / folder / "__init__.py"))
        monkeypatch.setattr(texts.importlib.util, "find_spec", lambda _: spec)
        monkeypatch.setattr(texts.metadata, "version", lambda _: version)
        packages = {"p": SimpleNamespace(licence="BSD")}
        of_packages(SimpleNamespace(packages=packages, sha256="", command="", paragraphs=paragraphs), None)
        return len(kept) - before

    monkeypatch.setattr(texts, "cached", cached)
    assert [name_of(), name_of()] == [1, 0]
    assert [name_of(version="1.6"), name_of(folder="q"), name_of(paragraphs="prose")] == [1, 1, 1]


def docstring(*blocks):
    """Return a module whose docstring has these paragraphs."""
    return ('"""' + "\n\n".join(blocks) + '\n"""\n').encode()


def test_files_are_read_in_the_order_of_their_paths_as_texts(tmp_path):
    """By their parts a folder would come before the file of its name: "s/x.py" is behind "s.py" as a text."""
    stems = (f"s{i}" for i in range(10_000))
    stem = next(s for s in stems if not is_held_out(f"p/{s}.py") and not is_held_out(f"p/{s}/x.py"))
    (tmp_path / stem).mkdir()
    (tmp_path / stem / "x.py").write_bytes(docstring("Second."))
    (tmp_path / f"{stem}.py").write_bytes(docstring("First."))
    assert docstrings({"p": tmp_path}, RECIPES["blocks"]) == (b"First.\n\nSecond.", b"")


def test_blocks_keep_their_indentation_and_lose_blanks_behind():
    source = docstring("Title.", "    >>> code  ", "  \t ", "last")
    assert list(RECIPES["blocks"].paragraphs(source)) == ["Title.", "    >>> code", "last"]
    for broken in (b"\0", b"def", b"\xff\xfe", b"# coding: none\n"):
        assert list(RECIPES["blocks"].paragraphs(broken)) == []


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("Six of the words are enough here.", True),
        ("Five words: altogether insufficient.", False),
        ("Five extraordinary altogether insufficient words here.", True),  # six
        ("One two three four five six 789.", True),  # 32 characters
        ("One two three four five six 78.", False),
        ("One two three -- four five six seven.", False),
        ("One two three - four five six seven.", True),
        ("one two three four five six seven.", False),
        ("One two three four five six seven!", False),
    ],
)
def test_prose_is_sentences_of_some_length(text, taken):
    assert list(RECIPES["prose"].paragraphs(docstring("x", text))) == [text] * taken


def test_prose_has_a_sentence_a_line_and_leaves_tests_out_but_no_helpers(tmp_path):
    sentences = [f"This sentence number {i} is about some values." for i in range(4)]
    places = ["tests/t.py", "testing/h.py", "a.py", "b.py"]
    assert not any(is_held_out(f"q/{place}") for place in places)
    for place, sentence in zip(places, sentences, strict=True):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(docstring(sentence))
    expected = "".join(f"{sentences[place]}\n" for place in (2, 3, 1))
    assert docstrings({"q": tmp_path}, RECIPES["prose"]) == (expected.encode(), b"")


def test_a_corpus_says_how_its_versions_are_installed():
    for corpus in corpora().values():
        named = [f"{name}=={package.version}" for name, package in corpus.packages.items()]
        assert corpus.command.split() == ["pip", "install", *named]
