"""Experiments: a YAML file in, tables out.

::

    files      shipped experiments, files, overrides
    names/     resolves the names in an experiment: a built-in entry, a file, or an inline definition
    energy/    counting and pricing models: schema, resolve, grid, evaluation, runner, result, frames
    hardware/  runs on the simulated accelerator
    netlists/  measurements of arrays on their netlists
    prices/    comparisons of prices
    serving/   requests served in several ways, and their steady state
    training/  models trained in several formats, and the inference that pays back
    measured/  machines as predicted and as others measured them
    designs/   published accelerators beside their parameters
    exploration/  spaces of designs, searched; building/: the hardware of one of them
    output/    the output folder, its tables and its manifest
    results/   output folders read again, for reports and comparisons
    shipped/   the bundled YAML files, one folder per kind
"""
