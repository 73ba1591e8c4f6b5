"""OpenRAM's configuration of the memory of `edge_64x16`: sums of 64 tokens, one port to write and one to read.

Run: install it with ``python -m pip install --target DIR openram==1.2.48 'numpy<2.3' scipy scikit-learn``, set
``OPENRAM_HOME`` to ``DIR/openram/compiler`` and ``OPENRAM_TECH`` to ``DIR/openram/technology``, and run
``PYTHONPATH=DIR python DIR/openram/sram_compiler.py -v openram_edge_64x16.py``. The area is in ``sram_64x46.lef``.
"""

word_size = 46  # two columns of 23 bits: eight macros hold all 16
num_words = 64
num_rw_ports = 1
num_r_ports = 1
num_w_ports = 0
tech_name = "freepdk45"
nominal_corner_only = True
process_corners = ["TT"]
supply_voltages = [1.1]
temperatures = [25]
route_supplies = False
check_lvsdrc = False  # needs tools that no Python package contains
perimeter_pins = False
analytical_delay = True  # without a Spice simulator
use_conda = False  # else OpenRAM downloads and installs Miniconda
output_name = "sram_64x46"
output_path = "sram_64x46"
