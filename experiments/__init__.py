"""Experiments: a YAML file in, one long table of joules out.

Reading order: ``files`` (which file), ``schema`` (what it may say), ``reader`` (a file into an `Experiment` with its
models, schemes and technologies resolved), ``grid`` (numbered cases), ``evaluation`` (counts times prices: rows of
the long table), ``runner`` (sums them up), ``result`` (what a run yields), ``comparison`` (ours beside the papers'),
``tables`` (CSV), ``workers`` (processes), ``folder`` (the output folder, replaced whole or not at all), ``manifest``
(what a result was made from). ``names`` looks up what is named, ``bands`` compares within the prices' bands.
``rtl_schema``, ``hardware_model``, ``preparation``, ``simulation``, ``accelerator_costs`` and ``hardware_tables`` run
the hardware; ``gates_schema`` and ``measuring`` measure its netlists, with ``sparsity``, what zeros save;
``prices_schema`` and ``prices`` set prices beside each other. The YAML files beside them are the shipped experiments;
those in ``rtl`` run the hardware, those in ``gates`` measure netlists or compare prices.
"""
