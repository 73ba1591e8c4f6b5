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

    verilated       the hardware as a compiled program, called with arrays; made of
    native_build      Verilog and native/*.cpp to a shared library
    native_machine    that library's interface
    generated         the Verilog, generated once
    build_cache       builds that are kept; locks of files that any system has
    saif              counts of toggles
    engines         who multiplies for a model: NumPy, both with comparison, and
    rtl_engine      the compiled hardware, and what it measured

    model           BitNet transformers in NumPy; made of
    layers            norms, attention, FFN of a block
    loading           from a Hugging Face folder, by
    checkpoint        safetensors, tensor by tensor
    model_config      config.json, and defaults where it says nothing
    tokenizer         text to ids and back
    synthetic         random weights of any preset's shape
    trained           the models that ship
    training        how they were trained; needs torch
"""
