"""Predictions of measurements: what a meter sees, which time watts flow for, and rows that cannot be priced."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.energy_models.architecture.shape import presets
from bitjoule.energy_models.machines.errors import constant_watts, error_lines, roofline_tokens_per_s
from bitjoule.energy_models.machines.names import Metered, metered, named
from bitjoule.energy_models.machines.predict import Lengths, predictions, price
from bitjoule.energy_models.machines.rows import read_rows
from bitjoule.energy_models.system.platform.overheads import Meter
from bitjoule.energy_models.system.platform.platforms import platforms
from bitjoule.energy_models.system.platform.static_power import StaticPower

ROWS = read_rows()[1]
FP16 = next(row for row in ROWS if row.cells["device"] == "RTX 4090" and row.cells["weights"] == "fp16")
LENGTHS = Lengths()


def priced(platform, meter=None, row=FP16, speed_given=False):
    """Return tokens a second and joules a token of a row on a platform."""
    name = named(row)
    name = name._replace(meter=meter or name.meter)
    (speed,), (energy,) = price([name], platform, "rtx-4090", LENGTHS, speed_given)
    return speed, energy


def card(**update):
    return platforms()["rtx-4090"].model_copy(update=update)


def test_net_readings_lack_the_idle_watts_for_the_time_of_a_token():
    machine = card(meter=Meter(idle_w=20.0))
    speed, gross = priced(machine, Metered("board", "gross"))
    _, net = priced(machine, Metered("board", "net"))
    assert gross - net == pytest.approx(20.0 / speed, rel=1e-9)


def test_a_meter_of_the_chip_sees_neither_memory_nor_board():
    machine = card(static=StaticPower(board=100.0, array=7.0))
    speed, board = priced(machine, Metered("board", "gross"))
    _, chip = priced(machine, Metered("chip", "gross"))
    model = presets()["bonsai-8b"]
    bits = 16 * (model.parameters - model.vocabulary * model.hidden)  # read for a token: all but the embedding
    at_least = 100.0 / speed + bits * machine.off_chip.read_pj_per_bit * 1e-12
    assert board - chip > at_least
    assert board - chip == pytest.approx(at_least, rel=0.01)  # and keys, values and activations
    assert chip > 7.0 / speed


def test_a_battery_gauge_sees_what_the_meter_of_a_board_does():
    machine = card(static=StaticPower(board=100.0, array=7.0), meter=Meter(idle_w=20.0))
    for idle in ("gross", "net"):
        assert priced(machine, Metered("battery", idle)) == priced(machine, Metered("board", idle))
    assert priced(machine, Metered("battery", "gross"))[1] > priced(machine, Metered("rail", "gross"))[1]
    assert metered("phone battery rail (/sys power_supply)").scope == "battery"


def test_the_meter_of_the_platform_stands_in_for_a_row_that_does_not_say():
    machine = card(meter=Meter(scope="chip", idle="net", idle_w=1.0))
    assert priced(machine, Metered(None, None)) == priced(machine, Metered("chip", "net"))


def test_with_the_speed_given_watts_flow_for_the_measured_time():
    machine = card(static=StaticPower(board=100.0))
    speed, energy = priced(machine)
    given, spent = priced(machine, speed_given=True)
    assert given == FP16.tokens_per_s
    assert spent - energy == pytest.approx(100.0 / given - 100.0 / speed, rel=1e-9)
    at_our_speed = dataclasses.replace(FP16, tokens_per_s=float(speed))
    assert priced(machine, row=at_our_speed, speed_given=True)[1] == pytest.approx(energy, rel=1e-9)


def test_busy_watts_flow_while_bits_move_and_idle_ones_in_the_rest_of_a_longer_time():
    machine = card(static=StaticPower(phy={"busy": 50.0, "idle": 5.0}), overheads=None)
    speed, energy = priced(machine)
    slower = dataclasses.replace(FP16, tokens_per_s=float(speed) / 2)
    spent = priced(machine, row=slower, speed_given=True)[1]
    assert spent - energy == pytest.approx(5.0 / speed, rel=1e-6)


def test_a_prompt_that_is_not_printed_is_a_band_and_one_that_is_has_none():
    chosen = [next(row for row in ROWS if row.cells["device"] == "1x H100"), FP16]
    request, decode = predictions(chosen, platforms(), LENGTHS)
    low, high = request.bands["tokens_per_s"]
    assert low < request.tokens_per_s < high
    assert request.bands["j_per_token"][0] < request.j_per_token < request.bands["j_per_token"][1]
    assert decode.bands == {}
    narrow = predictions(chosen[:1], platforms(), Lengths(prompt_tokens=(256.0, 256.0)))[0]
    assert narrow.tokens_per_s == pytest.approx(high)


@pytest.mark.parametrize("device", ["1x H100", "4x H100"])
def test_a_request_takes_what_its_prefill_and_its_decode_take(device):
    """Without a limit of power, time and energy add up: those of the work, of the links and of what flows on."""
    request = next(row for row in ROWS if row.cells["device"] == "1x H100")
    cells = {**request.cells, "device": device, "model": "Llama-3.1-8B-Instruct"}
    sizes = {"batch": 4.0, "prompt_tokens": 300.0, "new_tokens": 200.0}
    phases = [cells | {"phase": phase} for phase in ("prefill", "decode", "request")]
    rows = [named(dataclasses.replace(request, cells=of_phase, **sizes)) for of_phase in phases]
    machine = platforms()["h100"].model_copy(update={"power_limit": None})
    speed, energy = price(rows, machine, "h100", LENGTHS)
    tokens = 4 * np.array([300.0, 200.0, 200.0])
    for spent in (tokens / speed, tokens * energy):
        assert (spent > 0).all()
        assert spent[2] == pytest.approx(spent[0] + spent[1], rel=1e-9)


def test_rows_that_cannot_be_priced_say_why():
    unknown = dataclasses.replace(FP16, cells={**FP16.cells, "device": "RTX 4091"})
    shapeless = dataclasses.replace(FP16, cells={**FP16.cells, "model": "BitNet-2.5B"})
    speedless = dataclasses.replace(FP16, tokens_per_s=None)
    one, other = predictions([unknown, shapeless], platforms(), LENGTHS)
    (two,) = predictions([speedless], platforms(), LENGTHS, speed_given=True)
    assert (one.tokens_per_s, one.why) == (None, "unknown device 'RTX 4091' (did you mean 'RTX 4090'?)")
    assert (other.tokens_per_s, other.why.partition(":")[0]) == (None, "BitNet-2.5B")
    assert two.why == "no tokens_per_s is given"


def test_errors_are_shares_of_what_was_measured():
    found = predictions([FP16], platforms(), LENGTHS)
    (line, total) = error_lines(found, {"tokens_per_s": [1.25 * FP16.tokens_per_s]})
    assert line == ("rtx-4090", "tokens_per_s", 1, pytest.approx(0.25), pytest.approx(0.25))
    assert total[0] == "all"


def test_constant_watts_are_those_of_the_rows_that_are_fitted():
    ours = dataclasses.replace(FP16, tokens_per_s=10.0)
    assert constant_watts([ours], [FP16]) == [pytest.approx(FP16.tokens_per_s * FP16.j_per_token / 10)]
    assert constant_watts([ours], []) == [None]


def test_constant_watts_are_the_median_of_the_same_weights_or_else_of_the_machine():
    narrow = next(row for row in ROWS if row.cells["device"] == "RTX 4090" and row.cells["weights"] != "fp16")
    own = {key: narrow.cells[key] for key in ("weights", "activations")}

    def at(watts, **cells):
        cells = {**FP16.cells, "use": "fit", **cells}
        return dataclasses.replace(FP16, cells=cells, tokens_per_s=4.0, j_per_token=watts / 4)

    wide = [at(100.0), at(900.0), at(300.0), at(7.0, use="hold")]
    asked = [at(1.0), at(1.0, **own), dataclasses.replace(FP16, tokens_per_s=None)]
    assert constant_watts(asked, [*wide, at(40.0, **own)]) == pytest.approx([75, 10, None])
    assert constant_watts(asked, wide) == pytest.approx([75, 75, None])
    assert constant_watts(asked[:1], [at(40.0, **own), at(60.0, **own)]) == pytest.approx([12.5])


def test_errors_of_each_machine_and_of_all_are_medians_and_percentiles_of_their_sizes():
    measured = {"a": [10.0, 10.0, 10.0, None], "b": [4.0, 4.0]}
    given = {"a": [12.0, 5.0, 10.0, 1.0], "b": [3.0, np.nan]}
    found = [
        SimpleNamespace(platform=name, row=SimpleNamespace(tokens_per_s=value, j_per_token=value))
        for name, values in measured.items() for value in values
    ]  # fmt: skip
    nothing = [None] * len(found)
    lines = list(error_lines(found, {"tokens_per_s": [*given["a"], *given["b"]], "j_per_token": nothing}))
    by_hand = {"a": [0.2, 0.5, 0.0], "b": [0.25], "all": [0.2, 0.5, 0.0, 0.25]}
    assert [line.machine for line in lines] == list(by_hand)
    for line, errors in zip(lines, by_hand.values(), strict=True):
        assert (line.quantity, line.rows) == ("tokens_per_s", len(errors))
        assert [line.median, line.ninetieth] == pytest.approx([np.median(errors), np.percentile(errors, 90)])


def test_the_roofline_is_bytes_of_weights_over_the_peak_bandwidth():
    model = presets()["bonsai-8b"]
    linears = model.layers * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 12288) + 151936 * 4096
    assert roofline_tokens_per_s([FP16], platforms())[0] == pytest.approx(1008e9 / (2 * linears), rel=1e-9)
    several = dataclasses.replace(FP16, batch=3.0)
    prefill, unknown = (
        dataclasses.replace(FP16, cells={**FP16.cells, key: value})
        for key, value in (("phase", "prefill"), ("device", "RTX 4091"))
    )
    found = roofline_tokens_per_s([several, prefill, unknown, FP16], platforms())
    assert found == pytest.approx([3 * found[3], None, None, found[3]])
    assert roofline_tokens_per_s([FP16], {}) == [None]


def test_the_shipped_machines_hold_the_rows_that_they_were_fitted_to():
    """Deviations that their fits state: 4 % on the processors, 20 % on the cards."""
    fitted = [row for row in ROWS if row.use == "fit"]
    found = [each for each in predictions(fitted, platforms(), LENGTHS) if not each.why]
    for machine, deviation in (("i7-13700h", 0.04), ("m2-ultra", 0.04), ("rtx-4090", 0.25), ("h100", 0.25)):
        own = [each for each in found if each.platform == machine]
        errors = [np.log(each.tokens_per_s / each.row.tokens_per_s) for each in own]
        assert np.sqrt(np.mean(np.square(errors))) < deviation, machine
