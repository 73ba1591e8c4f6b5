"""What the commands of `rtl` take alike, at the ends of what they take."""

from types import SimpleNamespace

import pytest

from bitjoule.commands.hardware.rtl_options import configuration_name, fitting, matmul
from bitjoule.commands.hardware.rtl_place import _clocks_per_bit
from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.sim.accelerator.cycles import cycles

CONFIG = AcceleratorConfig(8, 2, 32, 32)
M, N = (1 << 16) - 1, (1 << 24) - 1  # of the fields of a command


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((M, 32, 1), None),
        ((1, 32, N), None),
        ((1, 1, 1), None),
        ((M + 1, 32, 1), f"{M + 1}x32x1: is too large; expected M up to {M}, N up to {N}"),
        ((1, 32, N + 1), f"1x32x{N + 1}: is too large; expected M up to {M}, N up to {N}"),
        ((1, 33, 1), "1x33x1: K 33 exceeds max_k 32; expected K from 1 to 32, or a larger max_k"),
    ],
)
def test_a_matmul_is_taken_to_the_ends_of_a_commands_fields(sizes, told):
    if told is None:
        assert fitting(CONFIG, [sizes], 10**12, "") == [sizes]
        return
    with pytest.raises(InputError) as error:
        fitting(CONFIG, [(1, 1, 1), sizes], 10**12, "")
    assert str(error.value) == f"--matmul:1: {told}"


def test_a_matmul_may_take_as_many_cycles_as_are_allowed_and_every_one_that_does_not_fit_is_told():
    sizes = (3, 20, 5)
    taken = cycles(CONFIG, *sizes)
    assert fitting(CONFIG, [sizes], taken, "a while") == [sizes]
    with pytest.raises(InputError) as error:
        fitting(CONFIG, [(1, 33, 1), (1, 1, 1), sizes], taken - 1, "a while")
    assert [problem.key for problem in error.value.problems] == ["1x33x1", "3x20x5"]
    assert error.value.problems[1].expected == f"at most {taken - 1}, a while"
    assert error.value.problems[1].wrong == f"takes {taken} cycles"


def test_sizes_are_read_in_the_order_of_m_k_and_n():
    assert matmul("1x2560x6912") == (1, 2560, 6912)


@pytest.mark.parametrize(("given", "name"), [("mine.yaml", "mine"), ("a/b c.yml", "b_c"), ("tiny_8x4", "tiny_8x4")])
def test_files_are_named_after_a_configuration(given, name):
    assert configuration_name(given) == name


@pytest.mark.parametrize(
    ("clock_mhz", "baud", "cycles"), [(12, 3e6, 4), (12, 115200, 104), (12, 3.4e6, 4), (100, 1e6, 100)]
)
def test_a_bit_takes_the_nearest_number_of_cycles_and_four_at_least(clock_mhz, baud, cycles):
    assert _clocks_per_bit(SimpleNamespace(clock_mhz=clock_mhz, baud=baud)) == cycles
    with pytest.raises(InputError, match=r"a bit takes 3 cycles of .*expected at most "):
        _clocks_per_bit(SimpleNamespace(clock_mhz=clock_mhz, baud=clock_mhz * 1e6 / 3))
