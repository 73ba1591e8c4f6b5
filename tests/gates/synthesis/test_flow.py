"""A design is mapped to libraries with and without full adders and clock gates, and still computes."""

import itertools
import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bitjoule.gates.liberty.cells import Library
from bitjoule.gates.liberty.libraries import default_liberty
from bitjoule.gates.liberty.source import read_text, without_comments
from bitjoule.gates.liberty.text import LibertyError, cell_texts
from bitjoule.gates.netlist import kind
from bitjoule.gates.power.activity import Simulator
from bitjoule.gates.synthesis import flow, yosys_passes
from bitjoule.gates.synthesis.flow import FAST, SMALL, Goals, map_design
from bitjoule.gates.synthesis.sizing import use_inverse_outputs
from bitjoule.gates.synthesis.yosys import ALLOCATOR, MEMORY, Options, lean_json, synthesise
from tests.gates import hand_made as hand
from tests.gates.liberty.test_liberty_cases import PLAIN, written

ACCUMULATOR = """
module top (input clk, input en, input [7:0] a, input [7:0] b, output reg [9:0] y);
  always @(posedge clk) if (en) y <= a + b + y[7:0];
endmodule
"""
WIDTH = 8


def without(path, start):
    """Write FreePDK45 without the cells whose names begin so."""
    text = without_comments(read_text(default_liberty()))
    cells = cell_texts(text)
    head = text[: text.index(next(iter(cells.values())))]
    last = list(cells)[-1]
    cells[last] = cells[last][: cells[last].rindex("}")]
    path.write_text(head + "".join(cell for name, cell in cells.items() if not name.startswith(start)) + "}\n")
    return Library([path])


def mapped(tmp_path, library, period_ns=math.nan, adder="ripple", design=ACCUMULATOR, options=None):
    source = tmp_path / "design.v"
    source.write_text(design)
    folder = tmp_path / "work"
    folder.mkdir()
    return map_design(source, "top", "clk", library, folder, options or Options(adder), Goals(period_ns, 0.5))


def accumulates(netlist):
    """Run random operands and compare with integers."""
    simulator = Simulator(netlist, "clk", 1)
    simulator.settle()
    rng = np.random.default_rng(0)
    expected = np.zeros(64, dtype=np.int64)

    def words(values, bits):
        found = [sum(int(value >> bit & 1) << trial for trial, value in enumerate(values)) for bit in range(bits)]
        return np.array(found, dtype=np.uint64)[:, None]

    previous = None
    for _ in range(20):
        operands = [rng.integers(0, 2**WIDTH, 64) for _ in "ab"]
        enable = rng.integers(0, 2, 64)
        inputs = {"a": words(operands[0], WIDTH), "b": words(operands[1], WIDTH), "en": words(enable, 1)}
        simulator.cycle(inputs)
        if previous is not None:
            a, b, on = previous
            expected = np.where(on, a + b + expected % 256, expected)
        assert (simulator.output("y") == words(expected, 10)).all()
        previous = (*operands, enable)


def kinds(netlist):
    return {kind(instance.cell) for instance in netlist.instances}


def test_full_adders_and_clock_gates_are_used_where_there_are_any(tmp_path):
    design = mapped(tmp_path, Library([default_liberty()]))
    accumulates(design.netlist)
    assert {"adder", "gating"} <= kinds(design.netlist)


@pytest.mark.parametrize(("start", "lost"), [("FA_", "adder"), ("CLKGATE", "gating")])
def test_a_library_without_them_gives_a_netlist_without_them_that_computes(tmp_path, start, lost):
    design = mapped(tmp_path, without(tmp_path / "less.lib", start))
    accumulates(design.netlist)
    assert lost not in kinds(design.netlist)


def test_four_cells_are_enough(tmp_path):
    design = mapped(tmp_path, hand.library(tmp_path))
    accumulates(design.netlist)
    assert {instance.cell.name for instance in design.netlist.instances} <= {"INV", "BUF", "NAND", "DFF"}
    assert design.timing.period_ns > 0.0


def test_an_inverter_that_abc_leaves_behind_a_register_goes(tmp_path, monkeypatch):
    """FreePDK45's flip-flops have the outputs Q and QN. Other scripts of ABC find exclusive NORs without inverters."""
    before = []

    def seen(netlist):
        before.extend(instance.cell.name for instance in netlist.instances)
        use_inverse_outputs(netlist)

    monkeypatch.setattr("bitjoule.gates.synthesis.sizing.use_inverse_outputs", seen)
    design = """
        module top (input clk, input d, input [3:0] a, output [3:0] y);
          reg q; always @(posedge clk) q <= d; assign y = q ? a : ~a;
        endmodule
    """
    netlist = mapped(tmp_path, Library([default_liberty()]), design=design, options=Options("ripple", tries=1)).netlist
    before.remove("INV_X1")
    assert sorted(instance.cell.name for instance in netlist.instances) == sorted(before)
    (register,) = (instance for instance in netlist.instances if instance.cell.flip_flop)
    readers = [
        pin for instance in netlist.instances for pin, net in instance.nets.items() if net == register.nets["QN"]
    ]
    assert len(readers) == 1 + 4  # its own pin, and a gate for each bit


def test_a_library_without_a_flip_flop_is_refused_before_synthesis(tmp_path):
    with pytest.raises(LibertyError, match="no usable flip-flop; expected a cell with ff"):
        mapped(tmp_path, without(tmp_path / "less.lib", ("DFF", "SDFF")))


def test_netlist_and_timing_are_the_same_without_opensta(tmp_path, monkeypatch):
    library = Library([default_liberty()])
    found = []
    for name, path in (("with", os.environ["PATH"]), ("without", str(tmp_path))):
        (tmp_path / name).mkdir()
        monkeypatch.setenv("PATH", path)
        found.append(mapped(tmp_path / name, library, period_ns=0.3))
    assert found[0].netlist.verilog() == found[1].netlist.verilog()
    assert found[0].timing == found[1].timing
    assert not math.isnan(found[0].timing.period_ns)


def test_a_period_asked_for_makes_the_netlist_faster(tmp_path):
    library = Library([default_liberty()])
    (tmp_path / "any").mkdir()
    (tmp_path / "fast").mkdir()
    relaxed = mapped(tmp_path / "any", library, adder="sklansky")
    fast = mapped(tmp_path / "fast", library, 0.8 * relaxed.timing.period_ns, "sklansky")
    accumulates(fast.netlist)
    assert fast.timing.period_ns < relaxed.timing.period_ns


def test_a_period_that_is_met_already_changes_nothing(tmp_path):
    library = Library([default_liberty()])
    (tmp_path / "any").mkdir()
    (tmp_path / "met").mkdir()
    relaxed = mapped(tmp_path / "any", library)
    met = mapped(tmp_path / "met", library, 1.01 * relaxed.timing.period_ns)
    assert met.netlist.verilog() == relaxed.netlist.verilog()


def test_synthesis_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    design = mapped(tmp_path, hand.library(tmp_path))
    accumulates(design.netlist)
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert list(temporary.iterdir()) == []
    # Nor in the folder of the run, but for the files that it is made of.
    assert {path.name for path in (tmp_path / "work").iterdir() if path.is_dir()} == set()


def test_a_library_that_is_replaced_by_an_older_file_is_read_again(tmp_path, monkeypatch):
    """Ours goes by content, while ABC's own copy goes by path and age: it would map to the cells of the file before."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    library = hand.library(tmp_path)
    design = mapped(tmp_path, library)
    assert "NAND" in {instance.cell.name for instance in design.netlist.instances}

    def renamed(path):
        path.write_text(path.read_text().replace("cell (NAND)", "cell (OTHER)"))
        os.utime(path, (1e9, 1e9))
        return path

    (other,) = library.paths
    replaced = Library([renamed(other)])
    netlist = synthesise(
        tmp_path / "design.v", "top", replaced, tmp_path / "work", Options("ripple"), SMALL[0], again=True
    )
    accumulates(netlist)
    assert {instance.cell.name for instance in netlist.instances} <= {"INV", "BUF", "OTHER", "DFF"}


def test_another_script_of_abc_begins_with_the_same_gates(tmp_path):
    """What comes before ABC is not made again; netlists depend on the tools' names, so all must be as from the text."""
    source = tmp_path / "design.v"
    source.write_text(ACCUMULATOR.replace("a + b", "(a < b ? a - b : b + (a ^ y))"))
    library = Library([default_liberty()])
    folder = tmp_path / "work"
    folder.mkdir()
    options = Options("ripple")

    def made(script, again):
        synthesise(source, "top", library, folder, options, script, again)
        return (folder / "mapped.json").read_bytes()

    fast, small = made(FAST, False), made(SMALL[0], False)
    assert fast != small
    assert [made(script, True) for script in (FAST, SMALL[0])] == [fast, small]


# A round of `opt` finds what only goes once the round before has made constants, equal cells or registers of it.
ROUNDS = """
module top (input clk, input [5:0] a, b, output reg [5:0] y, output [5:0] z);
  reg [5:0] still = 6'b0; reg [5:0] gone;
  wire [5:0] same = a & b, again = b & a;
  always @(posedge clk) begin still <= still & a; gone <= a + b; y <= (same ^ again) | (still | b) ^ gone[0]; end
  assign z = still ^ (a == b ? b : a) + (still & gone);
endmodule
"""


# Branches of a multiplexer that never come, and registers of which each is constant once the one before it is.
WORDS = """
module top (input clk, input [1:0] s, input [7:0] a, b, output reg [7:0] y, output [7:0] z, output t);
  reg [7:0] store [3:0]; reg [7:0] held = 0, one = 0, two = 0, three = 0;
  wire [7:0] inner = s[0] ? (s[0] ? a : b) : (s[1] ? b : a);
  always @(posedge clk) begin
    one <= one & 8'b0; two <= one & a; three <= two & b; held <= (held & b) | three;
    if (s == 2) store[s] <= inner; y <= s[1] ? (s[1] ? inner + held : b) : store[a[1:0]];
  end
  assign z = (held | inner) ^ {8{&{s, s}}}; assign t = |{a, 8'b0, a} ^ (&held);
endmodule
"""


# Each register is constant a round after the one before it, and nothing is folded between.
CHAIN = """
module top (input clk, input [7:0] a, output reg [7:0] y);
  reg [7:0] first = 0, second = 0, third = 0, fourth = 0;
  always @(posedge clk) begin first <= 8'b0; second <= first; third <= second; fourth <= third; y <= a ^ fourth; end
endmodule
"""
# The inner multiplexer loses its other reader in a round that only cleans; the next one makes the outer equal to w's.
LATE = """
module top (input clk, input s, input [7:0] a, b, c, d, output reg [7:0] y, output [7:0] z, w);
  reg [7:0] still = 0;
  wire [7:0] inner = s ? a : b;
  always @(posedge clk) begin still <= 8'b0; y <= s ? inner : c; end
  assign z = ((inner ^ d) & still) | a, w = s ? a : c;
endmodule
"""
DESIGNS = pytest.mark.parametrize("design", [ROUNDS, WORDS, CHAIN, LATE], ids=["rounds", "words", "chain", "late"])


def passed(folder, name, commands):
    """Run commands of Yosys with the passes of the product; return the design as RTLIL."""
    script, made = folder / f"{name}.ys", folder / f"{name}.il"
    script.write_text("\n".join([*commands, f"write_rtlil {made}"]) + "\n")
    subprocess.run([sys.executable, "-P", yosys_passes.__file__, script], check=True, capture_output=True)
    return made.read_bytes()


@DESIGNS
def test_optimising_gates_and_cleaning_makes_what_opt_of_yosys_makes(tmp_path, design):
    """Byte for byte, names too: netlists depend on them."""
    source = tmp_path / "design.v"
    source.write_text(design)
    gates = [f"read_verilog -sv {source}", "proc; flatten; opt_clean; memory; techmap; simplemap; opt_clean"]
    options = "-nodffe -nosdff"
    theirs = passed(tmp_path, "theirs", [*gates, f"opt {options}; opt_clean"])
    assert passed(tmp_path, "ours", [*gates, f"{yosys_passes.GATES_OPT} {options}; opt_clean"]) == theirs
    assert passed(tmp_path, "plain", gates) != theirs


@DESIGNS
def test_optimising_words_and_cleaning_makes_what_opt_of_yosys_makes(tmp_path, design):
    source = tmp_path / "design.v"
    source.write_text(design)
    words, options = [f"read_verilog -sv {source}", "proc; flatten; opt_clean"], "-nodffe -nosdff"
    theirs = passed(tmp_path, "theirs", [*words, f"opt {options}; opt_clean"])
    assert passed(tmp_path, "ours", [*words, f"{yosys_passes.WORDS_OPT} {options}; opt_clean"]) == theirs
    assert passed(tmp_path, "plain", words) != theirs


def test_memories_become_registers_as_with_the_passes_of_yosys_alone(tmp_path):
    source = tmp_path / "design.v"
    source.write_text(WORDS)
    words = [f"read_verilog -sv {source}", "proc; flatten; opt_clean; opt -nodffe -nosdff; wreduce; peepopt"]
    theirs = passed(tmp_path, "theirs", [*words, "memory -nomap; memory_map; opt_clean"])
    assert b"cell $mem" not in theirs
    assert passed(tmp_path, "ours", [*words, f"{MEMORY}; memory_map; opt_clean"]) == theirs


@pytest.mark.parametrize(
    ("next_state", "function", "rounds"), [("D", "IQ", 0), ("D", "IQN", 1), ("!D", "IQ", 1), ("(D)", "IQ", 0)]
)
def test_gates_are_optimised_again_only_behind_flip_flops_that_give_the_inverse(tmp_path, next_state, function, rounds):
    flip_flop = re.search(r'next_state : "(D)".*?function : "(IQ)"', PLAIN, re.DOTALL)
    text = PLAIN[: flip_flop.start(1)] + next_state + PLAIN[flip_flop.end(1) : flip_flop.start(2)] + function
    library = written(tmp_path, text + PLAIN[flip_flop.end(2) :])
    source = tmp_path / "design.v"
    source.write_text(ACCUMULATOR)
    synthesise(source, "top", library, tmp_path, Options("ripple"), SMALL[0])
    script = (tmp_path / "back.ys").read_text()
    assert script[script.index("dfflibmap") :].count("opt_expr; opt_merge") == rounds


def test_yosys_reads_from_the_lean_file_what_it_reads_from_its_own(tmp_path):
    source, whole, lean = tmp_path / "design.v", tmp_path / "whole.json", tmp_path / "lean.json"
    source.write_text(ROUNDS)
    passed(tmp_path, "made", [f"read_verilog -sv {source}", "proc; simplemap", f"write_json {whole}"])
    lean.write_text(lean_json(json.loads(whole.read_text())["modules"], "top"))
    assert len(lean.read_text()) < len(json.dumps(json.loads(whole.read_text()))) * 0.8
    assert passed(tmp_path, "lean", [f"read_json {lean}"]) == passed(tmp_path, "whole", [f"read_json {whole}"])


def and_xor(function):
    """Return a small cell of three inputs, as those of the plain library are written."""
    delays = " ".join(
        f'{kind}_{edge} (scalar) {{ values ("0.02"); }}'
        if kind == "cell"
        else f'{edge}_{kind} (scalar) {{ values ("0.02"); }}'
        for kind in ("cell", "transition")
        for edge in ("rise", "fall")
    )
    energies = 'rise_power (scalar) { values ("1.0"); } fall_power (scalar) { values ("1.0"); }'
    inputs = " ".join(f"pin ({pin}) {{ direction : input; capacitance : 1.0; }}" for pin in "ABC")
    arcs = " ".join(
        f'timing () {{ related_pin : "{pin}"; {delays} }} internal_power () {{ related_pin : "{pin}"; {energies} }}'
        for pin in "ABC"
    )
    output = f'pin (Y) {{ direction : output; function : "{function}"; max_capacitance : 60; {arcs} }}'
    return f"cell (ANDXOR) {{ area : 0.5; cell_leakage_power : 2.0; {inputs} {output} }}\n"


@pytest.mark.parametrize("function", ["A & B ^ C", "B ^ C A", "A*(B ^ C)"])
def test_a_cell_whose_function_abc_reads_otherwise_is_used_for_what_the_library_says(tmp_path, function):
    """For Liberty ^ binds tighter than &, for ABC looser."""
    library = written(tmp_path, PLAIN.rstrip().removesuffix("}") + and_xor(function) + "}\n")
    source = tmp_path / "design.v"
    source.write_text(
        "module top (input a, b, c, output y, z); assign y = a & (b ^ c); assign z = (a & b) ^ c; endmodule"
    )
    netlist = map_design(source, "top", None, library, tmp_path, Options("ripple"), Goals(math.nan, 0.5)).netlist
    assert "ANDXOR" in {instance.cell.name for instance in netlist.instances}
    simulator = Simulator(netlist, None, 1)
    a, b, c = (np.arange(8) >> place & 1 for place in range(3))
    words = {
        name: np.array([[int((bits << np.arange(8)).sum())]], dtype=np.uint64)
        for name, bits in zip("abc", (a, b, c), strict=True)
    }
    simulator.cycle(words)
    for output, expected in (("y", a & (b ^ c)), ("z", (a & b) ^ c)):
        assert (int(simulator.output(output)[0, 0]) >> np.arange(8) & 1).tolist() == expected.tolist()


def test_the_allocator_of_yosys_is_told_what_glibc_knows():
    """A name that it does not know it passes over without a word."""
    loader = next(Path("/").glob("lib*/ld-linux-*.so.*"), None)
    if loader is None:
        pytest.skip("the C library is not glibc")
    listed = subprocess.run([loader, "--list-tunables"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("a glibc before 2.33, which lists no tunables")
    known = re.findall(r"^(\S+): ", listed.stdout, re.MULTILINE)
    assert {setting.partition("=")[0] for setting in ALLOCATOR["GLIBC_TUNABLES"].split(":")} <= set(known)


NEVER = float("nan")


@pytest.mark.parametrize("period_ns", [0.5, 1.0, 1.5, 2.0, 9.0, NEVER])
def test_the_smallest_netlist_that_is_fast_enough_is_taken_or_else_the_fastest(period_ns):
    """Without a period to reach, and of a design without a clock, each is fast enough."""
    made = [(2.0, 10.0), (1.0, 30.0), (1.0, 20.0), (1.5, 20.0), (2.0, 9.0), (NEVER, 40.0)]
    for candidates in itertools.permutations(made, 3):
        mapped = [
            SimpleNamespace(timing=SimpleNamespace(period_ns=ns), netlist=SimpleNamespace(area_um2=um2))
            for ns, um2 in candidates
        ]
        best = min(mapped, key=lambda each: flow._order(each, period_ns))
        enough = [(ns, um2) for ns, um2 in candidates if not ns > period_ns]
        expected = min((um2 for _, um2 in enough), default=None)
        if expected is None:
            assert (best.timing.period_ns, best.netlist.area_um2) == min(candidates)
        else:
            assert best.netlist.area_um2 == expected
            assert not best.timing.period_ns > period_ns
