"""Reports: frames in, tables and pictures out. They count, price and run nothing.

::

    figures/   style, axes, labels, panels, number formatting
    energy/    summaries and plots of energy experiments
    netlists/  of the netlists of arrays
    hardware   of runs on the simulated hardware
    prices     of comparisons of prices
    gallery/   committed tables and pictures of the shipped experiments
"""
