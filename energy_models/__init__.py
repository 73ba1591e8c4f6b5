"""Joules: what an operation, an access and a model cost.

The bottom of bitjoule; it imports nothing of ours. Reading order:

``errors``       a problem in a user's input: file, line, key, what was wrong, what was expected
``documents``    YAML as plain data that remembers the line of every key
``validation``   a document against a pydantic model, with suggestions for misspelt names
``sources``      the bibliography that every number cites
``models``       the shape of a transformer, and the shapes that ship
``huggingface``  the same shape from a ``config.json``
``architecture`` a model as blocks and parts, a request as phases
``formats``      number formats, one table
``schemes``      number formats of one way to run a model
``technology``   what an operation costs at a process node
``memories``     what an access costs
``areas``        how large an operation is, and how much silicon leaks
``arithmetic``   how many operations a pass takes, as the papers count them
``pricing``      operations times prices
``published``    numbers as printed in the papers
``scaling``      the loss of a format's models over their size
``footprint``    what printed memory holds beside the weights

The system accounting, on top of these:

``storage``      how many bits a value takes in memory
``functions``    what the element-wise parts take for each element
``platforms``    machines: arrays, buffers, off-chip memory, clock, leakage
``accesses``     what it costs to move a bit
``mapping``      what a tiling of a matmul moves, and how long it takes
``search``       the best tiling
``loopnest``     a mapping as text and as a file
``steps``        what a matmul does, step by step
``machine``      a scheme on a platform at a technology
``workload``     what a request asks of a model
``columns``      what is counted, and what a machine pays for it
``quantities``   what one mapped matmul counts
``system``       whole requests on machines
"""
