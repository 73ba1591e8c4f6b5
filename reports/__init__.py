"""Reports: frames in, tables and pictures out.

``digits``      numbers with sensible digits and units
``summary``     the Markdown tables of a result
``style``       colours, markers and fonts, for light and dark backgrounds
``sizes``       plots over model size: energy_vs_size, ratio_vs_size
``components``  the stacked plot: components
``published``   ours against the printed numbers
``pictures``    draws every plot that an experiment asks for, as PNG and SVG
"""
