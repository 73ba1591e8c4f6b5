"""The accelerator's gates: synthesised, timed, simulated and priced in the cells of a Liberty library.

::

    liberty/      libraries: text, cells, tables, what they must contain
    netlist       a mapped netlist
    synthesis/    Verilog to cells, by Yosys and ABC; sizing
    timing/       static timing analysis
    stimuli/      operands
    power/        toggles of every net, and their energy, by part
    calibration/  from measurements to the prices of a technology
    constants     measured or assumed numbers of the gate level, from data/
"""
