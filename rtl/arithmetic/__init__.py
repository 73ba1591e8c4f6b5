"""Adders, multipliers and the columns built from them.

::

    reduction       sums of many words: carry-save compression, trees of adders
    dot_product     one column's trits times the activations, in four styles
    lookup_table    sums of a few activations for all columns, and what a column picks of them
    column          a dot product and the adder that takes it into a running sum
    multiplication  products as rows to be added, for the baselines
    formats         the fields of floating-point formats, as data
    floating_point  adders and multipliers of any IEEE 754 format
    float_column    one column of the FP16 baselines
    operators       single additions and multiplications, for comparison with tables of costs
"""
