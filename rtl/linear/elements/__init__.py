"""What a BitLinear does with one number, or once for a token.

::

    division     significands divided, one bit a cycle
    square_root  the root of a significand, one bit a cycle
    token_scale  from a token's largest magnitude to its factor and scale
    code         one activation times the factor, rounded to an integer
    rescaling    one sum times the scales, rounded to the format
    norm_lane    one value squared, and normed
    units        what one element passes, alone, to be measured
"""
