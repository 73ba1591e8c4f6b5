"""An experiment's platforms: by name, by path, as sets, written out; and what is said of each mistake."""

import re
from pathlib import Path

import pytest
import yaml

from bitjoule.energy_models.system.platform.platforms import FOLDER, platforms

GOOD = """\
name: good
accounting: system
models: [bitnet-125m]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
workload: {prompt_tokens: 8, new_tokens: 2}
baseline: {scheme: fp16}
platforms:
  - ternary-edge
"""
ENTRY = "- ternary-edge"
BARE = "{a: {holds: [activations], size_bytes: 1000, width_bits: 8, read_pj: 1, write_pj: 1}}"
INLINE = f"""\
- name: mine
    description: one
    arrays:
      a:
        lanes: 8
        columns: 8
        macs: [{{weights: [fp16, ternary], activations: [fp16, int8], energy_pj: 1}}]
        weight_registers: {{load_bits_per_cycle: 64}}
        accumulators: {{per: column, depth: 4, bits: 32}}
    vector: {{lanes: 4}}
    buffers: {BARE}
    off_chip: {{memory: lpddr4, bandwidth_gb_per_s: 8}}
    nodes: {{7nm: {{clock_mhz: 500}}}}
"""
CASES = {
    "a name misspelt": (
        ENTRY, "- ternary-egde",
        "9: platforms[0]: unknown platform 'ternary-egde' (did you mean 'ternary-edge'?); expected one",
    ),
    "two names misspelt": (
        ENTRY, "- aa\n  - ternary-egde",
        "10: platforms[1]: unknown platform 'ternary-egde' (did you mean 'ternary-edge'?)",
    ),
    "a path that is not there": (
        ENTRY, "- nope.yaml", "9: platforms[0]: 'nope.yaml' not found; expected a platform's YAML",
    ),
    "a scheme in FP32": (
        "[fp16, bitnet-b1.58]", "[fp16, fp32]",
        "9: platforms[0]: no array of platform ternary-edge computes fp32 x fp32, ",
    ),
    "a scheme in BF16": (
        "[fp16, bitnet-b1.58]", "[fp16, bf16]",
        "9: platforms[0]: no array of platform ternary-edge computes bf16 x bf16, the linears of the scheme (bf16); ex",
    ),
    "attention that no array computes": (
        ENTRY, "- adders.yaml",
        "9: platforms[0]: no array of platform adders computes fp16 x fp16, the attention of the scheme (bitnet-b1.58)",
    ),
    "a format without a price": (
        "technologies: [7nm]", "technologies: [45nm]",
        "9: platforms[0]: 45nm has no price for mul bf16, which platform brain needs (fp16)",
    ),
    "a platform without the node": (
        ENTRY, "- old.yaml",
        "9: platforms[0]: platform old has no clock at 7nm (nodes: 45nm) (fp16); expected 45nm, or a key nodes.",
    ),
    "a bank smaller than any priced": (
        ENTRY, "- {name: a, like: ternary-edge, buffers: {weights: {banks: 128}}}",
        "9: platforms[0]: 7nm has no price for sram of 4096 bytes per bank (fp16); "
        "expected 8192 to 1048576 bytes per bank: change banks, or give read_pj and write_pj",
    ),
    "a bank larger than any priced": (
        ENTRY, "- {name: a, like: ternary-edge, buffers: {weights: {size_bytes: 8388608}}}",
        "9: platforms[0]: 7nm has no price for sram of 2.09715e+06 bytes per bank (fp16); expected 8192 to",
    ),
    "platforms without the accounting": (
        "accounting: system\n", "", "7: platforms: platforms without accounting: system; expected both or neither",
    ),
    "the accounting without platforms": (
        f"platforms:\n  {ENTRY}\n", "", "2: accounting: accounting: system without platforms; expected both or neither",
    ),
    "a set without a scheme": (
        ENTRY, "- name: s\n    by_scheme: {fp16: fp16-edge}",
        "10: platforms[0].by_scheme: no platform for bitnet-b1.58; expected one for each scheme",
    ),
    "a set with an unknown scheme": (
        ENTRY, "- name: s\n    by_scheme:\n      fp16: fp16-edge\n      bitnet-b1.58: ternary-edge\n      fp61: fp16-e",
        "13: platforms[0].by_scheme.fp61: 'fp61' is not a scheme of this experiment (did you mean 'fp16'?); "
        "expected one of fp16, bitnet-b1.58",
    ),
    "a set with an unknown platform": (
        ENTRY, "- name: s\n    by_scheme:\n      fp16: fp16-egde\n      bitnet-b1.58: ternary-edge",
        "11: platforms[0].by_scheme.fp16: unknown platform 'fp16-egde' (did you mean 'fp16-edge'?); expected one of ",
    ),
    "a set whose machine cannot run its scheme": (
        ENTRY, "- name: s\n    by_scheme: {fp16: tpu32, bitnet-b1.58: ternary-edge}",
        "9: platforms[0]: no array of platform tpu32 computes fp16 x fp16, the linears of the scheme (fp16); expected ",
    ),
    "a set without a name": (
        ENTRY, "- by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}",
        "9: platforms[0].name: is missing; expected a value",
    ),
    "a platform written out with a misspelt key": (
        f"{ENTRY}\n", INLINE.replace("clock_mhz", "clock"),
        "21: platforms[0].nodes.7nm.clock: unknown key (did you mean 'clock_mhz'?); expected one of clock_mhz, leakage",
    ),
    "a platform written out without bandwidth": (
        f"{ENTRY}\n", INLINE.replace("_s: 8}", "_s: 0}"),
        "20: platforms[0].off_chip.bandwidth_gb_per_s: got 0; expected greater",
    ),
    "a platform written out with too small a buffer": (
        f"{ENTRY}\n", INLINE.replace("size_bytes: 1000", "size_bytes: 47"),
        "19: platforms[0].buffers.a.size_bytes: 47 bytes cannot hold a tile of array 'a'; "
        "expected at least 48 bytes, or few",
    ),
    "an attention that no platform runs": (
        f"{ENTRY}\n", f"{INLINE}    attention: flash\n",
        "22: platforms[0].attention: 'flash' is unknown; expected one of separate, fused",
    ),
    "a width of sums that no platform has": (
        f"{ENTRY}\n", f"{INLINE}    accumulate: papers\n",
        "22: platforms[0].accumulate: 'papers' is unknown (did you mean 'paper'?); expected one of paper, fp32, ac",
    ),
    "an array of unequal instances": (
        f"{ENTRY}\n", INLINE.replace("columns: 8", "columns: 8\n        instances: 3"),
        "15: platforms[0].arrays.a.instances: 8 columns in 3 instances; expected a divisor of columns",
    ),
    "a price at a node below nothing": (
        f"{ENTRY}\n", INLINE.replace("clock_mhz: 500", "clock_mhz: 500, accumulators: {read_pj_per_bit: -1}"),
        "21: platforms[0].nodes.7nm.accumulators.read_pj_per_bit: got -1; expected greater than or equal to 0",
    ),
    "a platform of a file with a mistake": (
        ENTRY, "- broken.yaml", "BROKEN:2: vector.lanes: got 0; expected greater than or equal to 1",
    ),
    "a number for a platform": (
        ENTRY, "- 5", "9: platforms[0]: got 5; expected a name, a path to a platform's YAML, or a mapping",
    ),
    "one name twice": (ENTRY, f"{ENTRY}\n  {ENTRY}", "8: platforms: duplicate 'ternary-edge'; expected each"),
    "a file named as a platform": (
        ENTRY, f"{ENTRY}\n  - ./ternary-edge.yaml",
        "10: platforms[1]: duplicate platform 'ternary-edge'; expected each name once",
    ),
    "a baseline on no platform": (
        "{scheme: fp16}", "{platform: ternary-egde}",
        "7: baseline.platform: 'ternary-egde' is not in this experiment (did you mean 'ternary-edge'?); "
        "expected ternary-edge",
    ),
    "no platform": (f"\n  {ENTRY}", " []", "8: platforms: is empty; expected at least 1 item"),
}  # fmt: skip


def write_files(folder: Path) -> None:
    (folder / "ternary-edge.yaml").write_text((FOLDER / "ternary-edge.yaml").read_text())
    (folder / "old.yaml").write_text("like: int8-edge\nnodes: {7nm: null}\n")
    (folder / "broken.yaml").write_text("like: int8-edge\nvector: {lanes: 0}\n")
    (folder / "adders.yaml").write_text("like: ternary-edge\narrays: {float: null}\n")
    macs = "[{weights: [fp16, ternary], activations: [fp16, int8], actions: [mul bf16, add bf16]}]"
    (folder / "brain.yaml").write_text(f"like: fp16-edge\narrays: {{fp16: {{macs: {macs}}}}}\n")


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_in_platforms_is_told_with_its_line(tmp_path, bitjoule, name):
    old, new, message = CASES[name]
    text = GOOD.replace(old, new, 1)
    assert old in GOOD
    text = text.replace(ENTRY, "- brain.yaml") if name == "a format without a price" else text
    write_files(tmp_path)
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    status, out, err = bitjoule("check", path)
    assert (status, out) == (2, "")
    expected = message.replace("BROKEN", str(tmp_path / "broken.yaml")) if "BROKEN" in message else f"{path}:{message}"
    assert expected in err
    for line in err.splitlines():
        assert re.match(r"/\S+:\d+: [\w.\[\]-]+: .+; expected .+", line), line
    assert "''" not in err  # nothing is said of the name of what has none


@pytest.mark.parametrize("member", ["fp16-egde", "nope.yaml", "broken.yaml"])
def test_a_set_that_names_a_wrong_platform_for_a_scheme_does_not_lack_one(tmp_path, bitjoule, member):
    write_files(tmp_path)
    entry = f"- name: s\n    by_scheme:\n      bitnet-b1.58: ternary-edge\n      fp16: {member}"
    status, out, err = bitjoule("check", experiment(tmp_path, GOOD.replace(ENTRY, entry)))
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert "no platform" not in err


def run(bitjoule, path: Path, out: Path, *more: str) -> Path:
    status, _, err = bitjoule("run", path, "--out", out, "--no-plots", *more)
    assert (status, err) == (0, "")
    return out / "good"


def tables(folder: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    assert "summary.csv" in found
    assert len(found["summary.csv"].splitlines()) > 2
    return found


def experiment(folder: Path, text: str = GOOD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "experiment.yaml"
    path.write_text(text)
    return path


def test_a_platform_of_a_file_runs_and_its_result_can_be_run_again_without_that_file(tmp_path, bitjoule):
    path = experiment(tmp_path / "first", GOOD.replace(ENTRY, "- mine.yaml"))
    (path.parent / "mine.yaml").write_text("like: ternary-edge\nvector: {lanes: 8}\n")
    folder = run(bitjoule, path, tmp_path / "results")
    (written,) = yaml.safe_load((folder / "experiment.yaml").read_text())["platforms"]
    assert written["name"] == "mine"
    assert written["vector"] == {"lanes": 8}
    (path.parent / "mine.yaml").unlink()
    again = run(bitjoule, folder / "experiment.yaml", tmp_path / "again")
    assert tables(again) == tables(folder)


def test_a_platform_by_name_by_path_and_written_out_give_the_same_tables(tmp_path, bitjoule):
    named = tables(run(bitjoule, experiment(tmp_path / "named"), tmp_path / "results1"))
    of_file = experiment(tmp_path / "file", GOOD.replace(ENTRY, "- ./ternary-edge.yaml"))
    write_files(of_file.parent)
    whole = {"name": "ternary-edge", **platforms()["ternary-edge"].with_defaults()}
    inline = experiment(tmp_path / "inline", yaml.safe_dump({**yaml.safe_load(GOOD), "platforms": [whole]}))
    assert tables(run(bitjoule, of_file, tmp_path / "results2")) == named
    assert tables(run(bitjoule, inline, tmp_path / "results3")) == named


def test_a_set_of_files_names_and_machines_written_out_runs_again_the_same(tmp_path, bitjoule):
    machine = INLINE.replace("\n    ", "\n        ").removeprefix("- ")
    entry = f"- name: mixed\n    by_scheme:\n      fp16:\n        {machine}      bitnet-b1.58: edge/slow.yaml"
    path = experiment(tmp_path / "first", GOOD.replace(ENTRY, entry))
    (path.parent / "edge").mkdir()
    (path.parent / "edge/slow.yaml").write_text("like: ternary-edge\noff_chip: {bandwidth_gb_per_s: 1}\n")
    folder = run(bitjoule, path, tmp_path / "results")
    (written,) = yaml.safe_load((folder / "experiment.yaml").read_text())["platforms"]
    assert {scheme: one["name"] for scheme, one in written["by_scheme"].items()} == {
        "fp16": "mine", "bitnet-b1.58": "slow",
    }  # fmt: skip
    again = run(bitjoule, folder / "experiment.yaml", tmp_path / "again")
    assert tables(again) == tables(folder)


def test_a_name_stays_a_name_in_the_result(resolved):
    assert resolved(GOOD).experiment.platforms == ["ternary-edge"]


def test_a_set_runs_each_scheme_on_its_own_machine(resolved):
    entry = "- {name: area, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}"
    found = resolved(GOOD.replace(ENTRY, entry)).platforms
    assert {scheme: name for scheme, (name, _) in found["area"].items()} == {
        "fp16": "fp16-edge", "bitnet-b1.58": "ternary-edge",
    }  # fmt: skip
    assert found["area"]["fp16"][1] == platforms()["fp16-edge"]


def test_a_path_is_relative_to_the_experiment_and_one_set_by_hand_to_the_working_folder(
    tmp_path, resolved, monkeypatch
):
    (tmp_path / "here").mkdir()
    (tmp_path / "mine.yaml").write_text("like: ternary-edge\nvector: {lanes: 8}\n")
    (tmp_path / "here/other.yaml").write_text("like: ternary-edge\nvector: {lanes: 9}\n")
    monkeypatch.chdir(tmp_path / "here")
    of_file = resolved(GOOD.replace(ENTRY, "- mine.yaml"))
    by_hand = resolved(GOOD, "platforms[0]=other.yaml")
    assert of_file.experiment.platforms[0].vector.lanes == 8
    assert by_hand.experiment.platforms[0].vector.lanes == 9
    assert {"mine.yaml"} < set(of_file.inputs)


def test_a_file_of_any_name_becomes_a_platform_with_a_name_that_may_stand_in_a_file(tmp_path, resolved):
    (tmp_path / "_my chip (2).yaml").write_text("like: ternary-edge\n")
    found = resolved(GOOD.replace(ENTRY, '- "_my chip (2).yaml"'))
    assert list(found.platforms) == ["my-chip--2-"]
    assert found.experiment.platforms[0].name == "my-chip--2-"


def test_a_cache_wider_than_the_buffer_is_refused_before_anything_runs(tmp_path, bitjoule):
    wide = "{name: wide, weights: int8, activations: int8, attention: int8, rescale: fp16, kv_cache: fp32}"
    macs = "[{weights: [int8, fp16], activations: [int8, fp16], energy_pj: 1}]"
    text = GOOD.replace("[fp16, bitnet-b1.58]", f"[fp16, {wide}]").replace(f"{ENTRY}\n", INLINE)
    text = re.sub(r"macs: .+", f"macs: {macs}", text)
    # 64 weights of 16 bits, 8 inputs of 16 bits and 8 sums of 32 bits; but 64 keys of 32 bits take twice as much
    small = BARE.replace("1000", str((64 * 16 + 8 * 16 + 8 * 32) // 8)).replace("[act", "[weights, act")
    path = experiment(tmp_path, text.replace(BARE, small))
    status, out, err = bitjoule("check", path)
    assert (status, out) == (2, "")
    assert (
        "the buffers of platform mine cannot hold a tile of 8 x 8 (wide); expected larger buffers, or fewer lanes"
        in err
    )
