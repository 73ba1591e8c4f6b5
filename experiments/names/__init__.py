"""The entries of an experiment: a name, a path, or an inline definition. One resolver (`lookup`) for all kinds.

``entries`` has the schemas of entries; ``models``, ``schemes``, ``platforms``, ``technologies``, ``arrays`` and
``libraries`` return what they refer to, ``on_machines`` those of experiments that run models on platforms.
"""
