"""Joules: what an operation, an access and a model cost.

The bottom of bitjoule; it imports nothing of ours. Reading order:

``errors``       a problem in a user's input: file, line, key, what was wrong, what was expected
``documents``    YAML as plain data that remembers the line of every key
``validation``   a document against a pydantic model, with suggestions for misspelt names
``sources``      the bibliography that every number cites
``models``       the shape of a transformer, and the shapes that ship
``huggingface``  the same shape from a ``config.json``
``schemes``      number formats of one way to run a model
``technology``   what an operation costs at a process node
``memories``     what an access costs
``arithmetic``   how many operations a pass takes, as the papers count them
``pricing``      operations times prices
``published``    numbers as printed in the papers
"""
