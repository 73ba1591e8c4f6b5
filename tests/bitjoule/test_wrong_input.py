"""Malformed experiments: exit status 2, one line with file, line and key, and no file left behind."""

import re

import pytest

from bitjoule.energy_models.inputs.documents import parse_document
from bitjoule.experiments.energy.resolve import resolve
from tests.boundaries import refused_at_a_bound

GOOD = """\
name: good
models: [bitnet-125m]
schemes: [fp16, bitnet]
technologies: [7nm]
workload: {prompt_tokens: 512}
baseline: {scheme: fp16}
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(10))}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
)
INLINE = "{name: m, layers: 1, hidden: 4, heads: 2, ffn: 8, ffn_gated: true, activation: silu, vocabulary: 5}"

# what is replaced in GOOD, by what, and the message after the file's name
CASES = {
    "unknown key": ("workload:", "worklod:", "5: worklod: unknown key (did you mean 'workload'?)"),
    "unknown nested key": ("prompt_tokens", "prompt_token", "5: workload.prompt_token: unknown key (did you mean 'prompt_t"),
    "wrong type of a number": ("512", "many", "5: workload.prompt_tokens: got 'many'; expected a valid integer"),
    "a number in quotes": ("512", "'512'", "5: workload.prompt_tokens: got '512'; expected a valid integer"),
    "a number with a unit": ("512", "512 tokens", "5: workload.prompt_tokens: got '512 tokens'; expected a valid integer"),
    "a fraction": ("512", "0.5", "5: workload.prompt_tokens: got 0.5; expected a valid integer"),
    "infinity": ("512", ".inf", "5: workload.prompt_tokens: got .inf; expected a valid integer"),
    "a truth value": ("512", "yes", "5: workload.prompt_tokens: got 'yes'; expected a valid integer"),
    "a date": ("512", "2026-11-22", "5: workload.prompt_tokens: got '2026-11-22'; expected a valid integer"),
    "nothing": ("512", "", "5: workload.prompt_tokens: got null; expected a valid integer"),
    "negative": ("512", "-1", "5: workload.prompt_tokens: got -1; expected greater than or equal to 1"),
    "zero": ("512", "0", "5: workload.prompt_tokens: got 0; expected greater than or equal to 1"),
    "too large": ("512", "10000000000", "5: workload.prompt_tokens: got 10000000000; expected less than or equal to"),
    "beyond any integer": ("512", "9" * 5000, "5: workload.prompt_tokens: '9999"),
    "empty sweep": ("512", "[]", "5: workload.prompt_tokens: is empty; expected at least 1 item"),
    "range of powers of nothing": (
        "512",
        "{start: 0, stop: 8, factor: 2}",
        "5: workload.prompt_tokens: a range with a factor starts at 0; expected start >= 1",
    ),
    "empty range": ("512", "{start: 8, stop: 4, step: 1}", "5: workload.prompt_tokens: stop 4 is below start 8: an empty"),
    "range without spacing": ("512", "{start: 1, stop: 4}", "5: workload.prompt_tokens: a range requires one of step and"),
    "range from zero": ("512", "{start: 0, stop: 4, step: 1}", "5: workload.prompt_tokens: starts at 0; expected at least 1"),
    "zero step": ("512", "{start: 1, stop: 4, step: 0}", "5: workload.prompt_tokens.step: got 0; expected greater"),
    "a value swept twice": ("512", "[4, 4]", "5: workload.prompt_tokens: duplicate value 4; expected each value once"),
    "a batch swept twice": ("512", "512, batch: [4, 4]", "5: workload.batch: duplicate value 4; expected each value once"),
    "new tokens swept twice": ("512", "512, new_tokens: [7, 7]", "5: workload.new_tokens: duplicate value 7; expected each"),
    "too many cases": ("512", "{start: 1, stop: 999999, step: 1}", "5: workload: the sweep has 1999998 cases; expected at"),
    "unknown model": ("bitnet-125m", "bitnet-125mb", "2: models[0]: unknown model 'bitnet-125mb' (did you mean 'bitnet-125m'?)"),
    "a model that is a number": ("bitnet-125m", "7", "2: models[0]: got 7; expected a name, a path to a config.json or a GGUF file, or a mapping"),
    "a model twice": ("bitnet-125m", "bitnet-125m, bitnet-125m", "2: models: duplicate 'bitnet-125m'; expected each"),
    "no models": ("[bitnet-125m]", "[]", "2: models: is empty; expected at least 1 item"),
    "models that are no list": ("[bitnet-125m]", "bitnet-125m", "2: models: got 'bitnet-125m'; expected a valid list"),
    "models left out": ("models: [bitnet-125m]\n", "", "1: file: neither models nor matmuls is given; expected one of them"),
    "models and matmuls": ("schemes", "matmuls: [{m: 1, k: 1, n: 1}]\nschemes", "1: file: models and matmuls are both given"),
    "a matmul of nothing": ("models: [bitnet-125m]", "matmuls: [{m: 0, k: 1, n: 1}]", "2: matmuls[0].m: got 0; expected"),
    "a shape without layers": ("[bitnet-125m]", f"[{INLINE.replace('layers: 1, ', '')}]", "2: models[0].layers: is missing"),
    "heads that do not divide": ("[bitnet-125m]", f"[{INLINE.replace('heads: 2', 'heads: 3')}]", "2: models[0].heads: hidden (4) is not"),
    "a shape with a misspelt key": ("[bitnet-125m]", f"[{INLINE.replace('ffn:', 'fnn:')}]", "2: models[0].fnn: unknown key"),
    "a missing config": ("[bitnet-125m]", "[nowhere/config.json]", "2: models[0]: 'nowhere/config.json' not found; expected a config.json, a GGUF file, or the directory of one"),
    "unknown scheme": ("fp16, bitnet]", "fp16, bitnit]", "3: schemes[1]: unknown scheme 'bitnit' (did you mean 'bitnet'?)"),
    "a scheme without scales": (
        "bitnet]", "{name: t, weights: ternary, activations: int8, attention: fp16}]",
        "3: schemes[1]: ternary weights without rescale; expected `rescale`",
    ),
    "wrong unit of a node": ("7nm", "7um", "4: technologies[0]: unknown technology '7um' (did you mean '7nm'?)"),
    "a node without unit": ("[7nm]", "[7]", "4: technologies[0]: got 7; expected a name, a path to a technology's YAML, or a mapping with"),
    "a price missing at a node": (
        "[fp16, bitnet]\ntechnologies: [7nm]", "[fp16, bf16]\ntechnologies: [45nm]",
        "3: schemes[1]: 45nm has no price for add bf16, mul bf16, which bf16 needs; expected one of the formats fp16",
    ),
    "unknown accounting": ("models", "accounting: arithmetik\nmodels", "2: accounting: 'arithmetik' is unknown (did you mean"),
    "a name with a slash": ("name: good", "name: ../good", "1: name: got '../good'; expected"),
    "a name in capitals": ("name: good", "name: Good", "1: name: got 'Good'; expected"),
    "no name": ("name: good\n", "", "1: name: is missing; expected a value"),
    "a baseline that is not run": ("{scheme: fp16}", "{scheme: fp32}", "6: baseline.scheme: 'fp32' is not in this experiment"),
    "an empty baseline": ("{scheme: fp16}", "{}", "6: baseline: an empty baseline; expected at least one of"),
    "a baseline of nothing": ("{scheme: fp16}", "{scheme: null}", "6: baseline: an empty baseline; expected at least one of"),
    "half a character": ("models", 'description: "\\ud800"\nmodels', "2: description: '\\ud800' is not a valid value; expected text"),
    "a shape beyond bounds": ("[bitnet-125m]", f"[{INLINE.replace('ffn: 8', 'ffn: 10000000, experts: 10000000').replace('layers: 1', 'layers: 100000')}]", "2: models[0]: a model of"),
    "a device": ("[bitnet-125m]", "[/dev/zero]", "/dev/zero:1: file: is larger than"),
    "unknown published table": ("baseline", "published: bitnet_table\nbaseline", "6: published: unknown published table 'bitnet_tab"),
    "unknown plot": ("baseline", "plots: [{kind: energy_vs_sise}]\nbaseline", "6: plots[0].kind: 'energy_vs_sise' is unknown (did you"),
    "a plot without its data": ("baseline", "plots: [{kind: published}]\nbaseline", "6: plots: a plot of kind 'published' without"),
    "a plot of time without system": ("baseline", "plots: [{kind: roofline}]\nbaseline", "6: plots[0]: a plot of kind 'roofline' requires values that accounting arithmetic lacks; expected accounting: system"),
    "a sweep of time without system": ("baseline", "plots: [{kind: sweep, over: batch, quantity: latency_s}]\nbaseline", "6: plots[0]: a plot of kind 'sweep' requires values"),
    "a sweep of ratios without baseline": ("baseline: {scheme: fp16}", "plots: [{kind: sweep, over: batch, quantity: ratio_to_baseline}]", "6: plots[0]: a plot of kind 'sweep' of ratios without `base"),
    "a plot of a phase that does not happen": ("baseline", "plots: [{kind: components, phase: decode}]\nbaseline", "6: plots[0]: a plot of decode without new tokens; expected new_tokens >= 1"),
    "a plot of a law that nobody has": ("schemes: [fp16, bitnet]", "plots: [{kind: loss_vs_energy}]\nschemes: [int8]", "3: plots[0]: a plot of kind 'loss_vs_energy' without a scaling law"),
    "a sweep of matmuls": ("models: [bitnet-125m]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\nworkload: {prompt_tokens: 512}\n", "matmuls: [{m: 1, k: 2, n: 3}]\nschemes: [fp16]\ntechnologies: [7nm]\nplots: [{kind: sweep, over: batch}]\n", "5: plots[0]: a plot of kind 'sweep' does not support matmuls"),
    "a context beyond any mapping": ("workload: {prompt_tokens: 512}", "accounting: system\nplatforms: [ternary-edge]\nworkload: {prompt_tokens: 16777216, new_tokens: 1}", "7: workload: a context of 16777217 tokens; expected at most 16777216 with"),
    "a context beyond any mapping, of a sweep that falls": ("workload: {prompt_tokens: 512}", "accounting: system\nplatforms: [ternary-edge]\nworkload: {prompt_tokens: [16777216, 1], new_tokens: [1, 0]}", "7: workload: a context of 16777217 tokens; expected at most 16777216 with"),
    "a matmul beyond any mapping": ("models: [bitnet-125m]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\nworkload: {prompt_tokens: 512}\n", "accounting: system\nplatforms: [ternary-edge]\nmatmuls: [{m: 1, k: 16777217, n: 3}]\nschemes: [fp16]\ntechnologies: [7nm]\n", "4: matmuls[0].k: got 16777217; expected at most 16777216 with accounting: system"),
    "an unknown objective": ("workload:", "objective: speed\nworkload:", "5: objective: 'speed' is unknown; expected one of energy, latency, edp"),
    "an unknown number of experts": ("workload:", "experts: most\nworkload:", "5: experts: 'most' is unknown; expected one of expected, bound"),
    "a plot of a workload that is not run": ("baseline", "plots: [{kind: components, at: {prompt_tokens: 9}}]\nbaseline", "6: plots[0].at.prompt_tokens: 9 is not in the workload; expected"),
    "a sweep at a value of its own": ("baseline", "plots: [{kind: sweep, over: batch, at: {batch: 1}}]\nbaseline", "6: plots[0].at.batch: the plot is over batch; expected another key"),
    "a plot of a workload of matmuls": ("models: [bitnet-125m]\nschemes: [fp16, bitnet]\ntechnologies: [7nm]\nworkload: {prompt_tokens: 512}\n", "matmuls: [{m: 1, k: 2, n: 3}]\nschemes: [fp16]\ntechnologies: [7nm]\nplots: [{kind: components, at: {batch: 1}}]\n", "5: plots[0].at: a workload of matmuls; expected a plot without `at`"),
    "a plot of a model that is not run": ("baseline", "plots: [{kind: components, models: [bitnet-125n]}]\nbaseline", "6: plots[0].models[0]: unknown model of this experiment 'bitnet-125n' (did you mean 'bitnet-125m'?)"),
    "a plot without kind": ("baseline", "plots: [{by: action}]\nbaseline", "6: plots[0]: key 'kind' is missing"),
    "duplicate key": ("baseline", "name: again\nbaseline", "6: name: duplicate key, first on line 1; expected each key once"),
    "a key that is no text": ("baseline", "1: 2\nbaseline", "6: file: the key '1' is not text"),
    "YAML syntax": ("[7nm]", "[7nm", "5: file: YAML: "),
    "a tab": ("name: good", "\tname: good", "1: file: YAML: "),
    "two documents": ("baseline", "---\nbaseline", "6: file: YAML: but found another document"),
    "a control character": ("good", "go\x07od", "1: file: contains a character that YAML does not allow"),
    "an unknown anchor": ("[7nm]", "*nodes", "4: file: YAML: found undefined alias"),
    "a Python object": ("good", "!!python/name:os.system", "1: name: "),
    "a list": (GOOD, "- a\n- b\n", "1: file: got ['a', 'b']; expected a mapping with the keys name"),
    "a word": (GOOD, "hello", "1: file: got 'hello'; expected a mapping with the keys name"),
    "an empty file": (GOOD, "", "1: file: is empty; expected a YAML mapping"),
    "an anchor bomb": (GOOD, BOMB, "1: e: expands to more than 100000 values; expected fewer anchors"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_experiment_is_refused_and_leaves_nothing(tmp_path, bitjoule, name):
    old, new, message = CASES[name]
    assert old in GOOD
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    status, out, err = bitjoule("run", path, "--out", tmp_path / "results")
    assert status == 2
    assert out == ""
    assert message in err
    for line in err.splitlines():
        assert re.match(r"/\S+:\d+: [\w.\[\]]+: .+; expected .+", line), line
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize("name", [name for name, (_, new, _) in CASES.items() if re.search(r"\d", new)])
def test_the_least_and_the_most_that_a_message_expects_are_accepted(name):
    old, new, _ = CASES[name]
    assert list(refused_at_a_bound(lambda text: resolve(parse_document(text, "f.yaml")), GOOD, old, new)) == []


def test_there_are_at_least_thirty_malformed_experiments():
    assert len(CASES) >= 30


@pytest.mark.parametrize("what", ["missing", "directory", "binary"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, bitjoule, what):
    path = tmp_path / "bad.yaml"
    if what == "directory":
        path.mkdir()
    if what == "binary":
        path.write_bytes(bytes(range(256)))
    status, out, err = bitjoule("run", path, "--out", tmp_path / "results")
    assert (status, out) == (2, "")
    assert re.match(rf"{re.escape(str(path))}:1: file: .+; expected .+\n", err)
    assert not (tmp_path / "results").exists()


def test_one_wrong_experiment_among_several_stops_all_before_any_runs(tmp_path, bitjoule):
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("7nm", "8nm"))
    status, _, err = bitjoule("run", tmp_path / "good.yaml", tmp_path / "bad.yaml", "--out", tmp_path / "results")
    assert status == 2
    assert "bad.yaml:4: technologies[0]: unknown technology '8nm'" in err
    assert not (tmp_path / "results").exists()


def test_two_experiments_of_one_name_are_refused(tmp_path, bitjoule):
    (tmp_path / "good.yaml").write_text(GOOD)
    status, _, err = bitjoule("run", tmp_path / "good.yaml", tmp_path / "good.yaml", "--out", tmp_path / "results")
    assert status == 2
    wrong = "duplicate experiment name 'good'; expected a unique name, since it names the output directory"
    assert err == f"{tmp_path}/good.yaml:1: file: {wrong}\n"


def test_check_says_the_same_as_run(tmp_path, bitjoule):
    (tmp_path / "bad.yaml").write_text(GOOD.replace("7nm", "8nm"))
    ran = bitjoule("run", tmp_path / "bad.yaml", "--out", tmp_path / "results")
    assert bitjoule("check", tmp_path / "bad.yaml") == ran
    (tmp_path / "good.yaml").write_text(GOOD)
    assert bitjoule("check", tmp_path / "good.yaml") == (0, f"{tmp_path}/good.yaml: ok, 2 cases\n", "")


@pytest.mark.parametrize(
    "override", ["models[" + "9" * 5000 + "]=x", "a\nb=1", "description=\ud800", "=" * 50, "name=" + "x" * 300]
)
def test_an_odd_override_is_refused_in_one_line(tmp_path, bitjoule, override):
    (tmp_path / "good.yaml").write_text(GOOD)
    status, out, err = bitjoule("run", tmp_path / "good.yaml", "--set", override, "--out", tmp_path / "results")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "; expected " in err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".yaml", "a/" * 3000 + "b.yaml", ""])
def test_an_odd_file_name_is_refused(bitjoule, name):
    status, out, err = bitjoule("check", name)
    assert (status, out) == (2, "")
    assert "; expected " in err


@pytest.mark.parametrize("out", ["x" * 300, "/dev/null/x", "/proc/nothing"])
def test_an_output_folder_that_cannot_be_made_is_refused(tmp_path, bitjoule, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    status, stdout, err = bitjoule("run", "good.yaml", "--out", out)
    assert (status, stdout) == (2, "")
    assert "/good:1: file: cannot be written: " in err
    assert [path.name for path in tmp_path.iterdir()] == ["good.yaml"]


@pytest.mark.parametrize("jobs", ["0", "-1", "x", "1.5", "9" * 5000])
def test_a_wrong_number_of_jobs_is_refused(bitjoule, jobs):
    status, _, err = bitjoule("run", "bitnet_table1", "--jobs", jobs)
    assert status == 2
    assert "expected a whole number from 1 to 999" in err


@pytest.mark.parametrize("name", ["nope.yaml", "folder/", "/bin/ls", "nothing"])
def test_showing_what_is_no_experiment_is_refused(tmp_path, bitjoule, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    status, out, err = bitjoule("show", "experiment", name)
    assert (status, out) == (2, "")
    assert re.match(rf"{name}:1: file: .+; expected .+\n", err)


def test_an_output_folder_in_the_way_is_refused_by_every_worker(tmp_path, bitjoule):
    (tmp_path / "out").write_text("")
    status, _, err = bitjoule("run", "bitnet_table1", "b158_mac_energy", "--out", tmp_path / "out", "--jobs", "2")
    assert status == 2
    assert re.match(
        rf"{tmp_path}/out/\w+:1: file: cannot be written: .+; expected a folder that can be written\n$", err
    )


def test_an_empty_output_folder_is_refused(bitjoule):
    assert bitjoule("run", "bitnet_table1", "--out", "")[0] == 2
