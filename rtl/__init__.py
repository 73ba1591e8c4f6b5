"""The adder-only accelerator, in Amaranth. Imports nothing of ours.

::

    config          what it is built from, and every width that follows
    encodings       how trits become bits
    packing         what stands where in the beats of the streams, in plain Python
    reduction       sums of many words: carry-save compression, trees of adders
    dot_product     one column's trits times the activations, in three styles
    column          ... and the adder that takes it into a running sum
    weights         from the weight stream to the array's select lines
    accumulators    running sums between tiles of K
    sequencer       the loops over a matmul
    accelerator     all of it: with Amaranth's streams, and with AXI4-Stream ports
    verilog         as Verilog text, and described for programs
    configs/        the shipped configurations
"""
