"""Joules: what an operation, an access and a model cost.

The bottom of bitjoule; it imports nothing of ours. Reading order::

    inputs/        YAML with line numbers, errors, sources, plug-ins
    formats/       number formats, packings, schemes
    architecture/  a model as blocks of parts, a request as phases; presets and Hugging Face configurations
    prices/        what operations, accesses and areas cost at a technology, and the key of each price
    papers/        the papers' accounting, their printed numbers, scaling laws
    system/        whole requests on a platform: mapped, counted, priced
    serving/       requests served in several ways: steps, caches, drafts, chips, queues
    training/      a step of training: gradients as passes, what is kept, optimisers
    model_files/   GGUF and safetensors files: headers, types, values
    machines/      machines that others measured: rows, names, predictions, fits
    interchange/   other tools' architectures, read into platforms
    catalog        the built-in entries, for ``bitjoule list`` and ``bitjoule show``
    data/          every number, with its source
"""
