"""The accelerator's gates: synthesised, timed, simulated and priced in the cells of a Liberty library.

``liberty``      cells: area, functions, capacitance, power
``boolean``      functions as Liberty writes them
``netlist``      a mapped netlist
``synthesis``    Verilog to cells, by Yosys and ABC; ``adders`` maps full adders
``sizing``       buffers and drive strengths
``timing``       critical path, by OpenSTA
``flow``         the best netlist of a few ways through ABC
``simulation``   toggles of every net, with and without glitches
``stimulus``     operands
``energy``       toggles to energy
"""
