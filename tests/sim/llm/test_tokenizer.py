"""Text to tokens and back, for every kind of tokenizer that a model's folder may have."""

from pathlib import Path
from typing import Any

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.sim.llm import tokenizer as module
from bitjoule.sim.llm.checkpoints.loading import load_model
from bitjoule.sim.llm.tokenizer import (
    ByteTokenizer,
    CharacterTokenizer,
    IdTokenizer,
    LibraryTokenizer,
    UnknownTextError,
    read_tokenizer,
)
from tests.sim.folders import problem, write


def test_bytes_and_characters_come_back_as_text(tmp_path: Path) -> None:
    text = "Überall – 3 % 💡"
    assert "".join(ByteTokenizer().stream(ByteTokenizer().encode(text))) == text
    assert "".join(ByteTokenizer().stream([0xF0, 0x9F, 65])) == "\N{REPLACEMENT CHARACTER}A"
    assert "".join(ByteTokenizer().stream([65, 0xF0, 0x9F])) == "A\N{REPLACEMENT CHARACTER}"
    characters = CharacterTokenizer(sorted(set(text)))
    assert "".join(characters.stream(characters.encode(text))) == text
    with pytest.raises(UnknownTextError, match="has 'x'"):
        characters.encode("x")
    write(tmp_path, {"bitjoule": {"tokenizer": "bytes"}})
    assert load_model(tmp_path).tokenizer.encode("ab") == [97, 98]


def test_without_a_tokenizer_ids_are_taken(tmp_path: Path) -> None:
    write(tmp_path)
    tokenizer = load_model(tmp_path).tokenizer
    assert isinstance(tokenizer, IdTokenizer)
    assert tokenizer.encode("1, 20 3") == [1, 20, 3]
    assert "".join(tokenizer.stream([1, 20])) == "1 20"
    with pytest.raises(UnknownTextError, match=r"no tokenizer\.json"):
        tokenizer.encode("Hello")


DISTINCT = "is not a list of distinct single characters"


@pytest.mark.parametrize(
    ("vocabulary", "wrong"),
    [
        ("[", "JSON: "), ("{}", DISTINCT), ('["ab"]', DISTINCT), ('["a", ""]', DISTINCT), ('["a", "a"]', DISTINCT),
        ('["a", 3]', DISTINCT), ('["a", "b"]', "has 2 characters"),
    ],
)  # fmt: skip
def test_a_wrong_vocabulary_is_refused(tmp_path: Path, vocabulary: str, wrong: str) -> None:
    write(tmp_path, {"bitjoule": {"tokenizer": "characters"}})
    (tmp_path / "vocabulary.json").write_text(vocabulary)
    told = problem(tmp_path)
    assert (told.file, told.wrong[: len(wrong)]) == ("model/vocabulary.json", wrong)


@pytest.mark.parametrize(("vocabulary", "fits"), [(2, False), (3, True), (4, False)])
def test_a_vocabulary_has_as_many_characters_as_the_embedding_rows(tmp_path: Path, vocabulary: int, fits: bool) -> None:
    (tmp_path / "vocabulary.json").write_text('["b", "a", "c"]')
    if fits:
        assert read_tokenizer(tmp_path, "characters", vocabulary).encode("abc") == [1, 0, 2]
        return
    expected = f"has 3 characters; expected {vocabulary}, the vocabulary size in config.json"
    with pytest.raises(InputError, match=expected):
        read_tokenizer(tmp_path, "characters", vocabulary)


def test_what_cannot_be_encoded_is_told_with_what_can() -> None:
    characters = CharacterTokenizer([chr(code) for code in range(0x4E00, 0x4E00 + 60)])
    with pytest.raises(UnknownTextError) as error:
        characters.encode("\u4e00yx")
    wrong, expected = error.value.args
    assert (wrong, expected.startswith("only characters of ")) == ("has 'y'", True)
    assert all(character in expected for character in characters.characters)
    for text in ("²", "1,-2", "12345678901234567890"):
        with pytest.raises(UnknownTextError) as error:
            IdTokenizer("why not").encode(text)
        assert error.value.args == (f"got {text!r}", "token ids: why not")
    assert IdTokenizer("").encode("1234567890123456789") == [1234567890123456789]


def test_a_tokenizer_of_hugging_face_is_run_by_its_library(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {character: index for index, character in enumerate(tokenizers.pre_tokenizers.ByteLevel.alphabet())}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    write(tmp_path)
    made.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_model(tmp_path).tokenizer
    text = "Grüße 💡!"
    pieces = list(tokenizer.stream(tokenizer.encode(text)))
    assert "".join(pieces) == text
    assert "💡" in pieces
    (tmp_path / "tokenizer.json").write_text("{}")
    assert problem(tmp_path).file == "model/tokenizer.json"


def sentencepiece_like() -> Any:
    """Return a tokenizer like Llama 2's: ▁ for a space, bytes for unknown characters, a first space stripped."""
    tokenizers = pytest.importorskip("tokenizers")
    decoders = tokenizers.decoders
    vocabulary = {"<unk>": 0, "▁the": 1, "▁sum": 2, "!": 3} | {f"<0x{byte:02X}>": 4 + byte for byte in range(256)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [], byte_fallback=True))
    made.add_special_tokens(["</s>"])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    made.decoder = decoders.Sequence(parts)
    return made


@pytest.mark.parametrize(
    ("ids", "pieces"),
    [
        ([1, 2, 3, 2], ["the", " sum", "!", " sum"]),
        ([1, *(4 + byte for byte in "💡".encode()), 2], ["the", "💡", " sum"]),
        ([1, 260, 2], ["the", " sum"]),  # a special token has no text
        ([1, *(4 + byte for byte in "💡".encode()[:2])], ["the", "\N{REPLACEMENT CHARACTER}" * 2]),
        ([], []),
    ],
)
def test_spaces_and_characters_of_several_bytes_stream_as_in_the_whole_text(ids: list[int], pieces: list[str]) -> None:
    made = sentencepiece_like()
    streamed = [piece for piece in LibraryTokenizer(made).stream(ids) if piece]
    assert streamed == pieces
    assert "".join(streamed) == made.decode(ids)


def test_a_tokenizer_that_the_embedding_is_too_small_for_is_refused(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    with pytest.raises(InputError, match="256 for a tokenizer of bytes"):
        read_tokenizer(tmp_path, "bytes", 255)
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, "a"))
    made.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="has 2 tokens; expected at most 1"):
        read_tokenizer(tmp_path, None, 1)


def test_tokens_that_were_added_to_a_vocabulary_need_rows_of_the_embedding_too(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, "a"))
    assert made.add_special_tokens(["</s>"]) == 1
    made.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="has 3 tokens; expected at most 2"):
        read_tokenizer(tmp_path, None, 2)
    assert read_tokenizer(tmp_path, None, 3).encode("</s>") == [2]


def test_without_the_library_ids_are_taken_and_the_message_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(UnknownTextError, match=r"not installed \(pip install 'bitjoule\[models\]'"):
        read_tokenizer(tmp_path, None, 10).encode("Hello")
