"""What a bit costs at a buffer and at the chip's edge."""

import math
import re
from dataclasses import replace

import pytest

from bitjoule.energy_models.inputs.facts import Price
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.platform.accesses import UnpricedError, buffer_price, off_chip_price
from bitjoule.energy_models.system.platform.platforms import Buffer, OffChip

SEVEN = technologies()["7nm"]
KIB = 1024


def macro(size_bytes, banks=1):
    return Buffer.model_construct(
        holds=["weights"], size_bytes=size_bytes, width_bits=32, memory="sram", banks=banks, read_pj=None, write_pj=None
    )


def test_reads_and_writes_have_prices_of_their_own():
    buffer = Buffer(holds=["weights"], size_bytes=KIB, width_bits=32, read_pj=8.0, write_pj=16.0)
    assert buffer_price(buffer, True, SEVEN, "x") == (Price(0.25, 0.25, 0.25), "x")
    assert buffer_price(buffer, False, SEVEN, "x") == (Price(0.5, 0.5, 0.5), "x")
    edge = OffChip(read_pj_per_bit=3.0, write_pj_per_bit=5.0, bandwidth_gb_per_s=1.0)
    assert off_chip_price(edge, True, "x") == (Price(3, 3, 3), "x")
    assert off_chip_price(edge, False, "x") == (Price(5, 5, 5), "x")


@pytest.mark.parametrize(
    ("bank_bytes", "pj", "high_pj"),
    [
        (8 * KIB, 7.5, 13.9),
        (16 * KIB, math.sqrt(7.5 * 8.5), math.sqrt(13.9 * 14.9)),  # half way, log-log
        (32 * KIB, 8.5, 14.9),
        (256 * KIB, 8.5 ** (2 / 5) * 14 ** (3 / 5), 14.9 ** (2 / 5) * 20.4 ** (3 / 5)),  # 2**8 of 2**5 to 2**10
        (1024 * KIB, 14, 20.4),
    ],
)
@pytest.mark.parametrize("banks", [1, 4])
def test_a_macro_lies_on_the_line_between_two_rows_of_tpuv4i(bank_bytes, pj, high_pj, banks):
    price, key = buffer_price(macro(bank_bytes * banks, banks), True, SEVEN, "x")
    assert price == pytest.approx((pj / 64, pj / 64, high_pj / 64))
    assert key == f"memories.csv:7nm:sram:{bank_bytes:.16g}"


@pytest.mark.parametrize("bank_bytes", [8 * KIB - 1, 1024 * KIB + 1])
def test_a_bank_outside_the_sizes_that_are_printed_has_no_price(bank_bytes):
    with pytest.raises(UnpricedError, match=f"7nm has no price for sram of {re.escape(f'{bank_bytes:g}')} bytes"):
        buffer_price(macro(bank_bytes), True, SEVEN, "x")


def test_nor_has_any_bank_at_a_node_without_rows():
    with pytest.raises(UnpricedError) as error:
        buffer_price(macro(16 * KIB), True, replace(SEVEN, name="28nm", node_nm=28.0), "x")
    assert "28nm has no price for sram" in str(error.value.args[0])
    row = "a row sram with capacity_bytes >= 16384 in the prices of 28nm"
    assert error.value.args[1] == f"{row}, or one of the technologies 45nm, 7nm"
