"""Experiments: a YAML file in, tables out.

::

    files      shipped experiments, files, overrides
    names/     resolves the names in an experiment: a built-in entry, a file, or an inline definition
    energy/    counting and pricing models: schema, resolve, grid, evaluation, runner, result, frames
    hardware/  runs on the simulated accelerator
    netlists/  measurements of arrays on their netlists
    prices/    comparisons of prices
    output/    the output folder, its tables and its manifest
    shipped/   the bundled YAML files, one folder per kind
"""
