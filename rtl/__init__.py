"""The adder-only accelerator and its baselines, in Amaranth. Imports nothing of ours.

::

    config          what it is built from, and every width that follows
    encodings       how trits become bits
    packing         the layout of the beats of the streams, in plain Python
    arithmetic/     adders, multipliers and the columns built from them
    operands        what is done to operands before the columns' registers
    weights         from the weight stream to the array's select lines
    accumulators    running sums between tiles of K
    sequencer       the loops over a matmul
    accelerator     the whole, with Amaranth's streams and with AXI4-Stream ports
    verilog         as Verilog text, and described for programs
    configs/        the shipped configurations
"""
