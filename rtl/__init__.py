"""The adder-only accelerator and its baselines, in Amaranth. Imports nothing of ours.

::

    config          what it is built from, and every width that follows
    encodings       how trits become bits
    packing         what stands where in the beats of the streams, in plain Python
    reduction       sums of many words: carry-save compression, trees of adders
    dot_product     one column's trits times the activations, in three styles
    column          ... and the adder that takes it into a running sum
    multiplication  products as rows to be added, for the baselines
    floating_point  adders and multipliers of any IEEE 754 format
    float_column    one column of the FP16 baselines
    operands        what is done to operands before the columns' registers
    operators       single additions and multiplications, to compare with tables of costs
    weights         from the weight stream to the array's select lines
    accumulators    running sums between tiles of K
    sequencer       the loops over a matmul
    accelerator     all of it: with Amaranth's streams, and with AXI4-Stream ports
    verilog         as Verilog text, and described for programs
    configs/        the shipped configurations
"""
