"""The accelerator's gates: synthesised, timed, simulated and priced in the cells of a Liberty library.

``liberty_file`` Liberty as text, its units, and what is wrong with it; ``liberty`` the cells; ``tables`` look-ups
``libraries``    where a library is to be had
``constants``    numbers that are measured or assumed, from data/
``requirements`` what a library must have
``boolean``      functions as Liberty writes them
``netlist``      a mapped netlist
``synthesis``    Verilog to cells, by Yosys and ABC; ``adders`` maps full adders
``sizing``       buffers and drive strengths
``wires``        capacitance of wires by a stated rule
``sta``          slews and critical path; ``timing`` the same by OpenSTA, as a check
``flow``         the best netlist of a few ways through ABC
``simulation``   toggles of every net, with and without glitches
``stimulus``     operands
``energy``       toggles to energy; ``prices`` the internal energy of a cell type, ``conditions`` what tables apply
``crosscheck``   power by OpenSTA, and by its weights on our slews, loads and tables
"""
