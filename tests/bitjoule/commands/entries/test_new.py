"""Files that ``new`` writes are valid, and say what can be done with them."""

import json

import pandas as pd
import pytest

from bitjoule.commands.entries.new import NEXT, TEMPLATES, template


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_kind_has_a_template_with_a_note_on_what_is_next(bitjoule):
    assert sorted(NEXT) == sorted(path.stem for path in TEMPLATES.iterdir() if path.suffix in (".yaml", ".csv"))
    for kind in NEXT:
        status, out, err = bitjoule("new", kind)
        name = "my7nm.csv" if kind == "technology" else f"my_{kind}.yaml"
        assert (status, err) == (0, "")
        assert out.startswith(f"{name}: {kind}; ")


@pytest.mark.parametrize("kind", ["experiment", "exploration", "explorer"])
def test_an_experiment_is_valid(bitjoule, kind):
    assert bitjoule("new", kind, "-o", "x.yaml")[0] == 0
    status, out, err = bitjoule("check", "x.yaml")
    assert (status, err) == (0, "")
    assert out.startswith("x.yaml: ok, ")


def test_an_experiment_runs_on_the_platform_and_with_the_prices(bitjoule):
    for kind in ("experiment", "platform", "technology"):
        assert bitjoule("new", kind)[0] == 0
    changes = [f"--set={pair}" for pair in (
        "technologies=[my7nm.csv]", "platforms=[my_platform.yaml]", "schemes=[fp16,bitnet-b1.58]",
        "workload.prompt_tokens=512",
    )]  # fmt: skip
    assert bitjoule("run", "my_experiment.yaml", *changes, "--no-plots", "--jobs", 1, "--out", "o")[0] == 0
    summary = pd.read_csv("o/my_experiment/summary.csv")
    assert set(summary.platform) == {"my_platform"}
    assert set(summary.model) == {"bitnet-b1.58-2b-4t", "my-model"}
    prices = pd.read_csv("o/my_experiment/results.csv").price
    assert prices.str.startswith("technologies/my7nm.").any()


def test_an_accelerator_is_generated(bitjoule, here):
    assert bitjoule("new", "accelerator")[0] == 0
    assert bitjoule("rtl", "generate", "my_accelerator.yaml", "-o", "a.v")[0] == 0
    assert json.loads((here / "a.json").read_text())["configuration"]["lanes"] == 16


def test_a_file_that_exists_stays(bitjoule, here):
    (here / "my_platform.yaml").write_text("mine")
    status, _, err = bitjoule("new", "platform")
    assert status == 2
    assert err == "my_platform.yaml:1: file: exists; expected the name of a new file, with -o FILE\n"
    assert (here / "my_platform.yaml").read_text() == "mine"


@pytest.mark.parametrize(("kind", "name"), [("technology", "x.yaml"), ("platform", "x.csv"), ("platform", "no/x.yaml")])
def test_a_name_of_another_kind_is_refused(bitjoule, here, kind, name):
    assert bitjoule("new", kind, "-o", name)[0] == 2
    assert list(here.iterdir()) == []


def test_every_line_of_a_template_is_within_the_width():
    for kind in NEXT:
        assert all(len(line) <= 120 for line in template(kind).read_text().splitlines())
