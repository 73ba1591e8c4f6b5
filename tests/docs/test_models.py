"""What docs/models.md shows works as shown."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from bitjoule.experiments.files import open_experiment
from bitjoule.experiments.hardware.schema import RtlExperiment, RtlRun, read_rtl_experiment
from bitjoule.sim.llm.trained import shipped_models

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "models.md").read_text()


def test_the_experiment_shown_is_valid_and_every_key_and_model_is_told(tmp_path):
    text = re.search(r"```yaml file=mine.yaml\n(.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "mine.yaml").write_text(text)
    assert read_rtl_experiment(open_experiment(tmp_path / "mine.yaml")).name == "mine"
    for name in [*RtlRun.model_fields, *shipped_models()]:
        assert name in PAGE


def test_every_key_of_a_hardware_experiment_and_its_default_is_told():
    page = (DOCS / "experiment-file.md").read_text()
    for key, field in RtlRun.model_fields.items():
        row = re.search(rf"^\| `rtl\.{key}` \|.*\|(.*)\|$", page, re.MULTILINE)
        assert row, key
        if field.default is not None:
            assert yaml.safe_load(row[1].strip().strip("`")) == field.default
    for key in RtlExperiment.model_fields:
        assert f"`{key}" in page
    assert f"| `{RtlExperiment.model_fields['platform'].default}` |" in page


@pytest.mark.parametrize("command", re.findall(r"^bitjoule (rtl simulate tiny-[^#\n]*)", PAGE, re.MULTILINE))
def test_commands_on_models_that_ship_run(bitjoule, tmp_path, command):
    arguments = [*shlex.split(command), "--engine", "numpy", "--new-tokens", "3", "--out", tmp_path]
    assert bitjoule(*arguments)[0] == 0
