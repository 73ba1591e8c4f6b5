"""What an experiment names: by a name, by a path, or written out. One resolver (`lookup`) for all kinds of things.

``entries`` says what may stand in a file; ``models``, ``schemes``, ``platforms``, ``technologies``, ``arrays`` and
``libraries`` return what is meant.
"""
