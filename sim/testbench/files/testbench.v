// Self-checking testbench of the accelerator: AXI4-Streams driven from the .hex files beside it.
//
// The commands are sent twice: first without a pause, where the cycle of the last result of a command must be that of
// cycles.hex; then, after resets in the middle of the first commands, with random pauses on all four streams. Plusargs:
// +pause=P, in how many of 256 cycles a stream pauses (0 to 240); +seed=S of these pauses; +waves=FILE, the waveform to
// write.
`timescale 1ns / 1ps

module testbench;
  `include "parameters.vh"

  localparam MASKED_BITS = 4 + 2 * RESULT_BITS;  // a word of results.hex: flags, mask, tdata
  localparam AFTERWARDS = 20;  // cycles in which nothing more may come
  localparam RESETS = 24;  // the commands are begun as often, and cut off by a reset after 1, 2, 3, ... cycles

  reg clk = 1'b0;
  reg rst = 1'b1;
  always #5 clk = ~clk;

  integer pass;
  integer cut = 0;  // after as many cycles a reset follows; 0: none
  integer seed = 1;
  integer pause_argument = 128;
  integer pause = 0;
  reg [8 * 256 - 1:0] waves;

  wire [COMMAND_BITS - 1:0] command_tdata;
  wire command_tvalid, command_tready, command_sent;
  wire [WEIGHT_BITS - 1:0] weights_tdata;
  wire weights_tvalid, weights_tready, weights_sent;
  wire [ACTIVATION_BITS - 1:0] activations_tdata;
  wire activations_tvalid, activations_tready, activations_sent;
  wire [RESULT_BITS - 1:0] results_tdata;
  wire results_tvalid, results_tlast, results_tuser;
  reg results_tready = 1'b0;

  stream_source #(.BITS(COMMAND_BITS), .BEATS(COMMANDS), .FILE("commands.hex"), .NUMBER(1)) command_source(
    .clk(clk), .rst(rst), .seed(seed), .pause(pause),
    .tdata(command_tdata), .tvalid(command_tvalid), .tready(command_tready), .sent(command_sent)
  );
  stream_source #(.BITS(WEIGHT_BITS), .BEATS(WEIGHT_BEATS), .FILE("weights.hex"), .NUMBER(2)) weight_source(
    .clk(clk), .rst(rst), .seed(seed), .pause(pause),
    .tdata(weights_tdata), .tvalid(weights_tvalid), .tready(weights_tready), .sent(weights_sent)
  );
  stream_source #(.BITS(ACTIVATION_BITS), .BEATS(ACTIVATION_BEATS), .FILE("activations.hex"), .NUMBER(3))
  activation_source(
    .clk(clk), .rst(rst), .seed(seed), .pause(pause),
    .tdata(activations_tdata), .tvalid(activations_tvalid), .tready(activations_tready), .sent(activations_sent)
  );

  bitjoule_accelerator dut(
    .clk(clk),
    .rst(rst),
    .s_axis_command_tdata(command_tdata),
    .s_axis_command_tvalid(command_tvalid),
    .s_axis_command_tready(command_tready),
    .s_axis_command_tlast(1'b1),
    .s_axis_weights_tdata(weights_tdata),
    .s_axis_weights_tvalid(weights_tvalid),
    .s_axis_weights_tready(weights_tready),
    .s_axis_weights_tlast(1'b0),
    .s_axis_activations_tdata(activations_tdata),
    .s_axis_activations_tvalid(activations_tvalid),
    .s_axis_activations_tready(activations_tready),
    .s_axis_activations_tlast(1'b0),
    .m_axis_results_tdata(results_tdata),
    .m_axis_results_tvalid(results_tvalid),
    .m_axis_results_tready(results_tready),
    .m_axis_results_tlast(results_tlast),
    .m_axis_results_tuser(results_tuser)
  );

  reg [MASKED_BITS - 1:0] expected_results[0:RESULT_BEATS - 1];
  reg [31:0] expected_cycles[0:COMMANDS - 1];
  initial begin
    $readmemh("results.hex", expected_results);
    $readmemh("cycles.hex", expected_cycles);
  end

  // The beat that is expected next, and whose it is.
  integer received = 0;
  integer command = 0;
  integer cycle = 0;  // the cycle that ends at the next edge, 1 in that of the first command
  integer silent = 0;  // cycles since the last result
  integer checked_cycles = 0;
  reg [31:0] pauses;
  reg stalled = 1'b0;
  reg [RESULT_BITS + 1:0] stalled_beat;
  wire [RESULT_BITS + 1:0] beat = {results_tuser, results_tlast, results_tdata};
  wire [MASKED_BITS - 1:0] expected = expected_results[received < RESULT_BEATS ? received : 0];
  wire [RESULT_BITS - 1:0] mask = expected[RESULT_BITS +: RESULT_BITS];

  always @(posedge clk) begin
    if (rst) begin
      received <= 0;
      command <= 0;
      cycle <= 0;
      silent <= 0;
      stalled <= 1'b0;
      results_tready <= 1'b0;
      pauses <= 32'h9e3779b9 ^ seed;
    end else begin
      cycle <= cycle + 1;
      silent <= silent + 1;
      pauses <= next_random(pauses);
      results_tready <= pauses[7:0] >= pause;
      stalled <= results_tvalid && !results_tready;
      stalled_beat <= beat;
      if (results_tvalid !== 1'b0 && results_tvalid !== 1'b1) fail("tvalid of the results is unknown");
      if (stalled && !results_tvalid) fail("a stalled result is withdrawn");
      if (stalled && beat !== stalled_beat) fail("a stalled result changes");
      if (results_tvalid && results_tready) begin
        silent <= 0;
        received <= received + 1;
        if (received >= RESULT_BEATS) fail("more results than expected");
        if (results_tuser !== expected[2 * RESULT_BITS + 1]) fail("tuser, the mark of a malformed command, is wrong");
        if (results_tlast !== expected[2 * RESULT_BITS]) fail("tlast, the mark of a command's last result, is wrong");
        if ((results_tdata & mask) !== (expected[RESULT_BITS - 1:0] & mask)) begin
          $display("expected %h\ngot      %h", expected[RESULT_BITS - 1:0] & mask, results_tdata & mask);
          fail("a result is wrong");
        end
        if (results_tlast) begin
          command <= command + 1;
          if (pass == 0 && expected_cycles[command] != 0) begin
            if (cut == 0) checked_cycles <= checked_cycles + 1;
            if (cycle != expected_cycles[command]) begin
              $display("expected cycle %0d, got %0d", expected_cycles[command], cycle);
              fail("the last result of a command comes in another cycle");
            end
          end
        end
      end
      if (received < RESULT_BEATS && silent > PATIENCE) fail("no more results come");
    end
  end

  task fail(input [8 * 64 - 1:0] what);
    begin
      $display("FAILED: %0s (pass %0d, command %0d of %0d, result %0d of %0d, cycle %0d)",
               what, pass + 1, command + 1, COMMANDS, received + 1, RESULT_BEATS, cycle);
      $fatal(1, "the accelerator differs from NumPy");
    end
  endtask

  task restart(input integer share);  // between the edges at which everything else is sampled
    begin
      @(negedge clk);
      rst = 1'b1;
      pause = share;
      repeat (2) @(negedge clk);
      rst = 1'b0;
      @(posedge clk);
    end
  endtask

  function [31:0] next_random(input [31:0] state);  // xorshift; never zero
    reg [31:0] a, b;
    begin
      a = state ^ (state << 13);
      b = a ^ (a >> 17);
      next_random = b ^ (b << 5);
    end
  endfunction

  initial begin
    if ($value$plusargs("seed=%d", seed)) ;
    if ($value$plusargs("pause=%d", pause_argument)) ;
    if (pause_argument < 0 || pause_argument > 240) begin
      $display("+pause=%0d: expected 0 to 240", pause_argument);
      $fatal(1, "wrong plusarg");
    end
    if ($value$plusargs("waves=%s", waves)) begin
      $dumpfile(waves);
      $dumpvars(0, testbench);
    end
    for (pass = 0; pass < 2; pass = pass + 1) begin
      restart(pass == 0 ? 0 : pause_argument);
      while (received < RESULT_BEATS) @(posedge clk);
      repeat (AFTERWARDS) @(posedge clk);
      if (!(command_sent && weights_sent && activations_sent)) fail("operands are left over");
      $display("pass %0d: %0d commands, %0d beats of results, %0d cycles", pass + 1, COMMANDS, RESULT_BEATS,
               cycle - AFTERWARDS - 1);
      if (pass == 0)
        for (cut = 1; cut <= RESETS; cut = cut + 1) begin
          restart(0);
          repeat (cut) @(posedge clk);
        end
    end
    $display("PASSED: results equal bit for bit, %0d cycle counts equal", checked_cycles);
    $finish;
  end
endmodule

// Offers the beats of a file one after the other. While it pauses, tdata is random.
module stream_source #(
  parameter BITS = 8,
  parameter BEATS = 1,
  parameter FILE = "",
  parameter NUMBER = 1
) (
  input clk,
  input rst,
  input [31:0] seed,
  input [31:0] pause,
  output reg [BITS - 1:0] tdata,
  output reg tvalid,
  input tready,
  output sent
);
  localparam WORDS = (BITS + 31) / 32;

  reg [BITS - 1:0] beats[0:BEATS - 1];
  initial $readmemh(FILE, beats);

  reg [31:0] next;
  reg [31:0] random;
  wire [31:0] shifted = random ^ (random << 13);
  wire [31:0] mixed = shifted ^ (shifted >> 17);
  wire [32 * WORDS - 1:0] noise = {WORDS{random}};

  assign sent = next == BEATS && !tvalid;

  always @(posedge clk) begin
    if (rst) begin
      next <= 0;
      tvalid <= 1'b0;
      random <= (32'h9e3779b9 ^ seed) + NUMBER;
    end else begin
      random <= mixed ^ (mixed << 5);
      if (!tvalid || tready) begin
        if (next < BEATS && random[7:0] >= pause) begin
          tvalid <= 1'b1;
          tdata <= beats[next];
          next <= next + 1;
        end else begin
          tvalid <= 1'b0;
          tdata <= noise[BITS - 1:0];
        end
      end
    end
  end
endmodule
