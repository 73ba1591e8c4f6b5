"""Lines, branches and toggles of the generated Verilog that the bench exercises."""

import pytest

from bitjoule.rtl.verilog import accelerator_verilog
from tests.sampling import drawing_seed, sampled
from tests.sim.bench.constant_bits import constant_bits
from tests.sim.bench.coverage import cases, configuration, shares

pytestmark = pytest.mark.slow

# Every kind of array, and the largest of ternary and ±1 weights. A build takes up to a minute: besides the first, one
# is drawn for every second commit.
MEASURED = [
    "tiny_8x4", "tiny_8x4 in memory", "decode_64x5", "edge_64x16", "binary_64x16", "lookup_8x4",
    "int8_8x4", "int8_weights_8x4", "int4_8x4", "int2_8x4", "ternary_fp16_8x4",
    *(f"{name} with one column" for name in (
        "fp16_fused_8x4", "fp16_8x4", "fp16_fp16_8x4", "ternary5_fp16_8x4", "binary_fp16_8x4",
    )),
]  # fmt: skip

# What is constant and what is not, as it is written; `proved` is what of it the proof finds, by places.
SMALL = r"""
module top(input clk, input rst, input [3:0] a, input [3:0] b, output [7:0] y);
  wire [3:0] \$1 = a & 4'h5;
  wire [4:0] sum = {1'b0, a & 4'h7} + {1'b0, b & 4'h7};
  wire [3:0] square = (a & 4'h3) * (a & 4'h3);
  wire [-1:0] upwards = {1'b1, a[0]};
  reg [2:0] counter = 0;
  reg starts_with_one = 1;
  reg [1:0] starts_with_anything;
  wire [3:0] inside;
  always @(posedge clk) counter <= rst | counter == 2 ? 3'h0 : counter + 3'h1;
  always @(posedge clk) starts_with_one <= starts_with_one | a[0];
  always @(posedge clk) starts_with_anything <= starts_with_anything;
  below one(.clk(clk), .a(4'h0), .y(inside));
  assign y = {\$1 , sum[3:0]} ^ counter ^ starts_with_one ^ starts_with_anything ^ inside ^ square ^ upwards;
endmodule
module below(input clk, input [3:0] a, output [3:0] y);
  assign y = ~a;
endmodule
"""
PROVED = {
    "top": {
        "$1": {1, 3},  # masked
        "upwards": {-1},  # of [-1:0], the left one
        "sum": {4},  # 7 + 7 has four bits
        "square": {},  # no multiplication is looked into: its result may be anything
        "counter": {2},  # of 0, 1 and 2, by induction: with other starts it could change
        "starts_with_one": {0},  # by induction
        "starts_with_anything": {},  # which the text does not tell
        "inside": {},  # constant here, but a module is proved for all places
        "a": {},
    },
    "below": {"y": {}},
}
WIDTHS = {"upwards": 1, "sum": 5, "counter": 3, "starts_with_one": 1, "starts_with_anything": 2}


def test_exactly_the_bits_that_cannot_change_are_proved_constant(tmp_path):
    asked = {
        module: [(wire, place) for wire in wires for place in range(WIDTHS.get(wire, 4))]
        for module, wires in PROVED.items()
    }
    asked["top"] += [("upwards", -1)]
    assert constant_bits(SMALL, "top", asked, tmp_path) == {
        module: {(wire, place) for wire, places in wires.items() for place in places}
        for module, wires in PROVED.items()
    }


@pytest.mark.parametrize("bit", [("no_such_wire", 0), ("a", 4), ("a", -1)])
def test_a_bit_that_is_not_there_is_refused(bit, tmp_path):
    with pytest.raises(ValueError, match=rf"there is no bit {bit[1]} of a wire {bit[0]}"):
        constant_bits(SMALL, "top", {"top": [bit]}, tmp_path)


@pytest.mark.parametrize(
    "name", sampled(MEASURED, drawing_seed("coverage of more") % 2, "coverage", always=["tiny_8x4"])
)
def test_at_least_95_percent_of_lines_branches_and_toggles_happen(name, hardware, tmp_path, record_property):
    """Of the toggles that can: bits that are proved constant are left out."""
    config = configuration(name)
    verilog = accelerator_verilog(config)
    built = hardware(config, coverage=True, optimise="-O0")
    assert built.verify(cases(config)).failure is None
    found, missed = shares(built.coverage_file(), verilog, tmp_path)
    record_property("coverage", found)

    assert set(found) == {"v_line", "v_branch", "v_toggle", "all toggles"}
    assert min(found["v_line"], found["v_branch"], found["v_toggle"]) >= 0.95, missed[:20]
