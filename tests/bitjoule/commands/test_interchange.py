"""``bitjoule import``: from another tool's file to a platform that runs."""

import csv

import pytest

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
    ],
)
def test_wrong_input_is_refused_and_nothing_is_written(bitjoule, files, arguments, message, monkeypatch):
    monkeypatch.chdir(files)
    status, _, err = bitjoule("import", *arguments)
    assert status == 2
    assert message in err
    assert not (files / "x.yaml").exists()
