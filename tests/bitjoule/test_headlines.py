"""What a terminal shows of several experiments."""

import pytest

STORY = ("bitnet_table1", "b158_mac_energy", "measured_vs_table", "full_model_components")


def test_of_several_experiments_a_line_and_the_folder_of_each_are_printed(bitjoule, tmp_path):
    status, out, err = bitjoule("run", *STORY, "--no-plots", "--out", tmp_path)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[::3] == [line for line in lines if line.startswith(tuple(f"{name}: " for name in STORY))]
    assert [line.partition(":")[0] for line in lines[::3]] == list(STORY)
    assert lines[1::3] == [f"Tables in {tmp_path}/{name}/" for name in STORY]
    assert set(lines[2::3]) == {""}
    assert "34 of 36 published values agree" in lines[0]


@pytest.mark.parametrize("arguments", [(STORY[0],), (*STORY[:2], "--tables", "markdown")])
def test_of_one_or_if_asked_the_whole_summary_is_printed(bitjoule, tmp_path, arguments):
    out = bitjoule("run", *arguments, "--jobs", 1, "--no-plots", "--out", tmp_path)[
        1
    ]  # processes take seconds to start
    assert "Comparison with published values" in out


def test_the_price_line_gives_the_least_and_the_greatest_ratio(bitjoule, tmp_path):
    (tmp_path / "dear.yaml").write_text("name: dear\ncompare: [[45nm, 7nm]]\n")
    files = (tmp_path / "dear.yaml", STORY[0])
    status, out, err = bitjoule("run", *files, "--jobs", 1, "--no-plots", "--out", tmp_path / "out")
    assert (status, err) == (0, "")
    # TPUv4i, Table 2: additions of INT8 0.007 of 0.03 pJ, products of INT32 1.48 of 3.1 pJ
    assert out.startswith("dear: 7nm takes 0.233 to 0.477 times the energy of 45nm\n")
