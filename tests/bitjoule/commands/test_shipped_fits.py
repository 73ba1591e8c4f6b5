"""Fitted platforms that ship: the command in their first line gives the values that they have."""

import numpy as np
import pytest
import yaml

from bitjoule.energy_models.machines.rows import MEASURED_FILE
from bitjoule.energy_models.system.platform.platforms import FOLDER
from tests.sampling import sampled

FITTED = sorted(file.stem for file in FOLDER.glob("*.yaml") if "bitjoule fit" in file.read_text().partition("\n")[0])
SECONDS_EACH = ("jetson-agx-orin-cpu", "kv260-fabric")  # the others take up to minutes
CLOSE = 0.01  # of the 95 % interval: a fit stops where its deviation hardly changes, and some files have four digits
SAID = "fitted to"


def value_at(data, key):
    for part in key.split("."):
        data = data[int(part)] if part.isdigit() else data[part]
    return float(data)


def test_the_machines_of_which_rows_were_given_are_fitted():
    given = {"b200", "h100", "i7-13700h", "jetson-orin-nano", "m2-ultra", "m4-pro", "rtx-4090"}
    assert given | set(SECONDS_EACH) == set(FITTED)


@pytest.mark.parametrize("name", sampled(FITTED, 0, "shipped fits", always=SECONDS_EACH))
def test_the_command_gives_the_shipped_values(bitjoule, tmp_path, name):
    file, out = FOLDER / f"{name}.yaml", tmp_path / "fitted.yaml"
    status, text, errors = bitjoule("fit", file, MEASURED_FILE, "-o", out)
    assert status == 0, errors
    shipped, found = (yaml.safe_load(path.read_text()) for path in (file, out))
    table = {line.split()[0]: line.split() for line in text.splitlines() if line}
    for key, free in shipped["fit"].items():
        low, high = map(float, table[key][2:4])
        for each in (key, *free.get("also", ())):
            change = np.log(value_at(found, each) / value_at(shipped, each))
            assert abs(change) < CLOSE * np.log(high / low), each
    own = {key: text for key, text in shipped["sources"].items() if SAID not in text}
    assert {key: found["sources"][key] for key in own} == own
