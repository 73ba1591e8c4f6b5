"""Mutated experiments: whatever a file says, the answer is 0 or 2 and never a traceback."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitjoule import cli
from bitjoule.experiments.reader import shipped_experiments

SHIPPED = [path.read_text() for path in shipped_experiments().values()]
FRAGMENTS = st.sampled_from(
    ["", " ", "\n", ":", "- ", "[", "]", "{", "}", "'", '"', "&a ", "*a", "!!int ", "|", "? ", "# ", "\t", "0", "-1",
     "1e9", ".nan", ".inf", "null", "true", "~", "999999999999", "name", "models", "kind", "512", "fp16",
     "x/config.json", "..", "é", "\x00", "\ud7ff", "{start: 1, stop: 9, step: 2}", "{m: 1, k: 2, n: 3}", "<<: *a",
     "---\n"]
)  # fmt: skip


@st.composite
def mutated(draw):
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 5, 20]))
        fragment = draw(st.one_of(FRAGMENTS, st.text(max_size=8)))
        text = text[:start] + fragment + text[start + length :]
    return text


def answer(text: str, path: Path) -> tuple[int, str]:
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        status = cli.main(["check", str(path)])
    return status, errors.getvalue()


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=mutated())
def test_a_mutated_experiment_is_accepted_or_refused_but_never_crashes(tmp_path_factory, text):
    status, err = answer(text, tmp_path_factory.getbasetemp() / "fuzz.yaml")
    assert status in (0, 2), err
    assert "Traceback" not in err
    assert (status == 2) == bool(err)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=200))
def test_any_text_is_refused_but_never_crashes(tmp_path_factory, text):
    status, err = answer(text, tmp_path_factory.getbasetemp() / "fuzz.yaml")
    assert status == 2, err
    assert "Traceback" not in err
