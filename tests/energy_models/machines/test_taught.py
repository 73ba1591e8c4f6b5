"""Cards of which no row was given: files as their data sheets and the fitted cards say, scaled by the stated rules."""

import pytest

from bitjoule.energy_models.inputs.documents import read_document
from bitjoule.energy_models.machines.names import devices
from bitjoule.energy_models.machines.taught import WRITTEN_BY, card_rows, taught
from bitjoule.energy_models.system.platform.platforms import FOLDER, platforms


@pytest.mark.parametrize("name", card_rows())
def test_the_file_is_what_the_data_sheet_and_the_teacher_say(name):
    cells, file = card_rows()[name], FOLDER / f"{name}.yaml"
    assert file.read_text().startswith(WRITTEN_BY)
    assert read_document(file).data == taught(cells, platforms()[cells["taught_by"]]), "python benchmarks/cards.py"


@pytest.mark.parametrize("name", card_rows())
def test_peaks_are_those_of_the_data_sheet(name):
    cells, card = card_rows()[name], platforms()[name]
    for array, column in (("tensor", "tensor_tflops"), ("tensor8", "narrow_tflops")):
        each = card.arrays[array]
        peak = 2 * each.lanes * each.columns * each.copies * card.nodes["7nm"].clock_mhz * 1e6
        assert peak == pytest.approx(float(cells[column]) * 1e12, rel=0.03)  # whole lanes
    assert card.off_chip.bandwidth_gb_per_s == float(cells["bandwidth_gb_per_s"])
    assert card.power_limit.watts == float(cells["limit_w"])


def test_rates_of_unpacking_follow_streaming_multiprocessors_and_clock():
    teacher, card = platforms()["h100"].overheads, platforms()["a100"].overheads
    for storage, rate in teacher.unpack_weights_per_s.items():
        assert card.unpack_weights_per_s[storage] == pytest.approx(rate * 108 * 1410 / (132 * 1980), rel=1e-5)
    assert card.matmul_us == teacher.matmul_us


def test_watts_beyond_the_idle_ones_follow_size_and_process():
    teacher, card = platforms()["rtx-4090"], platforms()["rtx-3060"]
    beyond = teacher.static.board - teacher.meter.idle_w
    expected = 12 + beyond * 28 * 1777 / (128 * 2520) * 1.72
    assert card.static.board == pytest.approx(expected, rel=1e-5)


def test_the_chip_of_the_h200_is_that_of_the_h100():
    h100, h200 = platforms()["h100"], platforms()["h200"]
    assert h200.arrays["tensor"] == h100.arrays["tensor"]
    assert h200.overheads == h100.overheads


def test_every_card_has_a_name_in_measurements():
    assert set(card_rows()) <= {cells["platform"] for cells in devices().values()}


@pytest.mark.parametrize("name", ["h100", "rtx-4090", "b200"])
def test_four_bit_weights_and_denser_trits_follow_the_fitted_kernels_as_their_sources_say(name):
    overheads = platforms()[name].overheads
    rates, energies = overheads.unpack_weights_per_s, overheads.unpack_pj_per_weight
    assert (rates["int4"], energies["int4"]) == (rates["ternary"], energies["q2_0_g128"])
    assert rates["ternary5_g128"] == pytest.approx(0.9 * rates["ternary"], rel=1e-3)
    assert energies["ternary5_g128"] == pytest.approx(energies["pq2_0"] / 0.9, rel=1e-3)


def test_the_b200_unpacks_as_the_h100_by_its_streaming_multiprocessors():
    h100, b200 = platforms()["h100"].overheads, platforms()["b200"].overheads
    for storage in ("ternary", "binary", "int4"):
        expected = h100.unpack_weights_per_s[storage] * 148 / 132
        assert b200.unpack_weights_per_s[storage] == pytest.approx(expected, rel=1e-5)
    assert (b200.matmul_us, b200.unpack_overlap) == (h100.matmul_us, h100.unpack_overlap)
    assert b200.unpack_pj_per_weight.items() <= h100.unpack_pj_per_weight.items()


def test_the_rtx_4090_takes_from_the_h100_what_its_sources_say():
    h100, rtx = platforms()["h100"], platforms()["rtx-4090"]
    for name in ("tensor", "tensor8"):
        assert rtx.arrays[name].achieved_share == h100.arrays[name].achieved_share
        assert {mac.energy_pj for mac in rtx.arrays[name].macs} == {mac.energy_pj for mac in h100.arrays[name].macs}
    assert rtx.overheads.unpack_pj_per_weight["pq2_0"] == h100.overheads.unpack_pj_per_weight["pq2_0"]


@pytest.mark.parametrize(
    ("name", "array", "part"),
    [("h100", "tensor8", 2), ("rtx-4090", "tensor8", 2), ("b200", "tensor8", 2), ("b200", "tensor4", 4)],
)
def test_narrow_products_take_the_part_of_the_fitted_price_that_the_sources_say(name, array, part):
    arrays = platforms()[name].arrays
    for mac in arrays[array].macs:
        assert mac.energy_pj == pytest.approx(arrays["tensor"].macs[0].energy_pj / part, rel=1e-3)
