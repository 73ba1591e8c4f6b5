"""A model as blocks with repeat counts, a block as parts, a request as phases: what both accountings count from.

``components``   the parts of an energy by name, in order, with the hues that plots give them
``phases``       a request as a list of steps: prefill, decode, or any other
``block``        what a part states: matmuls, element-wise work, stored values, values cached between tokens
``transformer``  the parts of a decoder-only transformer
"""
