// The accelerator with and without a mutation, beside each other, fed with the same random streams, pauses and resets.
// +mutant=M: which; +cycles=N: how many cycles. Prints DIFFERS and a cycle, or SAME.
`timescale 1ns / 1ps

module compare;
  `include "compare.vh"

  reg clk = 1'b0;
  reg rst = 1'b1;
  always #5 clk = ~clk;

  integer cycles = 0, limit = 100000;
  integer unsigned mutant = 0;
  integer unsigned random = 32'h2545f491;  // the seed
  integer i;
  reg [MUTANT_BITS - 1:0] selected = 0;
  reg [7:0] shares[0:3];  // of 256 cycles in which a stream offers, or takes, a beat
  reg finite = 1'b0;

  reg [63:0] command = 0;
  reg [32 * WEIGHT_WORDS - 1:0] weights = 0;
  reg [32 * ACTIVATION_WORDS - 1:0] activations = 0;
  reg command_valid = 0, weights_valid = 0, activations_valid = 0, results_ready = 0;
  wire [1:0] command_ready, weights_ready, activations_ready, results_valid, results_last, results_malformed;
  wire [RESULT_BITS - 1:0] results[0:1];

  genvar which;
  generate
    for (which = 0; which < 2; which = which + 1) begin : side
      mutated dut(
        .mutant(which ? selected : {MUTANT_BITS{1'b0}}),
        .clk(clk),
        .rst(rst),
        .s_axis_command_tdata(command),
        .s_axis_command_tvalid(command_valid),
        .s_axis_command_tready(command_ready[which]),
        .s_axis_command_tlast(1'b1),
        .s_axis_weights_tdata(weights[WEIGHT_BITS - 1:0]),
        .s_axis_weights_tvalid(weights_valid),
        .s_axis_weights_tready(weights_ready[which]),
        .s_axis_weights_tlast(1'b0),
        .s_axis_activations_tdata(activations[ACTIVATION_BITS - 1:0]),
        .s_axis_activations_tvalid(activations_valid),
        .s_axis_activations_tready(activations_ready[which]),
        .s_axis_activations_tlast(1'b0),
        .m_axis_results_tdata(results[which]),
        .m_axis_results_tvalid(results_valid[which]),
        .m_axis_results_tready(results_ready),
        .m_axis_results_tlast(results_last[which]),
        .m_axis_results_tuser(results_malformed[which])
      );
    end
  endgenerate

  function automatic integer unsigned next(input integer unsigned state);  // xorshift
    integer unsigned a, b;
    begin
      a = state ^ (state << 13);
      b = a ^ (a >> 17);
      next = b ^ (b << 5);
    end
  endfunction

  task draw;
    random = next(random);
  endtask

  function automatic integer unsigned size(input integer unsigned word, input integer unsigned unit);
    case (word[31:28])
      0: size = 0;
      1: size = 1;
      2: size = unit;
      3: size = unit + 1;
      default: size = 1 + word[27:0] % (3 * unit);
    endcase
  endfunction

  task new_command;
    integer unsigned m, k, n;
    begin
      draw; m = size(random, TOKENS);
      draw; n = size(random, COLUMNS);
      draw; k = random[3:0] == 0 ? MAX_K : random[3:0] == 1 ? MAX_K + 1 : size(next(random), LANES);
      if (k > MAX_K + 1) k = MAX_K;
      draw; if (random[7:0] == 0) n = 1 << random[12:8] % 24;
      command = {n[23:0], k[23:0], m[15:0]};
    end
  endtask

  task differs;
    begin
      $display("DIFFERS in cycle %0d", cycles);
      $finish;
    end
  endtask

  initial begin
    if ($value$plusargs("mutant=%d", mutant)) ;
    if ($value$plusargs("cycles=%d", limit)) ;
    selected = mutant[MUTANT_BITS - 1:0];
  end

  // Outputs are compared before the edge, and inputs change after it, as they were taken by the one without a mutation.
  always @(negedge clk) if (!rst) begin
    if (command_ready[0] !== command_ready[1] || weights_ready[0] !== weights_ready[1]
        || activations_ready[0] !== activations_ready[1] || results_valid[0] !== results_valid[1]) differs;
    else if (results_valid[0] && (results_last[0] !== results_last[1] || results_malformed[0] !== results_malformed[1]
        || (!results_malformed[0] && results[0] !== results[1]))) differs;
  end

  reg took_command, took_weights, took_activations;
  always @(posedge clk) begin
    took_command = command_valid && command_ready[0];
    took_weights = weights_valid && weights_ready[0];
    took_activations = activations_valid && activations_ready[0];
    #1;
    cycles = cycles + 1;
    if (cycles % 256 == 1) begin
      draw; finite = random[3:0] != 0;
      for (i = 0; i < 4; i = i + 1) begin
        draw; shares[i] = random[8] ? 8'hff : random[9] ? 8'h10 : random[7:0] | 8'h08;
      end
    end
    if (cycles > limit) begin
      $display("SAME in %0d cycles", limit);
      $finish;
    end
    draw; rst = cycles < 3 || random[10:0] == 0;
    if (!command_valid || took_command) begin
      new_command;
      draw; command_valid = random[7:0] <= shares[0];
    end
    if (!weights_valid || took_weights) begin
      for (i = 0; i < WEIGHT_WORDS; i = i + 1) begin
        draw; weights[32 * i +: 32] = finite ? random & WEIGHT_MASK : random;
      end
      draw; weights_valid = random[7:0] <= shares[1];
    end
    if (!activations_valid || took_activations) begin
      for (i = 0; i < ACTIVATION_WORDS; i = i + 1) begin
        draw; activations[32 * i +: 32] = finite ? random & ACTIVATION_MASK : random;
      end
      draw; activations_valid = random[7:0] <= shares[2];
    end
    draw; results_ready = random[7:0] <= shares[3];
  end
endmodule
