import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.rtl.linear.config import LinearConfig
from bitjoule.sim.accelerator.configurations import (
    read_configuration,
    read_design,
    shipped_configurations,
    shipped_linears,
)


@pytest.mark.parametrize("name", sorted(shipped_configurations()))
def test_shipped_configurations_are_what_their_names_say(name):
    config = read_configuration(name)
    assert name.endswith(f"_{config.lanes}x{config.columns}")


def test_decode_64x5_eats_one_64_byte_beat_a_cycle():
    config = read_configuration("decode_64x5")
    assert (config.tile_bits, config.weight_bus_bits, config.tile_beats) == (512, 512, 1)


def test_faults_stand_at_their_lines(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("lanes: 0\ncolumns: 4\nmax_k: 8\nlane: 4\nweight_bus_bits: 64\n")
    with pytest.raises(InputError) as raised:
        read_configuration(str(file))
    assert {(problem.line, problem.key) for problem in raised.value.problems} == {(1, "lanes"), (4, "lane")}
    assert "did you mean 'lanes'?" in str(raised.value)


@pytest.mark.parametrize("text", ["", "- 1\n", "lanes\n", "lanes: [\n"])
def test_a_file_that_holds_no_mapping_is_refused(text, tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(InputError):
        read_configuration(str(file))


def test_an_unknown_name_gets_the_shipped_ones():
    with pytest.raises(InputError, match="did you mean 'tiny_8x4'"):
        read_configuration("tiny_8x3")


@pytest.mark.parametrize("name", sorted(shipped_linears()))
def test_a_whole_bitlinear_is_read_as_one_and_never_taken_for_its_array(name):
    design = read_design(name)
    assert isinstance(design, LinearConfig)
    assert name.endswith(f"_{design.array.lanes}x{design.array.columns}")
    with pytest.raises(InputError, match="linear: makes a whole BitLinear of it, which this cannot take"):
        read_configuration(name)


def test_faults_of_the_parts_around_the_array_stand_at_their_lines(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("lanes: 8\ncolumns: 4\nmax_k: 8\nweight_bus_bits: 64\nlinear:\n  format: fp8\n  lane: 4\n")
    with pytest.raises(InputError) as raised:
        read_design(str(file))
    assert str(raised.value).endswith("7: linear.lane: unknown key; expected one of format, lanes, norm (did you mean "
                                      "'linear.lanes'?)")  # fmt: skip


def test_a_file_goes_before_a_shipped_configuration_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = read_configuration("tiny_8x4")
    (tmp_path / "tiny_8x4").mkdir()
    assert read_configuration("tiny_8x4") == shipped  # a folder is no configuration
    (tmp_path / "tiny_8x4").rmdir()
    (tmp_path / "tiny_8x4").write_text("lanes: 16\ncolumns: 2\nmax_k: 32\nweight_bus_bits: 64\n")
    assert read_configuration("tiny_8x4").lanes == 16
    with pytest.raises(InputError, match="does not exist"):
        read_configuration("tiny_8x4.yaml")
