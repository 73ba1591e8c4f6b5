"""``bitjoule show`` of files, and of what is inherited."""

import re
from pathlib import Path

import pytest
import yaml

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.platforms import platforms

PLATFORM = """\
like: ternary-edge
description: mine
off_chip: {bandwidth_gb_per_s: 6.4}
nodes: {7nm: {clock_mhz: 300}}
"""


def fields(out):
    """Return what is printed before the tables, as data."""
    return yaml.safe_load(out.split("\n\n")[0])


def test_a_platform_of_a_file_is_shown_whole_with_what_is_inherited(bitjoule, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(PLATFORM)
    status, out, err = bitjoule("show", "platform", path)
    assert (status, err) == (0, "")
    base = platforms()["ternary-edge"].model_dump(mode="json", exclude_none=True)
    shown = fields(out)
    assert shown["off_chip"] == {**base["off_chip"], "bandwidth_gb_per_s": 6.4}
    assert shown["nodes"]["7nm"] == {**base["nodes"]["7nm"], "clock_mhz": 300}
    assert shown["buffers"] == base["buffers"]
    lines = [line.strip() for line in out.splitlines()]
    assert {"description: mine", "bandwidth_gb_per_s: 6.4", "clock_mhz: 300.0"} <= set(lines)
    assert {"memory: lpddr4  # from ternary-edge", "static:  # from ternary-edge", "lanes: 64  # from ternary-edge",
            "instances: 1  # default", "clock_mhz: from_configuration  # from ternary-edge"} <= set(lines)  # fmt: skip
    assert re.search(r"^adders +7nm ", out, re.MULTILINE)  # area and leakage, as of a built-in one


def test_what_comes_through_two_files_is_marked_with_the_one_that_it_stands_in(bitjoule, tmp_path):
    (tmp_path / "base.yaml").write_text(PLATFORM)
    path = tmp_path / "mine.yaml"
    path.write_text("like: ./base.yaml\nvector: {lanes: 8}\n")
    lines = [line.strip() for line in bitjoule("show", "platform", path)[1].splitlines()]
    assert {"bandwidth_gb_per_s: 6.4  # from ./base.yaml", "memory: lpddr4  # from ternary-edge"} <= set(lines)
    assert "lanes: 8" in lines


def test_a_built_in_platform_says_what_it_is_like(bitjoule):
    lines = [line.strip() for line in bitjoule("show", "platform", "int8-edge")[1].splitlines()]
    assert "static:  # from ternary-edge" in lines
    assert "description: The edge device with INT8 multipliers in the area of the adder array" in lines


def test_a_table_of_prices_is_shown(bitjoule, tmp_path):
    path = tmp_path / "my5nm.csv"
    path.write_text(
        "operation,format,energy_pj,source,access_bits\nadd,int8,0.005,a slide,\ndram,lpddr4,48,a data sheet,8\n"
    )
    status, out, err = bitjoule("show", "technology", path)
    assert (status, err) == (0, "")
    assert fields(out) == {"description": "Quoted prices of my5nm.csv", "node_nm": 5.0}
    assert re.search(r"^add +int8 +0\.005 +0\.005 +0\.005 +a slide +line 2$", out, re.MULTILINE)
    assert re.search(r"^dram +lpddr4 +8 +48\.0 +48\.0 +48\.0 +a data sheet +line 3$", out, re.MULTILINE)
    assert out.endswith("sources:\na slide\na data sheet\n")


def test_a_technology_that_is_like_another_says_which_prices_are_its_own(bitjoule, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "like: 45nm\nnode_nm: 40\noperations:\n"
        "- {operation: add, format: int8, energy_pj: {low: 1, nominal: 2, high: 3}, source: a talk}\n"
    )
    out = bitjoule("show", "technology", path)[1]
    assert "node_nm: 40.0\n" in out
    assert "description: Prices of 45nm  # from 45nm\n" in out
    assert re.search(r"^add +int8 +2 +1 +3 +a talk\s*$", out, re.MULTILINE)
    assert re.search(r"^mul +fp32 .* 45nm$", out, re.MULTILINE)


def test_a_measured_technology_shows_the_macs_that_are_paid(bitjoule):
    out = bitjoule("show", "technology", "7nm-measured")[1]
    technology = technologies()["7nm-measured"]
    mac = technology.mac("ternary", "int8", None)
    price = mac.price(64, 16, technology.zero_share)
    row = rf"^{re.escape(mac.name)} +64 x 16 +33\.33 +{price.nominal_pj:.4g} +{price.low_pj:.4g} "
    assert re.search(row + r".* ternary-edge, ", out, re.MULTILINE)
    assert "the papers' accounting pays the operations above" in out
    assert "the papers' accounting pays those of 64 x 16" in bitjoule("show", "technology", "7nm-measured-arrays")[1]
    assert "MACs of whole arrays" not in bitjoule("show", "technology", "7nm")[1]


CONFIG = """\
{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
 "vocab_size": 1000, "hidden_act": "silu", "tie_word_embeddings": true}
"""


@pytest.mark.parametrize("at", ["folder", "file"])
def test_a_model_of_a_config_is_shown(bitjoule, tmp_path, at):
    path = tmp_path / "config.json"
    path.write_text(CONFIG)
    status, out, err = bitjoule("show", "model", f"{tmp_path}/" if at == "folder" else path)
    assert (status, err) == (0, "")
    shown = fields(out)
    assert (shown["layers"], shown["hidden"], shown["vocabulary"], shown["tied_embedding"]) == (2, 64, 1000, True)
    expected = {key for key, value in presets()["llama-7b"].with_defaults().items() if value is not None}
    assert set(shown) == {"parameters", *expected}


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("platform", "none.yaml", "none.yaml:1: file: does not exist; expected a file that can be read"),
        ("technology", "none.csv", "none.csv:1: file: "),
        ("model", "none/config.json", "none/config.json:1: file: does not exist"),
        ("scheme", "none.yaml", "show:1: schemes: unknown name 'none.yaml'"),
    ],
)
def test_a_file_that_is_not_there_is_wrong_input(bitjoule, tmp_path, monkeypatch, kind, name, message):
    monkeypatch.chdir(tmp_path)
    status, out, err = bitjoule("show", kind, name)
    assert (status, out) == (2, "")
    assert err.startswith(message)


def listed(out):
    """Return the rows of a printed table by its headings, broken cells joined; the rule says where columns begin."""
    head, rule, *lines = out.splitlines()
    starts = [match.start() for match in re.finditer("-+", rule)]
    ends = [*starts[1:], None]
    cells = [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in (head, *lines)]
    rows = []
    for row in cells[1:]:
        if row[0]:
            rows.append(row)
        else:
            rows[-1] = [a + b for a, b in zip(rows[-1], row, strict=True)]
    return {row[0]: dict(zip(cells[0], row, strict=True)) for row in rows}


NORMS = {"none": "", "rms_norm": ", RMSNorm"}
# Keys of an array that few have.
UNLISTED = {"table_lanes", "accumulators", "chain_lanes", "inverted_sums", "stored_decoders"}


def accelerator_of_a_file(path):
    """Return what the list says of an accelerator."""
    data = yaml.safe_load(path.read_text())
    linear = data.pop("linear", None)
    around = f"{linear['format']}, {linear['lanes']} lanes{NORMS[linear['norm']]}" if linear else ""
    return {key: str(value) for key, value in data.items() if key not in UNLISTED} | {"linear": around}


def experiment_of_a_file(path):
    """Return what the list says of an experiment."""
    return {"kind": path.parent.name, "description": yaml.safe_load(path.read_text())["description"]}


@pytest.mark.parametrize(
    ("kind", "folder", "of_a_file"),
    [
        ("accelerators", "rtl/configs", accelerator_of_a_file),
        ("experiments", "experiments/shipped", experiment_of_a_file),
    ],
)
def test_what_a_list_has_under_each_heading_stands_in_the_file_under_that_key(
    bitjoule, monkeypatch, kind, folder, of_a_file
):
    monkeypatch.delenv("COLUMNS", raising=False)  # each column stays beside the others
    files = {path.stem: path for path in (Path(__file__).parents[4] / folder).rglob("*.yaml")}
    status, out, err = bitjoule("list", kind)
    rows = listed(out)
    assert (status, err, set(rows)) == (0, "", set(files))
    for name, path in files.items():
        for key, expected in of_a_file(path).items():
            assert "".join(rows[name][key].split()) == "".join(expected.split()), (name, key)
