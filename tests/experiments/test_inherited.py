"""Inline entries of experiments that are like another one."""

import json

import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

from bitjoule.execution import json_schema
from bitjoule.experiments.energy.runner import run

TEXT = """\
name: mine
accounting: system
matmuls: [{m: 8, k: 256, n: 256}]
schemes: [fp16, bitnet-b1.58]
technologies: [7nm]
platforms: [{name: edge, by_scheme: {fp16: fp16-edge, bitnet-b1.58: ternary-edge}}]
"""
WIDE = "{name: wide, like: ternary-edge, vector: {lanes: 32}, nodes: {7nm: {clock_mhz: 250}}}"


def energies(result):
    return result.summary[["scheme", "technology", "energy_j"]].to_dict("list")


def test_an_inline_platform_is_as_the_file_that_says_the_same(resolved, tmp_path):
    (tmp_path / "wide.yaml").write_text("like: ternary-edge\nvector: {lanes: 32}\nnodes: {7nm: {clock_mhz: 250}}\n")
    inline, file = (run(resolved(TEXT.replace(": ternary-edge", f": {entry}"))) for entry in (WIDE, "wide.yaml"))
    assert energies(inline) == energies(file)
    assert energies(inline) != energies(run(resolved(TEXT)))


@pytest.mark.parametrize(
    "like", ["lib/wide.yaml", "{like: ternary-edge, vector: {lanes: 32}}", "{like: lib/wide.yaml, description: again}"]
)
def test_a_base_may_be_a_path_or_written_in_place(resolved, tmp_path, like):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "wide.yaml").write_text("like: ternary-edge\nvector: {lanes: 32}\n")
    entry = f"{{name: wide, like: {like}, nodes: {{7nm: {{clock_mhz: 250}}}}}}"
    experiment = resolved(TEXT.replace("platforms: [", f"platforms: [{entry}, "))
    name, machine = experiment.platforms["wide"]["fp16"]
    assert (name, machine.vector.lanes, machine.nodes["7nm"].clock_mhz) == ("wide", 32, 250)
    assert ("lib/wide.yaml" in experiment.inputs) == ("lib/" in like)


def test_an_inline_technology_has_the_others_prices(resolved):
    """One MAC of FP16 costs an addition and a multiplication: of the base, with one price replaced by 1 pJ."""
    technology = (
        "{name: own, like: 45nm, operations: [{operation: add, format: fp16, energy_pj: "
        "{low: 1, nominal: 1, high: 1}}]}"
    )
    text = "name: x\naccounting: mac\nmatmuls: [{m: 1, k: 1, n: 1}]\nschemes: [fp16]\n"
    text += f"technologies: [{technology}, 45nm]\n"
    summary = run(resolved(text)).summary.set_index("technology")["energy_j"]
    assert summary["45nm"] * 1e12 == pytest.approx(1.1 + 0.4)  # Horowitz 2014
    assert summary["own"] * 1e12 == pytest.approx(1.1 + 1)


def test_the_copy_of_the_experiment_needs_no_base(bitjoule, tmp_path):
    (tmp_path / "base.yaml").write_text("like: ternary-edge\nvector: {lanes: 32}\n")
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT.replace(": ternary-edge", ": {name: wide, like: base.yaml}"))
    assert bitjoule("run", path, "--out", tmp_path / "out", "--no-plots")[::2] == (0, "")
    folder = tmp_path / "out" / "mine"
    assert set(json.loads((folder / "manifest.json").read_text())["input"]) == {"mine.yaml", "base.yaml"}
    (tmp_path / "base.yaml").unlink()
    assert bitjoule("run", folder / "experiment.yaml", "--out", tmp_path / "again", "--no-plots")[0] == 0
    again = tmp_path / "again" / "mine" / "results.csv"
    assert again.read_bytes() == (folder / "results.csv").read_bytes()


def test_a_comparison_of_prices_takes_them_too(bitjoule, tmp_path):
    path = tmp_path / "prices.yaml"
    row = "{operation: add, format: fp16, energy_pj: {low: 0.8, nominal: 0.8, high: 0.8}}"
    path.write_text(f"name: prices\ncompare: [[45nm, {{name: own, like: 45nm, operations: [{row}]}}]]\n")
    assert bitjoule("run", path, "--out", tmp_path / "out", "--no-plots")[::2] == (0, "")
    table = pd.read_csv(tmp_path / "out" / "prices" / "summary.csv")
    assert len(table)


def test_a_hardware_experiment_takes_a_platform(bitjoule, tmp_path):
    path = tmp_path / "sim.yaml"
    path.write_text(
        "name: sim\nplatform: {name: wide, like: ternary-edge, vector: {lanes: 32}}\n"
        "rtl: {engine: numpy, matmuls: [{m: 1, k: 64, n: 16}], random_weights: 0.5}\n"
    )
    assert bitjoule("check", path)[::2] == (0, "")
    path.write_text(path.read_text().replace("ternary-edge", "ternary-egde"))
    status, _, err = bitjoule("check", path)
    assert status == 2
    assert err.startswith(f"{path}:2: platform.like: unknown platform 'ternary-egde' (did you mean 'ternary-edge'?)")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{name: a, like: none}", "6: platforms[0].like: unknown platform 'none'"),
        ("{name: a, like: none.yaml}", "6: platforms[0].like: 'none.yaml' not found; expected a file of a platform"),
        ("{like: ternary-edge}", "6: platforms[0].name: is missing; expected a value"),
        ("{name: a, like: ternary-edge, vector: {lanes: 0}}", "6: platforms[0].vector.lanes: got 0; expected "),
        ("{name: s, by_scheme: {fp16: {name: a, like: no}}}", "6: platforms[0].by_scheme.fp16.like: unknown platform"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(bitjoule, tmp_path, entry, message):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT[: TEXT.index("platforms:")] + f"platforms: [{entry}]\n")
    status, _, err = bitjoule("check", path)
    assert status == 2
    assert err.startswith(f"{path}:{message}")


@pytest.mark.parametrize(
    ("entry", "valid"),
    [
        (WIDE, True),
        ("{name: wide, like: {like: ternary-edge, vector: {lanes: 32}}}", True),
        ("{like: ternary-edge}", False),
        ("{name: wide, like: ternary-edge, vektor: {lanes: 32}}", False),
        ("{name: wide, vector: {lanes: 32}}", False),
    ],
)
def test_editors_know_what_may_be_left_out(entry, valid):
    schema = Draft202012Validator(json_schema())
    text = TEXT.replace("platforms: [", f"platforms: [{entry}, ")
    assert schema.is_valid(yaml.safe_load(text)) is valid
