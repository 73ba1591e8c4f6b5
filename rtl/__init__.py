"""The adder-only accelerator and its baselines, in Amaranth. Imports nothing of ours.

::

    config          parameters of the accelerator, and every width that follows
    encodings       how trits become bits
    packing         the layout of the beats of the streams, in plain Python
    arithmetic/     adders, multipliers and the columns built from them
    operands        preparation of operands before the columns' registers
    weights         from the weight stream to the array's select lines
    accumulators    running sums between tiles of K
    sum_memory      the memory that holds them, if not flip-flops: nothing else is in its module
    sequencer       the loops over a matmul
    axi             AXI4-Stream ports of a top level, and their connection
    accelerator     the top level, with Amaranth's streams and with AXI4-Stream ports
    linear/         the whole BitLinear around it: norm, quantisation, rescaling
    verilog         Verilog text, and a machine-readable description
    configs/        the shipped configurations
"""
