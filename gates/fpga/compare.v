// Comparisons of an unsigned word with a constant, as logic: a table takes three bits or more. Yosys makes a subtraction
// of each, which takes a table for each bit where a carry cell has one.

(* techmap_celltype = "$le $lt $ge $gt" *)
module constant_comparison(A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CELLTYPE_ = "";
  parameter [B_WIDTH - 1:0] _TECHMAP_CONSTMSK_B_ = 0;
  parameter [B_WIDTH - 1:0] _TECHMAP_CONSTVAL_B_ = 0;
  localparam WIDTH = A_WIDTH > B_WIDTH ? A_WIDTH : B_WIDTH;
  localparam [WIDTH - 1:0] LIMIT = _TECHMAP_CONSTVAL_B_;
  localparam OR_EQUAL = _TECHMAP_CELLTYPE_ == "$le" || _TECHMAP_CELLTYPE_ == "$gt";  // $gt is not $le
  localparam INVERTED = _TECHMAP_CELLTYPE_ == "$ge" || _TECHMAP_CELLTYPE_ == "$gt";

  input [A_WIDTH - 1:0] A;
  input [B_WIDTH - 1:0] B;
  output [Y_WIDTH - 1:0] Y;

  wire _TECHMAP_FAIL_ = A_SIGNED || B_SIGNED || !(&_TECHMAP_CONSTMSK_B_);
  wire [WIDTH - 1:0] word = A;
  wire [WIDTH:0] below;
  assign below[0] = OR_EQUAL;
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1)
      assign below[i + 1] = LIMIT[i] ? below[i] || !word[i] : below[i] && !word[i];
  endgenerate
  assign Y = below[WIDTH] ^ INVERTED;
endmodule
