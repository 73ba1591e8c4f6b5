"""Columns side by side: the Verilog is split without a change, the vectors calculate as NumPy, and all is as before."""

import ctypes
import dataclasses
import functools
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bitjoule.rtl.config import AcceleratorConfig
from bitjoule.rtl.verilog import TOP, accelerator_verilog
from bitjoule.sim.accelerator import native_build
from bitjoule.sim.accelerator.columns.code import columns_code
from bitjoule.sim.accelerator.columns.split import Port, Split, split_columns
from bitjoule.sim.accelerator.cycles import cycles
from bitjoule.sim.accelerator.native_build import NATIVE, native_library
from bitjoule.sim.accelerator.verilated import Verilated
from bitjoule.sim.bench.simulators import find_compiler
from bitjoule.sim.reference.matmul import integer_matmul
from tests.sampling import seldom

CONFIG = AcceleratorConfig(lanes=40, columns=5, max_k=90, weight_bus_bits=80, tokens=2)
CORE = f"{TOP}.core"
DEEP = AcceleratorConfig(lanes=33, columns=4, max_k=100, weight_bus_bits=88, tokens=3, pipeline=2)


@functools.cache
def text() -> str:
    return accelerator_verilog(CONFIG)


@functools.cache
def split() -> Split:
    found = split_columns(text(), CORE, 8)
    assert found
    return found


def test_the_text_of_the_column_and_of_the_rest_stays() -> None:
    verilog, found = text(), split()
    modules = re.findall(r"^module .*?^endmodule\n", found.column, re.MULTILINE | re.DOTALL)
    assert len(modules) == 2  # the column and its dot product
    for module in modules:
        assert module.replace("module column ", f"module \\{CORE}.column0 ") in verilog
    # What is new in the rest are the stand-in and its wires; what is gone are the instances.
    old, new = verilog.splitlines(), found.rest.splitlines()
    gone = [line for line in old if line not in set(new)]
    assert sum(f"{CORE}.column0 column" in line for line in gone) == CONFIG.columns
    assert all(line.startswith(("    .", f"  \\{CORE}.column0 column")) for line in gone)
    added = [line for line in new if line not in set(old)]
    assert all("columns" in line or "public_flat" in line or line.startswith("    .") for line in added)


def test_the_ports_are_the_columns_own() -> None:
    found = split()
    assert found.columns == 5
    assert set(found.ports) == {
        Port("activations", 320, output=False, shared=True),
        Port("plus", 40, output=False, shared=False),
        Port("minus", 40, output=False, shared=False),
        Port("previous", CONFIG.accumulator_bits, output=False, shared=False),
        Port("total", CONFIG.accumulator_bits, output=True, shared=False),
    }


def test_text_without_columns_is_not_split() -> None:
    assert split_columns("module top; endmodule\n", CORE, 8) is None
    verilog = text()
    assert split_columns(verilog, f"{TOP}.other", 8) is None
    assert split_columns(verilog.replace(" column3 (", " another ("), CORE, 8) is None


HEADER = "    SData/*9:0*/ kept;\n    SData/*9:0*/ further;\n"
FUNCTION = """\
void Vcolumn___024root___{region}_sequent__TOP__{number}(Vcolumn___024root* vlSelf) {{
    VL_DEBUG_IF(VL_DBG_MSGF("+    {region}\\n"); );
    Vcolumn__Syms* const __restrict vlSymsp VL_ATTR_UNUSED = vlSelf->vlSymsp;
    auto& vlSelfRef = std::ref(*vlSelf).get();
    // Locals
    CData/*7:0*/ local;
    local = 0;
    // Body
    {body}
}}
"""
SETTLE = "local = (0x7fU & vlSelfRef.previous);\n    vlSelfRef.kept = ((IData)(local) << 2U);"
CLOCK = "vlSelfRef.total = vlSelfRef.kept;"


def functions(settle: str = SETTLE, clock: str = CLOCK, number: int = 0) -> str:
    return FUNCTION.format(region="ico", number=number, body=settle) + FUNCTION.format(
        region="nba", number=0, body=clock
    )


def test_functions_of_additions_become_a_program() -> None:
    code = columns_code(split(), functions(), HEADER, 8)
    assert code
    assert "vlSelfRef.kept = ((IData)(local) << 2U);" in code  # the text stays
    assert "further" not in code  # what no function uses
    assert f"{TOP}__DOT__core__DOT__columns__DOT__total_w0" in code


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        (functions("vlSelfRef.kept = (vlSelfRef.previous ? 1U : 2U);"), "a condition"),
        (functions("if (vlSelfRef.previous) { vlSelfRef.kept = 1U; }"), "a branch"),
        (functions("vlSelfRef.kept = VL_REDXOR_32(vlSelfRef.previous);"), "a call"),
        (functions("vlSelfRef.kept = (1U << vlSelfRef.previous);"), "a shift by a signal"),
        (functions("vlSelfRef.kept = (vlSelfRef.previous == 1U);"), "a comparison"),
        (functions("vlSelfRef.kept = (vlSelfRef.previous && 1U);"), "a logical operation"),
        (functions("vlSelfRef.kept = (vlSelfRef.previous * 3U);"), "a product"),
        (functions("vlSelfRef.kept = (vlSelfRef.previous & 1.5);"), "a fraction"),
        (functions("vlSelfRef.kept = vlSymsp->TOP.other;"), "another module's signal"),
        (functions("vlSelfRef.kept = vlSelfRef.unknown;"), "a signal without a declaration"),
        (functions("vlSelfRef.kept = vlSelfRef.further;"), "a signal that is never assigned"),
        (functions(number=1), "functions in an order that is not known"),
        (functions() + functions(), "two functions"),
        (FUNCTION.format(region="ico", number=0, body=SETTLE), "registers without a function"),
        ("", "no function"),
    ],
)
def test_other_functions_do_not(sources: str, why: str) -> None:
    assert columns_code(split(), sources, HEADER, 8) is None, why


def test_registers_that_begin_with_a_value_do_not() -> None:
    found = split()
    assert "reg [" in found.column
    begun = re.sub(r"^(  reg \[.*= \d+'h0*)0;", r"\g<1>1;", found.column, count=1, flags=re.MULTILINE)
    assert begun != found.column
    assert columns_code(found, functions(), HEADER, 8)
    assert columns_code(dataclasses.replace(found, column=begun), functions(), HEADER, 8) is None


CHECK = """\
#define BITJOULE_SIDE 4
#include "{lanes}"
extern "C" void narrow(const uint32_t* a, const uint32_t* b, uint32_t by, uint32_t* out) {{
    Lanes x, y;
    x.load(a), y.load(b);
    const Lanes all[] = {{~x, -x, x & y, x | y, x ^ y, x + y, x - y, x << by, x >> by, 0xff0U & x, Lanes(Lanes64(x))}};
    for (const Lanes& one : all) one.store(out), out += 4;
}}
extern "C" void wide(const uint32_t* a, const uint32_t* b, uint32_t by, uint32_t* out) {{
    Lanes64 x, y;
    x.low.load(a), x.high.load(a + 4), y.low.load(b), y.high.load(b + 4);
    const Lanes64 all[] = {{~x, x & y, x | y, x ^ y, x << by, x >> by, 0xff000000ff0ULL & x}};
    for (const Lanes64& one : all) one.low.store(out), one.high.store(out + 4), out += 8;
    Lanes(x).store(out);
}}
"""


def address(words: NDArray[np.uint32]) -> ctypes.c_void_p:
    return words.ctypes.data_as(ctypes.c_void_p)


def test_vectors_calculate_as_numpy(tmp_path: Path) -> None:
    (tmp_path / "check.cpp").write_text(CHECK.format(lanes=NATIVE / "lanes.h"), encoding="utf-8")
    flags = ["-std=c++17", "-O1", "-march=native", "-w", "-fPIC", "-shared"]
    native_build._call([find_compiler(), *flags, "check.cpp", "-o", "check.so"], tmp_path, "the C++ compiler")
    check = ctypes.CDLL(str(tmp_path / "check.so"))
    random = np.random.default_rng(1)
    for by in range(64):
        words = random.integers(0, 1 << 32, (2, 8), dtype=np.uint32)
        given = [
            words[0].ctypes.data_as(ctypes.c_void_p),
            words[1].ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint32(by),
        ]
        if by < 32:
            found = np.zeros((11, 4), np.uint32)
            check.narrow(*given, address(found))
            x, y = words[:, :4]
            shift = np.uint32(by)
            expected = [~x, -x, x & y, x | y, x ^ y, x + y, x - y, x << shift, x >> shift, x & 0xFF0, x]
            np.testing.assert_array_equal(found, np.stack(expected))
        both = np.zeros(7 * 8 + 4, np.uint32)
        check.wide(*given, address(both))
        a, b = (pair[:4].astype(np.uint64) | pair[4:].astype(np.uint64) << np.uint64(32) for pair in words)
        shift64 = np.uint64(by)
        results = [~a, a & b, a | b, a ^ b, a << shift64, a >> shift64, a & np.uint64(0xFF000000FF0)]
        halves = [np.concatenate([one.astype(np.uint32), (one >> np.uint64(32)).astype(np.uint32)]) for one in results]
        np.testing.assert_array_equal(both, np.concatenate([*halves, a.astype(np.uint32)]))


@pytest.mark.parametrize("config", seldom([DEEP], 4, "columns one by one"))
def test_all_columns_at_once_are_the_columns_one_by_one(config: AcceleratorConfig) -> None:
    random = np.random.default_rng(3)
    verilog = accelerator_verilog(config)
    with Verilated(config, 1) as together, Verilated(config, 1, verilog) as apart:
        for m, k, n in ((1, config.max_k, config.columns), (7, 71, 40), (2, 3, 1)):
            x = random.integers(-128, 128, (m, k), dtype=np.int8)
            w = random.integers(-1, 2, (k, n), dtype=np.int8)
            all_at_once, one_by_one = together.matmul(x, w), apart.matmul(x, w)
            np.testing.assert_array_equal(all_at_once.results, one_by_one.results)
            np.testing.assert_array_equal(all_at_once.results, integer_matmul(x, w))
            assert all_at_once.cycles == one_by_one.cycles == cycles(config, m, k, n)
    # The one has the class whose functions are made with each build, the other has it not.
    assert b"Columns" in native_library(config).read_bytes()
    assert b"Columns" not in native_library(config, verilog=verilog).read_bytes()
