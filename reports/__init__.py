"""Reports: frames in, tables and pictures out.

``digits``      numbers with sensible digits and units
``markdown``    Markdown tables
``summary``     the Markdown tables of a result
``machines``    what the system accounting adds to them: machines, time, bands, memory
``hardware``    the same of a run on the simulated hardware
``style``       colours, markers and fonts, for light and dark backgrounds
``workloads``   which workload and phase a picture shows, and its title
``panels``      one panel a technology and platform, and the legend under them
``lines``       lines with ratios written at their points
``bars``        stacked bars
``sizes``       plots over model size: energy_vs_size, ratio_vs_size
``sweeps``      a quantity over a value of the workload: sweep
``roofline``    speed under the machines' roofs: roofline
``losses``      scaling laws over energy: loss_vs_energy
``components``  what an energy is made of: components
``memory``      what must be held: memory
``published``   ours against the printed numbers
``gates``       summary and pictures of arrays measured on netlists; ``measured_lines``, ``measured_parts``: two of them
``prices``      summary and picture of prices beside each other
``pictures``    draws every plot that an experiment asks for, as PNG and SVG
"""
