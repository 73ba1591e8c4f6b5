"""Memories whose initial zeros are left to Verilator: a word that is read before it is written is zero."""

import re
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.conversion import converted
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.bench.cocotb_build import build, run
from bitjoule.sim.bench.initial_words import without_zero_words
from bitjoule.sim.reference.matmul import integer_matmul
from tests.sim.accelerator.behind_results import behind_results

CONFIG = AcceleratorConfig(lanes=8, columns=3, tokens=1, max_k=64, weight_bus_bits=48)
WORDS, WRITTEN, GIVEN = 1024, 5, {3: 0x1234, 9: 0xBEEF}
WORD = re.compile(r"^    \S+ ?\[\d+\] = ", re.MULTILINE)


class Words(wiring.Component):
    """A memory that is read, and of which one word can be written."""

    address: In(10)
    write: In(1)
    word: Out(72)

    def __init__(self, init):
        self._init = init
        super().__init__()

    def elaborate(self, _):
        m = Module()
        m.submodules.words = words = Memory(shape=72, depth=WORDS, init=self._init)
        read, write = words.read_port(), words.write_port()
        m.d.comb += [read.addr.eq(self.address), self.word.eq(read.data), read.en.eq(1)]
        m.d.comb += [write.addr.eq(self.address), write.data.eq(1), write.en.eq(self.write)]
        return m


def remembering(inputs: str, clock: str, write: str) -> str:
    """Return a module that adds, by exclusive or, to each word of 16 bits a word of each of three memories.

    One of 16 bits, one of 80, of which the highest 16 are taken, and one in which two words have other values.
    """
    lines = [f"module remembering({inputs}, input [47:0] s_axis_a, output [47:0] m_axis_y);"]
    for name, bits in (("narrow", 16), ("wide", 80), ("given", 16)):
        zero = f"{bits}'h{'0' * (bits // 4)}"
        lines += [f"  reg [{bits - 1}:0] {name} [{WORDS - 1}:0];", "  initial begin"]
        for i in range(WORDS):
            value = f"16'h{GIVEN[i]:04x}" if name == "given" and i in GIVEN else zero
            lines.append(f"    {name}[{i}] = {value};")
        lines.append("  end")
    lines += [
        f"  always @(posedge {clock}) if ({write}) begin",
        f"    narrow[{WRITTEN}] <= 16'h5555; wide[{WRITTEN}] <= {{16'h3333, 64'h0}};",
        "  end",
    ]
    for column in range(3):
        a, at = (f"s_axis_a[{16 * column + top}:{16 * column}]" for top in (15, 9))
        lines += [
            f"  wire [79:0] word{column} = wide[{at}];",
            f"  assign m_axis_y[{16 * column + 15}:{16 * column}]",
            f"    = {a} ^ narrow[{at}] ^ word{column}[79:64] ^ given[{at}];",
        ]
    return "\n".join([*lines, "endmodule", ""])


def remembered(values: np.ndarray, written: np.ndarray | bool = True) -> np.ndarray:
    words = values.astype(np.int16).view(np.uint16)
    address = words % WORDS
    given = np.zeros(WORDS, np.uint16)
    for place, value in GIVEN.items():
        given[place] = value
    later = np.where((address == WRITTEN) & written, 0x5555 ^ 0x3333, 0).astype(np.uint16)
    return (words ^ given[address] ^ later).view(np.int16)


@pytest.mark.parametrize("quickly", [False, True])
def test_zeros_that_yosys_writes_are_left_out(quickly):
    text = converted(Words([]), "top", quickly)
    assert len(WORD.findall(text)) == WORDS
    short = without_zero_words(text)
    assert not WORD.search(short)
    begun, ended = text.index("  initial begin\n    words[0]"), text.index(f"    words[{WORDS - 1}]")
    assert short == text[:begun] + text[text.index("  end\n", ended) + len("  end\n") :]


def test_a_memory_with_another_value_stays_whole():
    for init in ([0, 0, 5], [5], [0] * (WORDS - 1) + [1 << 71]):
        text = converted(Words(init), "top", True)
        assert len(WORD.findall(text)) == WORDS
        assert without_zero_words(text) == text


def test_registers_and_statements_of_other_kinds_stay():
    for kept in (
        "  initial begin\n    a[0] = 4'h0;\n    b[0] = 4'h0;\n  end\n",
        "  initial begin\n    a[0] = 4'h0;\n    a[1] <= 4'h0;\n  end\n",
        "  initial begin\n    a[0] = 4'hx;\n  end\n",
        "  initial begin\n    a[0] = 4'h0 + b;\n  end\n",
        "  reg [3:0] a = 4'h0;\n",
        "  initial begin\n  end\n",
    ):
        assert without_zero_words(kept) == kept
    assert without_zero_words("a\n  initial begin\n    \\m [0] = 4'h0;\n    \\m [1] = 4'h0;\n  end\nb\n") == "a\nb\n"


def test_the_compiled_accelerator_reads_zeros_from_words_that_nobody_wrote():
    random = np.random.default_rng(1)
    x = random.integers(-128, 128, (400, 16), dtype=np.int8)
    w = random.integers(-1, 2, (16, CONFIG.columns), dtype=np.int8)
    expected = remembered(integer_matmul(x, w))
    assert {WRITTEN, *GIVEN} <= set((integer_matmul(x, w).ravel() % WORDS).tolist())
    text = behind_results(CONFIG, remembering("input clk, rst", "clk", "rst"), "remembering")
    with Verilated(CONFIG, 1, text) as hardware:
        found = hardware.matmul(x, w).results
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_the_bench_reads_zeros_from_words_that_nobody_wrote(tmp_path: Path):
    """Of the operands of each step, b is the clock, which writes in the middle of them."""
    values = np.random.default_rng(2).integers(-(1 << 15), 1 << 15, (900, 3)).astype(np.int16)
    values[100:110] = values[600:610] = np.arange(10)[:, None]
    clock = (np.arange(900) >= 500).astype(np.uint8)
    np.savez(tmp_path / "operands.npz", a=values, b=clock[:, None])
    text = remembering("input [7:0] s_axis_b", "s_axis_b[0]", "1")
    (tmp_path / "top.v").write_text(text, encoding="utf-8")
    runner = build(tmp_path / "top.v", "remembering", tmp_path / "build")
    run(runner, "remembering", tmp_path / "run", "tests.rtl.operators_bench", {"BITJOULE_FOLDER": str(tmp_path)})
    found = np.frombuffer((tmp_path / "results.bin").read_bytes(), np.int16).reshape(values.shape)
    np.testing.assert_array_equal(found, remembered(values, clock[:, None] == 1))
