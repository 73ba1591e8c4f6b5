import json
import re
import stat

import pytest

GOOD = "lanes: 8\ncolumns: 2\nmax_k: 32\nweight_bus_bits: 32\n"


def shown(out):
    """Return the rows that are printed, by their names."""
    return dict(re.split(r"  +", line.strip(), maxsplit=1) for line in out.splitlines())


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD)
    return file


def test_generate_writes_verilog_and_its_description(bitjoule, config, tmp_path):
    target = tmp_path / "array.v"
    status, out, _ = bitjoule("rtl", "generate", config, "-o", target)
    assert status == 0
    assert str(target) in out
    assert "module bitjoule_accelerator(" in target.read_text()
    told = json.loads((tmp_path / "array.json").read_text())
    assert told["configuration"]["max_k"] == 32
    assert stat.S_IMODE(target.stat().st_mode) & 0o444 == 0o444
    assert sorted(path.name for path in tmp_path.iterdir()) == ["array.json", "array.v", "mine.yaml"]


@pytest.mark.parametrize("name", ["tiny_8x4", "bitlinear_8x4"])
def test_generate_writes_registers_their_header_and_a_script(name, bitjoule, tmp_path):
    status, out, _ = bitjoule("rtl", "generate", name, "--wrapper", "axi", "-o", tmp_path / "a.v")
    assert status == 0
    assert ", AXI4-Lite registers; described by" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h", "a.json", "a.tcl", "a.v"]
    assert "module bitjoule_axi(" in (tmp_path / "a.v").read_text()
    described = json.loads((tmp_path / "a.json").read_text())
    offsets = {row["register"]: row["offset"] for row in described["registers"]}
    defined = re.findall(r"#define BITJOULE_(\w+) (0x[0-9a-f]+)u", (tmp_path / "a.h").read_text())
    assert {name: int(offset, 16) for name, offset in offsets.items()} == {
        each.lower(): int(value, 16) for each, value in defined if each.lower() in offsets
    }
    assert "set inputs {weights 32 activations 64" in (tmp_path / "a.tcl").read_text()


def test_registers_of_streams_that_no_dma_carries_are_refused(bitjoule, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide.yaml").write_text("lanes: 256\ncolumns: 8\nmax_k: 1024\nweight_bus_bits: 4096\n")
    status, out, err = bitjoule("rtl", "generate", "wide.yaml", "--wrapper", "axi")
    assert (status, out) == (2, "")
    wrong = (
        "wide.yaml:1: weight_bus_bits, with --wrapper axi: the stream of weights has 4096 bits; expected at most 1024"
    )
    assert wrong in err
    assert [path.name for path in tmp_path.iterdir()] == ["wide.yaml"]


@pytest.mark.parametrize("ending", ["h", "tcl", "json"])
def test_verilog_is_not_written_over_by_what_is_written_beside_it(ending, bitjoule, tmp_path):
    status, _, err = bitjoule("rtl", "generate", "tiny_8x4", "--wrapper", "axi", "-o", tmp_path / f"a.{ending}")
    assert status == 2
    assert "is not a file name for Verilog" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".v", ".json"])
def test_verilog_is_not_written_over_its_configuration(ending, bitjoule, config, tmp_path):
    own = tmp_path / f"own{ending}"
    own.write_bytes(config.read_bytes())
    status, _, err = bitjoule("rtl", "generate", own, "-o", tmp_path / "own.v")
    assert (status, err) == (2, f"{own}:1: file: is what the command reads; expected another file to write\n")
    assert {path.name: path.read_bytes() for path in tmp_path.glob("own*")} == {own.name: config.read_bytes()}


def test_generate_prints_what_the_array_computes_and_takes(bitjoule, tmp_path):
    out = bitjoule("rtl", "generate", "tiny_8x4", "-o", tmp_path / "a.v", "--clock-mhz", 250)[1]
    assert "2 beats of 32 bits per tile; at most 32 trits per cycle, 8 Gtrits/s at 250 MHz" in out
    rows = {line[:24].strip(): line[24:].split() for line in out.splitlines()[2:]}
    # One token takes the two cycles of a tile's beats, of 4 bytes each; four tokens of 8 bytes hide them.
    assert rows["utilisation (%)"] == ["50", "100"]
    assert rows["weights (GB/s)"] == ["1", "0.5"]
    assert rows["activations (GB/s)"] == ["1", "2"]
    assert rows["results, at most (GB/s)"] == ["1", "2"]


def test_generate_prints_one_column_where_one_token_is_all(bitjoule, config, tmp_path):
    out = bitjoule("rtl", "generate", config, "-o", tmp_path / "a.v")[1]
    assert "1 beat of 32 bits per tile; at most 16 trits per cycle, 16 Gtrits/s at 1000 MHz" in out
    assert out.splitlines()[2].split() == ["M", "=", "1"]


@pytest.mark.parametrize("clock", ["0", "-1", "x", "inf", "nan"])
def test_generate_refuses_a_clock_that_is_none(clock, bitjoule, config, tmp_path):
    status, _, err = bitjoule("rtl", "generate", config, "-o", tmp_path / "a.v", "--clock-mhz", clock)
    assert status == 2
    assert "expected a number of MHz above 0" in err


def test_generate_writes_a_whole_bitlinear(bitjoule, config, tmp_path):
    config.write_text(GOOD + "linear: {format: bf16, lanes: 2}\n")
    target = tmp_path / "linear.v"
    status, out, _ = bitjoule("rtl", "generate", config, "-o", target)
    assert status == 0
    assert "8 lanes x 2 columns, ternary2; whole BitLinear, bf16, 2 lanes" in out
    assert "module bitjoule_bitlinear(" in target.read_text()
    told = json.loads((tmp_path / "linear.json").read_text())
    assert told["configuration"]["linear"] == {"format": "bf16", "lanes": 2, "norm": "none"}
    assert told["packing"]["command"]["scale"] == [64, 95]
    status, _, err = bitjoule("rtl", "platform", config)
    assert status == 2
    assert "mine.yaml:5: linear: makes a whole BitLinear of it, which this cannot take" in err


def test_generate_replaces_what_it_wrote_before(bitjoule, config, tmp_path):
    target = tmp_path / "array.v"
    target.write_text("old")
    assert bitjoule("rtl", "generate", config, "-o", target)[0] == 0
    assert "old" not in target.read_text()[:10]


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("lanes: 0\n", "1: lanes", "from 8 to 256"),
        ("columns: 65\n", "1: columns", "from 1 to 64"),
        ("weight_bus_bits: 12\n", "1: weight_bus_bits", "a tile of 32 bits fills in whole beats (32, 16, 8)"),
        ("lanez: 3\n", "1: lanez", "did you mean 'lanes'?"),
        ("weight_encoding: int3\n", "1: weight_encoding", "one of binary1, ternary2, ternary5, int8, int4, int2, fp16"),
        ("datapath: 3\n", "1: datapath", "one of carry_save, carry_chain, multiplexer"),
        ("max_k: 0.5\n", "1: max_k", "from 1 to 1048576"),
        ("lanes: [8]\n", "1: lanes", "from 8 to 256"),
        ("lanes: 8\nlanes: 8\n", "2: lanes", "each key once"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["generate", "verify"])
def test_a_bad_configuration_is_answered_with_the_allowed_values(command, text, where, expected, bitjoule, tmp_path):
    file = tmp_path / "bad.yaml"
    key = text.split(":")[0]
    file.write_text(text + "".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith(f"{key}:")))
    options = ["-o", tmp_path / "x.v"] if command == "generate" else []
    status, out, err = bitjoule("rtl", command, file, *options)
    assert (status, out) == (2, "")
    assert f"bad.yaml:{where}: " in err
    assert expected in err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


@pytest.mark.parametrize(
    ("matmul", "expected"),
    [
        ("1x33x2", "--matmul:1: 1x33x2: K 33 exceeds max_k 32; expected K from 1 to 32, or a larger max_k"),
        ("70000x8x2", "M up to 65535"),
        ("60000x32x2000", "at most 2000000"),
        ("1x8", "expected MxKxN"),
        ("0x8x8", "expected MxKxN"),
    ],
)
def test_a_matmul_that_does_not_fit_is_refused(matmul, expected, bitjoule, config):
    status, _, err = bitjoule("rtl", "verify", config, "--matmul", matmul)
    assert status == 2
    assert expected in err


@pytest.mark.parametrize("target", ["", ".", "x.json", "missing/x.v"])
def test_generate_refuses_a_place_that_cannot_be_written(target, bitjoule, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = bitjoule("rtl", "generate", config, "-o", target)
    assert status == 2
    assert "expected" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(
    "options", [["--cases", "-1"], ["--seed", "x"], ["--simulator", "modelsim"], ["--verilog", "no.v"]]
)
def test_verify_refuses_wrong_options(options, bitjoule, config):
    assert bitjoule("rtl", "verify", config, *options)[0] == 2


def test_accelerators_are_listed_and_shown(bitjoule):
    assert "decode_64x5" in bitjoule("list", "accelerators")[1]
    status, out, _ = bitjoule("show", "accelerator", "edge_64x16")
    assert status == 0
    assert "lanes: 64" in out


def test_a_missing_package_is_named_with_its_remedy(bitjoule, config, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    status, _, err = bitjoule("rtl", "generate", config)
    assert status == 1
    assert "pip install 'bitjoule[rtl]'" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_verify_tells_what_it_did(bitjoule, config, tmp_path):
    status, out, err = bitjoule(
        "rtl", "verify", config, "--cases", 12, "--seed", 5, "--matmul", "3x20x5", "--waves", "--out", tmp_path / "w"
    )
    assert (status, err) == (0, "")
    assert re.search(r"seed +5\b", out)
    assert "bit for bit" in out
    assert (tmp_path / "w" / "mine.vcd").stat().st_size > 1000
    assert shown(out)["waveform"] == f"{tmp_path}/w/mine.vcd"


@pytest.mark.slow
def test_verify_without_waves_names_no_waveform(bitjoule, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = bitjoule("rtl", "verify", config, "--cases", 0, "--seed", 6)
    assert (status, err) == (0, "")
    assert list(shown(out)) == ["configuration", "simulator", "cases", "matmuls", "cycle counts", "simulated", "seed"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.slow
def test_a_failure_names_seed_element_expected_got_and_waveform(bitjoule, config, tmp_path):
    wrong = tmp_path / "wrong.v"
    bitjoule("rtl", "generate", config, "-o", wrong)
    wrong.write_text(re.sub(r"minus\[5\] \? ", "plus[5] ? ", wrong.read_text()))
    status, out, err = bitjoule("rtl", "verify", config, "--verilog", wrong, "--seed", 7, "--out", tmp_path / "w")
    assert status == 1
    assert "--seed 7" in err
    found = re.search(r"mismatch: a result \[\d+, \d+\]\n  expected: (-?\d+)\n  got: (-?\d+)\n", err)
    assert found
    assert found[1] != found[2]
    assert (tmp_path / "w" / "mine.vcd").exists()
    assert str(tmp_path / "w" / "mine.vcd") in err
    assert "passed" in out


def test_verilog_of_something_else_is_refused(bitjoule, config, tmp_path):
    other = tmp_path / "other.v"
    other.write_text("module counter(input clk); endmodule\n")
    status, _, err = bitjoule("rtl", "verify", config, "--verilog", other)
    assert status == 2
    assert "contains no module bitjoule_accelerator; expected Verilog with the ports of `bitjoule rtl generate`" in err
