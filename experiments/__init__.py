"""Experiments: a YAML file in, tables out.

::

    files      shipped experiments, files, overrides
    names/     what an experiment names: a built-in entry, a file, or an inline definition
    energy/    counting and pricing models: schema, resolve, grid, evaluation, runner, result, frames
    hardware/  runs on the simulated accelerator
    netlists/  measurements of arrays on their netlists
    prices/    prices compared
    output/    the output folder, its tables and its manifest
    shipped/   the YAML files that come with bitjoule, one folder a kind
"""
