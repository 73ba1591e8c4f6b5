"""What a platform's file inherits although it changes what that was written for."""

import pytest

from bitjoule.energy_models.system.platform.platforms import platforms, read_platform
from bitjoule.energy_models.system.platform.unscaled import has_source

BASE = """\
description: a machine
arrays:
  wide:
    lanes: 8
    columns: 8
    macs: [{weights: [int8], activations: [int8], actions: [mul int8, add int16]}]
    weight_registers: {load_bits_per_cycle: 64}
    accumulators: {per: column, depth: 8, bits: 32}
  helper:
    lanes: 2
    columns: 2
    macs: [{weights: [fp16], activations: [fp16], actions: [mul fp16, add fp16]}]
    weight_registers: {load_bits_per_cycle: 32}
    accumulators: {per: column, depth: 8, bits: 32}
vector: {lanes: 4}
buffers:
  shared: {holds: [weights, activations], size_bytes: 65536, width_bits: 64, read_pj: 5, write_pj: 6}
off_chip: {memory: lpddr4, bandwidth_gb_per_s: 12.8}
nodes:
  45nm: {clock_mhz: 500, leakage_w: from_configuration}
  7nm: {clock_mhz: 500, leakage_w: LEAKAGE}
static: {dram: 0.035, host: 0.3}
"""
WRITE = "write it, or a source for it, in the file"


@pytest.fixture
def unscaled(tmp_path):
    """Return a function that gives the keys that a file of differences inherits wrongly, and why."""

    def read(changes, leakage="0.02", base=BASE):
        (tmp_path / "base.yaml").write_text(base.replace("LEAKAGE", leakage))
        (tmp_path / "mine.yaml").write_text(f"like: base\n{changes}")
        lines = read_platform(tmp_path / "mine.yaml").unscaled
        return dict(line.split(": ", 1) for line in lines)

    return read


def test_a_larger_array_with_the_old_load_path_leakage_and_helper_is_named(unscaled):
    why = f"is inherited from base, which has arrays.wide.lanes 8, not 32; {WRITE}"
    assert unscaled("arrays: {wide: {lanes: 32}}") == {
        "arrays.wide.weight_registers.load_bits_per_cycle": f"64 {why}",
        "nodes.7nm.leakage_w": f"0.02 {why}",
        "arrays.helper": why,
    }


def test_a_leakage_from_the_configuration_follows_it_and_none_needs_no_scaling(unscaled):
    for leakage in ("from_configuration", "0"):
        assert "nodes.7nm.leakage_w" not in unscaled("arrays: {wide: {columns: 32}}", leakage)


@pytest.mark.parametrize(
    "changes",
    [
        "arrays: {wide: {lanes: 32, weight_registers: {load_bits_per_cycle: 256}}}",
        "arrays: {wide: {lanes: 32}}\nsources: {arrays.wide.weight_registers.load_bits_per_cycle: as before}",
        "arrays: {wide: {lanes: 32}}\nsources: {arrays.wide: all of it}",
    ],
)
def test_what_is_written_or_has_a_source_in_the_file_was_thought_of(unscaled, changes):
    assert list(unscaled(changes)) == ["nodes.7nm.leakage_w", "arrays.helper"]


def test_a_source_of_another_key_with_the_same_beginning_says_nothing(unscaled):
    changes = "arrays: {wide: {lanes: 32}}\nsources: {arrays.wide.weight_registers.weights: one}"
    assert "arrays.wide.weight_registers.load_bits_per_cycle" in unscaled(changes)


@pytest.mark.parametrize(
    "changes",
    [
        "description: the same machine",
        "arrays: {wide: {lanes: 8, columns: 8}}",  # as before
        "off_chip: {bandwidth_gb_per_s: 25.6}",
        "arrays: {more: {lanes: 2, columns: 2, macs: [{weights: [int8], activations: [int8], energy_pj: 1}], "
        "weight_registers: {load_bits_per_cycle: 8}, accumulators: {per: column, depth: 1, bits: 32}}}",
        "arrays: {wide: null}",
    ],
)
def test_a_file_that_changes_no_size_inherits_everything_rightly(unscaled, changes):
    assert unscaled(changes) == {}


def test_a_removed_helper_is_not_named(unscaled):
    found = unscaled("arrays: {wide: {lanes: 32}, helper: null}")
    assert list(found) == ["arrays.wide.weight_registers.load_bits_per_cycle", "nodes.7nm.leakage_w"]


def test_a_larger_buffer_with_the_old_prices_of_an_access_is_named(unscaled):
    why = f"is inherited from base, which has buffers.shared.size_bytes 65536, not 131072; {WRITE}"
    assert unscaled("buffers: {shared: {size_bytes: 131072}}") == {
        "buffers.shared.read_pj": f"5 {why}",
        "buffers.shared.write_pj": f"6 {why}",
        "nodes.7nm.leakage_w": f"0.02 {why}",
    }


def test_another_memory_with_the_old_bandwidth_and_standby_is_named(unscaled):
    why = f"is inherited from base, which has off_chip.memory lpddr4, not hbm2; {WRITE}"
    assert unscaled("off_chip: {memory: hbm2}") == {
        "off_chip.bandwidth_gb_per_s": f"12.8 {why}",
        "static.dram": f"0.035 {why}",
    }
    assert unscaled("off_chip: {memory: hbm2, bandwidth_gb_per_s: 300}\nstatic: {dram: 1}") == {}


def test_watts_of_arrays_and_buffers_belong_to_their_sizes(unscaled):
    base = BASE.replace("static: {dram: 0.035", "static: {array: {busy: 0.2, idle: 0.1}, sram: 0.01, dram: 0.035")
    base = base.replace("leakage_w: from_configuration", "leakage_w: 0")
    why = f"is inherited from base, which has arrays.wide.columns 8, not 16; {WRITE}"
    found = unscaled("arrays: {wide: {columns: 16}}\nbuffers: {shared: {size_bytes: 131072}}", "0", base)
    assert found["static.array"] == why  # not a number
    assert found["static.sram"].startswith("0.01 is inherited from base, which has buffers.shared.size_bytes 65536")


def test_a_file_that_inherits_from_it_inherits_the_doubt_until_it_writes_the_key(tmp_path, unscaled):
    unscaled("arrays: {wide: {lanes: 32}}")
    (tmp_path / "third.yaml").write_text("like: mine\nnodes: {7nm: {leakage_w: 0.08}}\n")
    lines = read_platform(tmp_path / "third.yaml").unscaled
    assert [line.split(":")[0] for line in lines] == [
        "arrays.wide.weight_registers.load_bits_per_cycle", "arrays.helper",
    ]  # fmt: skip
    assert all("inherited from base" in line for line in lines)


@pytest.mark.parametrize("name", platforms())
def test_no_shipped_platform_inherits_what_does_not_fit_it(name):
    assert platforms()[name].unscaled == ()


def test_a_run_warns_of_it_and_of_a_clock_in_another_unit(bitjoule, tmp_path):
    (tmp_path / "base.yaml").write_text(BASE.replace("LEAKAGE", "0.02"))
    (tmp_path / "mine.yaml").write_text("like: base\narrays: {wide: {lanes: 32}}\nnodes: {7nm: {clock_mhz: 0.5}}\n")
    text = "name: x\naccounting: system\nmodels: [bitnet-125m]\nschemes: [int8]\ntechnologies: [7nm]\n"
    (tmp_path / "x.yaml").write_text(f"{text}platforms: [./mine.yaml]\n")
    status, _, err = bitjoule("run", tmp_path / "x.yaml", "--no-plots", "--out", tmp_path / "out")
    assert status == 0
    keys = [line.removeprefix("bitjoule: platform mine: ").split(":")[0] for line in err.splitlines()]
    assert keys == [
        "arrays.wide.weight_registers.load_bits_per_cycle", "nodes.7nm.leakage_w", "arrays.helper",
        "nodes.7nm.clock_mhz",
    ]  # fmt: skip
    summary = (tmp_path / "out" / "x" / "summary.md").read_text()
    assert all(f"- {line.removeprefix('bitjoule: ')}\n" in summary for line in err.splitlines())


INLINE = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [int8]
technologies: [7nm]
platforms:
  - &base
    name: base
    description: a machine
    arrays: &arrays
      wide: &wide
        lanes: 8
        columns: 8
        macs: [{weights: [int8], activations: [int8], actions: [mul int8, add int16]}]
        weight_registers: {load_bits_per_cycle: 64}
        accumulators: {per: column, depth: 8, bits: 32}
      helper: {<<: *wide, macs: [{weights: [fp16], activations: [fp16], actions: [mul fp16, add fp16]}]}
    vector: {lanes: 4}
    buffers: {shared: {holds: [weights, activations], size_bytes: 65536, width_bits: 64, read_pj: 5, write_pj: 6}}
    off_chip: {memory: lpddr4, bandwidth_gb_per_s: 12.8}
    nodes: {7nm: {clock_mhz: 500, leakage_w: 0.02}}
    sources: {arrays.wide: of base}
  - {<<: *base, name: mine, arrays: {<<: *arrays, wide: CHANGED}}
"""


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ("{<<: *wide, lanes: 32}", ["arrays.wide.weight_registers.load_bits_per_cycle", "nodes.7nm.leakage_w",
                                    "arrays.helper"]),
        ("{<<: *wide, lanes: 32, weight_registers: {load_bits_per_cycle: 256}}", ["nodes.7nm.leakage_w",
                                                                                  "arrays.helper"]),
        ("{<<: *wide, lanes: 8}", []),
        ("*wide", []),
    ],
)  # fmt: skip
def test_a_platform_that_merges_another_in_the_experiment_is_told_the_same(resolved, changed, keys):
    machines = resolved(INLINE.replace("CHANGED", changed)).platforms
    (base,), (mine,) = (by_scheme.values() for by_scheme in machines.values())
    assert base[1].unscaled == ()
    lines = dict(line.split(": ", 1) for line in mine[1].unscaled)
    assert list(lines) == keys
    why = "is inherited from a mapping that << merges, which has arrays.wide.lanes 8, not 32; " + WRITE
    assert all(text.endswith(why) for text in lines.values())


def test_a_source_that_is_written_and_not_merged_ends_the_warning_there_too(resolved):
    text = INLINE.replace("CHANGED", "{<<: *wide, lanes: 32}").replace("name: mine,", "name: mine, sources: {nodes: "
                          "as before, arrays.wide: mine},")  # fmt: skip
    (mine,) = resolved(text).platforms["mine"].values()
    assert [line.split(":")[0] for line in mine[1].unscaled] == ["arrays.helper"]


def test_it_is_told_of_files_that_merge_too(tmp_path):
    text = INLINE[INLINE.index("    description") : INLINE.index("  - {<<")]
    lines = [line.removeprefix("    ") for line in text.splitlines()]
    lines[lines.index("arrays: &arrays")] = "arrays:"
    lines.insert(lines.index("vector: {lanes: 4}"), "  wider: {<<: *wide, columns: 16}")
    (tmp_path / "mine.yaml").write_text("\n".join(lines).replace("sources: {arrays.wide: of base}", ""))
    assert [line.split(":")[0] for line in read_platform(tmp_path / "mine.yaml").unscaled] == [
        "arrays.wider.weight_registers.load_bits_per_cycle",
    ]  # fmt: skip


def test_a_key_has_the_source_of_itself_or_of_a_whole_mapping_around_it():
    assert has_source("arrays.wide.lanes", ["arrays.wide.lanes"])
    assert has_source("arrays.wide.lanes", ["vector", "arrays"])
    assert not has_source("arrays.wider.lanes", ["arrays.wide"])
    assert not has_source("arrays.wide", ["arrays.wide.lanes"])


LIKE = """\
name: x
accounting: system
models: [bitnet-125m]
schemes: [int8]
technologies: [7nm]
platforms: [{name: mine, like: base.yaml, CHANGES}]
"""


def inline(resolved, tmp_path, changes, *overrides):
    """Return the lines of an inline platform that inherits BASE, by key."""
    (tmp_path / "base.yaml").write_text(BASE.replace("LEAKAGE", "0.02"))
    (mine,) = resolved(LIKE.replace("CHANGES", changes), *overrides).platforms["mine"].values()
    return dict(line.split(": ", 1) for line in mine[1].unscaled)


def test_an_inline_platform_that_inherits_by_like_is_told_the_same(resolved, tmp_path):
    why = f"is inherited from base.yaml, which has arrays.wide.lanes 8, not 32; {WRITE}"
    assert inline(resolved, tmp_path, "arrays: {wide: {lanes: 32}}") == {
        "arrays.wide.weight_registers.load_bits_per_cycle": f"64 {why}",
        "nodes.7nm.leakage_w": f"0.02 {why}",
        "arrays.helper": why,
    }
    written = "arrays: {wide: {lanes: 32}}, sources: {arrays.helper: as large, nodes: as large}"
    assert list(inline(resolved, tmp_path, written)) == ["arrays.wide.weight_registers.load_bits_per_cycle"]


def test_so_is_one_that_an_override_changes(resolved, tmp_path):
    file = tmp_path / "experiment.yaml"
    why = f"comes from {file}, which has arrays.wide.lanes 8, not 16; override it, or a source for it, too"
    widen = "platforms.0.arrays.wide.lanes=16"
    assert inline(resolved, tmp_path, "vector: {lanes: 8}", widen) == {
        "arrays.wide.weight_registers.load_bits_per_cycle": f"64 {why}",
        "nodes.7nm.leakage_w": f"0.02 {why}",
        "arrays.helper": why,
    }
    # what the file wrote was written for its own size
    load = "arrays: {wide: {lanes: 32, weight_registers: {load_bits_per_cycle: 256}}}"
    lines = inline(resolved, tmp_path, load, widen)
    key = "arrays.wide.weight_registers.load_bits_per_cycle"
    assert lines[key] == "256 " + why.replace("lanes 8", "lanes 32")
    assert key not in inline(resolved, tmp_path, load, widen, f"platforms.0.{key}=128")
    assert key not in inline(resolved, tmp_path, load, widen, "platforms.0.sources={arrays.wide: a sheet}")
    assert inline(resolved, tmp_path, "vector: {lanes: 8}", "platforms.0.vector.lanes=2") == {}


def test_an_override_of_a_platform_without_like_or_of_what_it_is_like(resolved):
    text = INLINE.replace("CHANGED", "*wide")
    (mine,) = resolved(text, "platforms.1.arrays.wide.lanes=32").platforms["mine"].values()
    lines = dict(line.split(": ", 1) for line in mine[1].unscaled)
    assert list(lines) == [
        "arrays.wide.weight_registers.load_bits_per_cycle", "nodes.7nm.leakage_w", "arrays.helper",
    ]  # fmt: skip
    assert all("experiment.yaml, which has arrays.wide.lanes 8, not 32" in why for why in lines.values())
    whole = "platforms.1={name: mine, like: ternary-edge, arrays: {adders: {lanes: 128}}}"
    (mine,) = resolved(text.replace("schemes: [int8]", "schemes: [bitnet-b1.58]"), "platforms.0=ternary-edge",
                       whole).platforms["mine"].values()  # fmt: skip
    assert all("is inherited from ternary-edge, which has" in line for line in mine[1].unscaled)
    assert mine[1].unscaled


def test_a_member_of_a_set_is_told_too(resolved, tmp_path):
    (tmp_path / "base.yaml").write_text(BASE.replace("LEAKAGE", "0.02"))
    text = LIKE.replace("platforms: [{name: mine, like: base.yaml, CHANGES}]",
                        "platforms: [{name: all, by_scheme: {int8: {name: mine, like: base.yaml}}}]")  # fmt: skip
    (mine,) = resolved(text, "platforms.0.by_scheme.int8.buffers.shared.size_bytes=131072").platforms["all"].values()
    assert {line.split(":")[0] for line in mine[1].unscaled} == {
        "buffers.shared.read_pj", "buffers.shared.write_pj", "nodes.7nm.leakage_w",
    }  # fmt: skip
