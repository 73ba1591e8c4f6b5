"""Mutated experiments: whatever a file says, the answer is 0 or 2 and never a traceback."""

import contextlib
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitjoule import cli
from bitjoule.energy_models.architecture.readers.huggingface import read_config
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.system.platform.platforms import FOLDER
from bitjoule.experiments.files import shipped_experiments

# all but the largest, which takes longest to run
SHIPPED = [path.read_text() for name, path in shipped_experiments("energy").items() if name != "model_size_curve"]
CONFIGS = [path.read_text() for path in (Path(__file__).parents[1] / "energy_models" / "configs").glob("*/config.json")]
SMALL = """\
name: small
models:
  - bitnet-125m
  - {name: t, layers: 1, hidden: 4, heads: 2, ffn: 8, ffn_gated: true, activation: silu, vocabulary: 5}
schemes: [fp16, {name: s, weights: binary, activations: int8, attention: fp16, rescale: fp16}]
technologies: [45nm, 7nm]
workload: {prompt_tokens: [1, 512], new_tokens: {start: 1, stop: 9, factor: 3}, batch: 2}
baseline: {scheme: fp16}
plots: [{kind: energy_vs_size}, {kind: components, by: action}]
"""
SHIPPED.append(SMALL)
PLATFORMS = [path.read_text() for path in FOLDER.glob("*.yaml")]
ON_A_PLATFORM = """\
name: small
accounting: system
matmuls: [{m: 5, k: 300, n: 70}]
schemes: [SCHEME]
technologies: [45nm, 7nm]
platforms: [./fuzz_platform.yaml]
"""
FRAGMENTS = st.sampled_from(
    ["", " ", "\n", ":", "- ", "[", "]", "{", "}", "'", '"', "&a ", "*a", "!!int ", "|", "? ", "# ", "\t", "0", "-1",
     "1e9", ".nan", ".inf", "null", "true", "NaN", '"\\ud800"', "~", "999999999999", "name", "models", "kind", "512",
     "fp16",
     "x/config.json", "..", "é", "\x00", "\ud7ff", "{start: 1, stop: 9, step: 2}", "{m: 1, k: 2, n: 3}", "<<: *a",
     "---\n"]
)  # fmt: skip


@st.composite
def mutated(draw, texts):
    text = draw(st.sampled_from(texts))
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
        status = cli.main(["run", str(path), "--out", str(path.parent / "fuzz"), "--no-plots", "--jobs", "1"])
    return status, errors.getvalue()


def problems(err: str) -> list[str]:
    return [line for line in err.splitlines() if not line.startswith("bitjoule: ")]  # those are warnings


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))  # each commit draws others
@given(text=mutated(SHIPPED))
def test_a_mutated_experiment_is_accepted_or_refused_but_never_crashes(tmp_path_factory, text):
    status, err = answer(text, tmp_path_factory.getbasetemp() / "fuzz.yaml")
    assert status in (0, 2), err
    assert "Traceback" not in err
    assert (status == 2) == bool(problems(err))


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=200))
def test_any_text_is_refused_but_never_crashes(tmp_path_factory, text):
    status, err = answer(text, tmp_path_factory.getbasetemp() / "fuzz.yaml")
    assert status == 2, err
    assert "Traceback" not in err


@pytest.mark.slow
@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=mutated(PLATFORMS), scheme=st.sampled_from(["fp16", "int8", "bitnet-b1.58"]))
def test_a_mutated_platform_runs_or_is_refused_but_never_crashes(tmp_path_factory, text, scheme):
    folder = tmp_path_factory.getbasetemp()
    (folder / "fuzz_platform.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    status, err = answer(ON_A_PLATFORM.replace("SCHEME", scheme), folder / "fuzz.yaml")
    assert status in (0, 2), err
    assert "Traceback" not in err
    assert (status == 2) == bool(problems(err))


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=mutated(CONFIGS))
def test_a_mutated_config_is_read_or_refused_but_never_crashes(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "config.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(InputError):
        assert read_config(path).parameters > 0
