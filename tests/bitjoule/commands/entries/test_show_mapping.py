"""`bitjoule show mapping`: the numbers that three independent simulators count, files, and wrong input."""

import re

import pytest

from bitjoule.commands.entries.show_mapping import SIZE as SIZE_OF_OPTION

SIZE = "512x3200x8640"
TPU32 = ("show", "mapping", "tpu32", SIZE, "--scheme", "int8")


def energies(out: str) -> dict[tuple[str, str], float]:
    """Return the printed microjoules by operand and action."""
    rows = re.findall(r"^(\w+) +(\w+) +[\d.e+]+ +.+? +([\d.e+-]+)$", out, flags=re.MULTILINE)
    return {(operand, action): float(energy) for operand, action, energy in rows}


def test_one_matmul_costs_what_other_simulators_count(bitjoule):
    status, out, err = bitjoule(*TPU32)
    assert (status, err) == (0, "")
    m, k, n = 512, 3200, 8640
    found = energies(out)
    # every multiplication 0.04 pJ; every weight fetched once at 10.9375 pJ a bit, outputs written at 11.71875
    assert found["weights", "mac"] == pytest.approx(m * k * n * 0.04e-6, rel=1e-5) == pytest.approx(566.231, abs=5e-4)
    assert found["weights", "off_chip_read"] == pytest.approx(k * n * 8 * 10.9375e-6) == pytest.approx(2419.2)
    assert found["activations", "off_chip_read"] == pytest.approx(m * k * 8 * 10.9375e-6) == pytest.approx(143.36)
    assert found["outputs", "off_chip_write"] == pytest.approx(m * n * 8 * 11.71875e-6) == pytest.approx(414.72)
    registers = found["weights", "register_read"] + found["weights", "register_write"]
    assert registers == pytest.approx(1347.43, abs=0.05)
    assert "566.231" in out
    assert "2419.2" in out


def test_the_total_is_the_sum_and_not_above_the_best_mapping_of_zigzag(bitjoule):
    _, out, _ = bitjoule(*TPU32)
    (total,) = re.findall(r"^total ([\d.]+) uJ", out, flags=re.MULTILINE)
    assert float(total) == pytest.approx(sum(energies(out).values()), rel=1e-5)
    assert float(total) <= 6224


def test_the_cycles_are_at_least_one_for_each_block_and_token(bitjoule):
    _, out, _ = bitjoule(*TPU32)
    ((cycles, computing, least, ms),) = re.findall(
        r"(\d+) cycles, (\d+) of them compute cycles \(lower bound (\d+)\); ([\d.]+) ms", out
    )
    assert int(least) == 512 * 3200 * 8640 // (32 * 32)
    assert int(least) <= int(computing) <= int(cycles)
    assert float(ms) == pytest.approx(int(cycles) / 1e6, rel=1e-3)  # 1 GHz


@pytest.mark.parametrize("size", ["100000000x1x1", "1x9999999x1", "1x1x9999999"])
def test_sizes_are_taken_to_the_ends_that_the_message_names(size):
    found = SIZE_OF_OPTION.fullmatch(size)
    assert found is not None
    assert "x".join(found.groups()) == size


def test_the_objective_decides_what_is_least(bitjoule):
    def figures(objective: str) -> tuple[float, int]:
        status, out, _ = bitjoule(
            "show", "mapping", "ternary-edge", "64x640x300", "--scheme", "bitnet-b1.58", "--objective", objective
        )
        assert status == 0
        assert f": minimum {objective}\n" in out
        return float(re.findall(r"total ([\d.]+) uJ", out)[0]), int(re.findall(r"(\d+) cycles", out)[0])

    energy, latency, edp = (figures(objective) for objective in ("energy", "latency", "edp"))
    assert energy[0] == min(energy[0], latency[0], edp[0])
    assert latency[1] == min(energy[1], latency[1], edp[1])
    assert edp[0] * edp[1] <= min(energy[0] * energy[1], latency[0] * latency[1]) * (1 + 1e-5)  # as printed


def test_a_saved_mapping_replays_to_the_same_numbers(tmp_path, bitjoule):
    path = tmp_path / "mapping.yaml"
    _, found, _ = bitjoule(*TPU32, "--save", path)
    status, again, err = bitjoule(*TPU32, "--replay", path)
    assert (status, err) == (0, "")
    assert found.splitlines()[0].endswith("minimum energy")
    assert again.splitlines()[0].endswith(f"replayed from {path}")
    assert again.splitlines()[1:] == found.splitlines()[1:]


def test_a_smaller_tile_of_the_user_costs_more_than_the_best(tmp_path, bitjoule):
    path = tmp_path / "mapping.yaml"
    bitjoule(*TPU32, "--save", path)
    path.write_text(path.read_text().replace("m: 512\n    k", "m: 64\n    k"))
    status, out, _ = bitjoule(*TPU32, "--replay", path)
    assert status == 0
    assert float(re.findall(r"total ([\d.]+) uJ", out)[0]) > 6220.7
    assert energies(out)["weights", "mac"] == pytest.approx(566.231)


def test_a_mapping_of_another_platform_that_does_not_fit_is_refused_with_its_file(tmp_path, bitjoule):
    path = tmp_path / "mapping.yaml"
    bitjoule(*TPU32, "--save", path)
    status, out, err = bitjoule(
        "show", "mapping", "ternary-edge", SIZE, "--scheme", "bitnet-b1.58", "--replay", path
    )  # fmt: skip
    assert (status, out) == (2, "")
    assert re.match(rf"{re.escape(str(path))}:8: buffer: the tiles do not fit .+; expected smaller tiles", err)


def test_a_platform_of_a_file_is_mapped_to(tmp_path, bitjoule):
    path = tmp_path / "slow.yaml"
    path.write_text("like: tpu32\noff_chip: {bandwidth_gb_per_s: 4}\n")
    status, out, _ = bitjoule("show", "mapping", path, SIZE, "--scheme", "int8")
    assert status == 0
    assert "on slow, int8, 45nm" in out.splitlines()[0]
    assert energies(out)["weights", "off_chip_read"] == pytest.approx(2419.2)


WRONG = {
    "an unknown platform": (
        ("tpu23", SIZE, "--scheme", "int8"), r"show mapping:1: platform: unknown platform 'tpu23' \(did you mean '"
    ),
    "a platform's file that is not there": (("no.yaml", SIZE, "--scheme", "int8"), "no.yaml:1: file: does not exist"),
    "no size": (("tpu32", "--scheme", "int8"), "show mapping:1: matmul: is missing; expected MxKxN, e.g. 512x3200"),
    "a size of two": (("tpu32", "512x3200", "--scheme", "int8"), "show mapping:1: matmul: got '512x3200'; expected"),
    "a size of zero": (("tpu32", "0x1x1", "--scheme", "int8"), "show mapping:1: matmul: got '0x1x1'; expected MxKxN"),
    "a K of eight digits": (("tpu32", "1x10000000x1", "--scheme", "int8"), "show mapping:1: matmul: got '1x1000000"),
    "an N of eight digits": (("tpu32", "1x1x10000000", "--scheme", "int8"), "show mapping:1: matmul: got '1x1x10000"),
    "no scheme": (("tpu32", SIZE), "show mapping:1: scheme: no scheme; expected --scheme NAME"),
    "an unknown scheme": (
        ("tpu32", SIZE, "--scheme", "int9"), r"show mapping:1: scheme: unknown scheme 'int9' \(did you mean 'int8'\?\)"
    ),
    "a scheme that no array computes": (
        ("tpu32", SIZE, "--scheme", "fp16"),
        r"show mapping:1: platform: no array of platform tpu32 computes fp16 x fp16, .+; expected int8 x int8; or a",
    ),
    "an unknown technology": (
        ("tpu32", SIZE, "--scheme", "int8", "--technology", "5nm"), "show mapping:1: technology: unknown technology"
    ),
    "an unknown objective": (("tpu32", SIZE, "--scheme", "int8", "--objective", "speed"), "usage: "),
    "a replay that is not there": (
        ("tpu32", SIZE, "--scheme", "int8", "--replay", "no.yaml"), "no.yaml:1: file: does not exist; expected a file"
    ),
    "a folder that is not there": (
        ("tpu32", SIZE, "--scheme", "int8", "--save", "none/m.yaml"),
        "none/m.yaml:1: file: cannot be written: No such file or directory; expected a file that can be written",
    ),
    "an empty name to save": (
        ("tpu32", SIZE, "--scheme", "int8", "--save", ""), ".:1: file: cannot be written: .+; expected a file"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_refused_and_says_what_would_be_right(tmp_path, bitjoule, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    arguments, message = WRONG[name]
    status, out, err = bitjoule("show", "mapping", *arguments)
    assert (status, out) == (2, "")
    assert re.match(message, err), err
    assert list(tmp_path.iterdir()) == []


def test_a_mapping_of_another_matmul_is_not_replayed(tmp_path, bitjoule):
    file = tmp_path / "best.yaml"
    bitjoule("show", "mapping", "tpu32", "64x320x640", "--scheme", "int8", "--save", file)
    status, out, err = bitjoule("show", "mapping", "tpu32", "64x320x641", "--scheme", "int8", "--replay", file)
    assert (status, out) == (2, "")
    assert err == f"{file}:4: matmul: is a mapping for 64x320x640; expected a mapping for 64x320x641\n"
