"""What a platform may say of its memory levels; messages word for word."""

import pytest

from bitjoule.energy_models.inputs.errors import InputError
from bitjoule.energy_models.prices.technology import technologies
from bitjoule.energy_models.system.hardware.silicon import leakage_w, silicon
from bitjoule.energy_models.system.platform.platforms import read_platform

PRICE = "read_pj_per_bit: 0.1, write_pj_per_bit: 0.1"


def read(folder, levels):
    path = folder / "mine.yaml"
    path.write_text(f"like: ternary-edge\nlevels:\n{levels}\n")
    return read_platform(path)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (
            f"  l2: {{holds: [weights], size_bytes: 4096, bandwidth_gb_per_s: 1, {PRICE}}}\n"
            f"  l3: {{holds: [weights], size_bytes: 4095, bandwidth_gb_per_s: 1, {PRICE}}}",
            "mine.yaml:4: levels.l3.size_bytes: 4095 bytes cannot include level l2, which holds weights, too; expected "
            "at least 4096 bytes: levels are written from the buffers outwards",
        ),
        (
            "  l2: {holds: [weights], size_bytes: 4096, bandwidth_gb_per_s: 1, read_pj_per_bit: 1}",
            "mine.yaml:3: levels.l2: requires memory, or read_pj_per_bit and write_pj_per_bit; expected one of the two "
            "ways",
        ),
        (
            f"  l2: {{holds: [weights, weights], size_bytes: 4096, bandwidth_gb_per_s: 1, {PRICE}}}",
            "mine.yaml:3: levels.l2.holds: duplicate weights; expected each operand once",
        ),
        (
            "  l2: {holds: [weights], size_bytes: 4096, bandwidth_gb_per_s: 1, memory: srma}",
            "mine.yaml:3: levels.l2.memory: unknown memory 'srma' (did you mean 'sram'?); expected sram",
        ),
        (
            "  l2: {holds: [weights], size_bytes: 0, bandwidth_gb_per_s: 1, memory: sram}",
            "mine.yaml:3: levels.l2.size_bytes: 0 bytes of memory have no price; expected at least one byte, or null "
            "for the level",
        ),
    ],
)
def test_wrong_levels_say_where_and_what_is_expected(tmp_path, levels, message):
    with pytest.raises(InputError) as caught:
        read(tmp_path, levels)
    assert message in str(caught.value).replace("\n  ", " ").replace(str(tmp_path) + "/", "")


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        (f"holds: [caches], size_bytes: 1, bandwidth_gb_per_s: 1, {PRICE}", "levels.l2.holds"),
        (f"holds: [weights], size_bytes: -1, bandwidth_gb_per_s: 1, {PRICE}", "levels.l2.size_bytes"),
        (f"holds: [weights], size_bytes: 1, bandwidth_gb_per_s: 0, {PRICE}", "levels.l2.bandwidth_gb_per_s"),
        (f"holds: [], size_bytes: 1, bandwidth_gb_per_s: 1, {PRICE}", "levels.l2.holds"),
        (f"holds: [weights], size_bytes: 1, {PRICE}", "levels.l2.bandwidth_gb_per_s"),
    ],
)
def test_values_outside_their_range_are_refused(tmp_path, keys, key):
    with pytest.raises(InputError, match=key.replace(".", r"\.")):
        read(tmp_path, f"  l2: {{{keys}}}")


def test_area_and_leakage_follow_the_bits_of_each_level(tmp_path):
    """silicon.csv at 7 nm: 0.04 um2 and 0.1023 nW a bit."""
    mine = read(tmp_path, f"  l2: {{holds: [weights], size_bytes: 1048576, bandwidth_gb_per_s: 9, {PRICE}}}")
    bare = mine.model_copy(update={"levels": None})
    technology = technologies()["7nm"]
    parts = silicon(mine, technology)
    assert parts["level l2"].area_um2 == pytest.approx(8 * 1048576 * 0.04)
    assert {name: part for name, part in parts.items() if name != "level l2"} == silicon(bare, technology)
    more = leakage_w(mine, technology).nominal_pj - leakage_w(bare, technology).nominal_pj
    assert more == pytest.approx(8 * 1048576 * 0.1023e-9)


def test_a_size_that_changes_with_an_inherited_price_is_told(tmp_path):
    (tmp_path / "base.yaml").write_text(
        f"like: ternary-edge\nlevels:\n  l2: {{holds: [weights], size_bytes: 4096, bandwidth_gb_per_s: 1, {PRICE}}}\n"
    )
    (tmp_path / "larger.yaml").write_text("like: base\nlevels: {l2: {size_bytes: 8192}}\n")
    lines = read_platform(tmp_path / "larger.yaml").unscaled
    told = [line for line in lines if line.startswith("levels.l2.read_pj_per_bit: 0.1 is inherited from base")]
    assert len(told) == 1
