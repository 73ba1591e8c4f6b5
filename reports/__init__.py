"""Reports: frames in, tables and pictures out. They count, price and run nothing.

::

    figures/   style, axes, labels, panels, number formatting
    energy/    summaries and plots of energy experiments
    netlists/  of the netlists of arrays
    exploration/  Pareto sets, knobs and the datasheet of a design that was built
    hardware   of runs on the simulated hardware
    prices     of comparisons of prices; serving, training, measured and designs: of these kinds
    page/      results as one HTML page
    comparison  what differs between two results
    gallery/   committed tables and pictures of the shipped experiments
"""
