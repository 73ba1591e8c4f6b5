"""A shell completes what the parser knows."""

import contextlib
import subprocess

import pytest

WORDS = """
source {script}
COMP_WORDS=({words}) COMP_CWORD={last}
_shtab_bitjoule
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Return a function that says what bash offers after some words."""
    from bitjoule import cli

    folder = tmp_path_factory.mktemp("shell")
    with (folder / "script").open("w") as script, contextlib.redirect_stdout(script):
        assert cli.main(["completion", "bash"]) == 0
    (folder / "mine.yaml").touch()

    def offered(*words):
        quoted = " ".join(f"'{word}'" for word in words)
        program = WORDS.format(script=folder / "script", words=quoted, last=len(words) - 1)
        done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return offered


def test_commands_options_choices_and_files_are_offered(complete):
    assert {"run", "report", "explorer", "compare", "rtl"} <= set(complete("bitjoule", ""))
    assert complete("bitjoule", "expl") == ["explore", "explorer"]
    assert set(complete("bitjoule", "rtl", "ver")) == {"verify"}
    assert {"--no-plots", "--jobs"} <= set(complete("bitjoule", "run", "--"))
    assert {"models", "platforms"} <= set(complete("bitjoule", "list", ""))
    assert "mine.yaml" in complete("bitjoule", "run", "mi")


@pytest.mark.parametrize(
    "words",
    [
        ("check",), ("explorer",), ("report",), ("query",), ("compare", "mine.yaml"), ("fit",), ("import",),
        ("new", "platform", "-o"), ("run", "x", "--out"), ("show", "mapping", "tpu32", "1x1x1", "--save"),
        ("rtl", "place", "tiny_8x4", "-o"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_files_are_offered_wherever_one_is_taken(complete, words):
    assert "mine.yaml" in complete("bitjoule", *words, "mi")


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script(bitjoule, shell):
    status, out, _ = bitjoule("completion", shell)
    assert status == 0
    assert "explorer" in out
