"""``bitjoule import``: from another tool's file to a platform that runs."""

import csv

import pytest
import yaml

CONFIG = """[architecture_presets]
ArrayHeight: 32
ArrayWidth: 32
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
Dataflow: ws
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "small.cfg").write_text(CONFIG)
    (tmp_path / "layers.csv").write_text("Layer,M,N,K,\nfc,64,128,256,\n")
    (tmp_path / "x_matmuls.yaml").write_text("models: [bitnet-125m]\n")
    (tmp_path / "folder_matmuls.yaml").mkdir()
    (tmp_path / "other.yaml").write_text("models: [bitnet-125m]\n")
    return tmp_path


def test_platform_and_matmuls_run(bitjoule, files):
    """SCALE-Sim 3.0 counts 32 folds of 64 rows, as here, and 94 cycles more a fold, which it does not overlap."""
    arguments = ("import", files / "small.cfg", "--topology", files / "layers.csv", "-o", files / "chip.yaml")
    status, out, err = bitjoule(*arguments)
    assert status == 0
    assert str(files / "chip.yaml") in out
    assert "not carried over: energies" in err
    assert "# not carried over: energies" in (files / "chip.yaml").read_text()
    assert bitjoule("run", files / "chip_matmuls.yaml", "--no-plots", "--out", files / "out")[0] == 0
    with (files / "out" / "chip_matmuls" / "components.csv").open(newline="") as handle:
        row = next(each for each in csv.DictReader(handle) if each["component"] == "matmul")
    assert float(row["macs"]) == 64 * 256 * 128
    assert float(row["bound_by_compute_s"]) == pytest.approx((256 // 32) * (128 // 32) * 64 * 1e-9, rel=1e-3)


def test_layers_of_one_size_are_one_matmul_in_the_order_of_the_file(bitjoule, files):
    sizes = [(64, 128, 256), (8, 16, 32), (64, 128, 256), (16, 8, 32)]
    rows = [f"fc{i},{','.join(map(str, size))}," for i, size in enumerate(sizes)]
    (files / "layers.csv").write_text("\n".join(["Layer,M,N,K,", *rows]) + "\n")
    arguments = ("--topology", files / "layers.csv", "-o", files / "chip.yml", "--technology", "7nm")
    assert bitjoule("import", files / "small.cfg", *arguments)[0] == 0
    made = yaml.safe_load((files / "chip_matmuls.yaml").read_text())
    assert [(each["m"], each["n"], each["k"]) for each in made["matmuls"]] == list(dict.fromkeys(sizes))
    assert (made["name"], made["technologies"], made["platforms"]) == ("chip_matmuls", ["7nm"], ["./chip.yml"])


def test_a_configuration_may_be_called_ini_as_well(bitjoule, files):
    (files / "small.ini").write_text(CONFIG)
    made = []
    for end in ("cfg", "ini"):
        assert bitjoule("import", files / f"small.{end}", "-o", files / "chip.yaml")[0] == 0
        made.append((files / "chip.yaml").read_text())
    assert made[0].replace("small.cfg", "small.ini") == made[1]


@pytest.mark.parametrize(
    ("mhz", "taken"),
    [("0.001", True), ("100000", True), ("0.00099", False), ("100001", False), ("0", False), ("nan", False)],
)
def test_a_clock_is_taken_to_the_ends_that_the_message_names(bitjoule, files, mhz, taken):
    status, _, err = bitjoule("import", files / "small.cfg", "-o", files / "chip.yaml", "--clock-mhz", mhz)
    assert (status == 0, "expected megahertz, 0.001 to 100000" in err) == (taken, not taken)
    if taken:
        nodes = yaml.safe_load((files / "chip.yaml").read_text())["nodes"]
        assert {name: node["clock_mhz"] for name, node in nodes.items()} == {"45nm": float(mhz)}


@pytest.mark.parametrize(("option", "tool"), [("--mapping", "ZigZag"), ("--ert", "Timeloop")])
def test_an_option_of_another_tool_is_refused_with_both_names(bitjoule, files, option, tool):
    status, _, err = bitjoule("import", files / "small.cfg", "-o", files / "x.yaml", option, files / "other.yaml")
    said = f"belongs to {tool}; {files / 'small.cfg'} is a file of SCALE-Sim; expected no {option}"
    assert (status, err) == (2, f"command line:1: {option}: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("other.yaml", "-o", "x.yaml"), "is no architecture that can be read; expected one of ZigZag, Timeloop"),
        (("missing.cfg", "-o", "x.yaml"), "does not exist"),
        (("small.cfg", "-o", "none/x.yaml"), "directory does not exist; expected a file in an existing directory"),
        (("small.cfg", "-o", "x.txt"), "expected a name that ends in .yaml"),
        (
            ("small.cfg", "-o", "x.yaml", "--ert", "other.yaml"),
            "--ert: belongs to Timeloop; small.cfg",
        ),
        (("small.cfg", "-o", "x.yaml", "--technology", "44nm"), "did you mean '45nm'?"),
        (("small.cfg", "-o", "x.yaml", "--clock-mhz", "-3"), "expected megahertz"),
        (
            ("x_matmuls.yaml", "--topology", "layers.csv", "-o", "x.yaml"),
            "x_matmuls.yaml:1: file: is what the command reads; expected another file to write",
        ),
        (
            ("small.cfg", "--topology", "layers.csv", "-o", "folder.yaml"),
            "folder_matmuls.yaml:1: file: is a directory; expected a file",
        ),
    ],
)
def test_wrong_input_is_refused_and_nothing_is_written(bitjoule, files, arguments, message, monkeypatch):
    monkeypatch.chdir(files)
    before = {path: path.read_text() for path in files.iterdir() if path.is_file()}
    status, _, err = bitjoule("import", *arguments)
    assert status == 2
    assert message in err
    assert {path: path.read_text() for path in files.iterdir() if path.is_file()} == before
