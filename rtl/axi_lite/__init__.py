"""The accelerator with AXI4-Lite registers, for systems whose processor starts it and whose DMA feeds its streams."""
