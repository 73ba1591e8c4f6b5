import json

import pytest

GOOD = "lanes: 8\ncolumns: 2\nmax_k: 32\nweight_bus_bits: 32\n"


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    return file


def test_testbench_writes_a_directory_and_replaces_it(bitjoule, config, tmp_path):
    target = tmp_path / "bench"
    status, out, err = bitjoule("rtl", "testbench", config, "-o", target, "--cases", 3, "--matmul", "2x32x5")
    assert (status, err) == (0, "")
    assert str(target) in out
    manifest = json.loads((target / "manifest.json").read_text())
    assert sorted(path.name for path in target.iterdir()) == sorted([*manifest["outputs"], "manifest.json"])
    assert manifest["configuration"]["max_k"] == 32
    assert [2, 32, 5] in manifest["matmuls"]
    assert "Testbench of mine\n" in (target / "README.md").read_text()
    before = (target / "weights.hex").read_text()
    (target / ".build").mkdir()  # what make leaves
    assert bitjoule("rtl", "testbench", config, "-o", target, "--cases", 3, "--matmul", "2x32x5")[0] == 0
    assert (target / "weights.hex").read_text() == before
    assert bitjoule("rtl", "testbench", config, "-o", target, "--seed", 1)[0] == 0
    assert (target / "weights.hex").read_text() != before
    assert not (target / ".build").exists()


def test_testbench_is_named_after_its_configuration(bitjoule, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bitjoule("rtl", "testbench", config, "--cases", 0)[0] == 0
    assert (tmp_path / "mine-testbench" / "Makefile").is_file()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--matmul", "1x33x2"], "--matmul:1: 1x33x2: K 33 exceeds max_k 32"),
        (["--matmul", "60000x32x20"], "at most 100000, as operands are written to files"),
        (["--cases", "x"], "expected an integer from 0 to 999999"),
        (["--seed", "-1"], "expected a non-negative integer"),
        (["-o", "mine.yaml"], "mine.yaml"),
        (["-o", "foreign"], "contains"),
        (["-o", ""], "argument -o/--out: is empty; expected a directory"),
        (["-o", "."], ".:1: file: is not the name of a directory"),
    ],
)
def test_testbench_refuses_wrong_options_and_writes_nothing(options, expected, bitjoule, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    status, out, err = bitjoule("rtl", "testbench", config, *options)
    assert (status, out) == (2, "")
    assert expected.replace("contains", "holds 'notes.txt'") in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "mine.yaml"]
    assert config.read_text() == GOOD
