"""The NumPy reference, the simulated hardware and the cycle model. Imports rtl and energy_models.

::

    reference/    BitNet layers and floating-point matmuls in NumPy: the ground truth
    accelerator/  streams, cycles in closed form, and the Verilated hardware, called with arrays
    bench/        the cocotb bench: cases, simulators, verification
    testbench/    a testbench as files, which needs nothing of bitjoule
    llm/          BitNet transformers in NumPy, their integer matmuls on a chosen engine
    models/       trained models that ship; training/: how they were trained (needs torch)
    locks         locks between processes; processors: how many this process may use
"""
