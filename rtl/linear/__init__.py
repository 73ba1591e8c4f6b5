"""The whole BitLinear: floating-point activations in, floating-point outputs out, the array of trits between.

::

    config           the parameters, and every width that follows
    layouts          what the stages hand to each other
    elements         what is done with one number, or once for a token
    norm             an RMSNorm in front
    token_loader     tokens taken in, masked, stored; their largest magnitude
    token_quantiser  a token's scale, its codes, the block they belong to
    block_feeder     codes of a block of tokens as often as the array needs them
    rescaler         the array's results as a stream of outputs
    bitlinear        all of it, with AXI4-Stream ports
    verilog          its text and its description
"""
