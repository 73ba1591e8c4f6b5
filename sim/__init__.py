"""The NumPy reference, the simulated hardware and the cycle model. Imports rtl and energy_models.

::

    reference       BitNet layers in NumPy: the truth; made of
    quantisation      trits, signs, small integers and their scales
    norms             RMSNorm and SubLN
    matmul            the exact integer product
    checks            what they ask of their arguments
    streams         whole matmuls as beats, and back
    cycles          how many cycles the accelerator takes, in closed form
    configurations  the accelerator's YAML files
    cases           what the bench asks of the hardware
    bench           driver, sink and comparison; runs inside a simulator
    simulators      builds and runs Verilog in Verilator or Icarus
    verification    plan, build, run, report
"""
